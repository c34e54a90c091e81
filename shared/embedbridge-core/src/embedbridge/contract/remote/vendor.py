"""A vendor of an HTTP API: address, environment variables and key, written once.

Discovery, options, errors and docs read them here. Imports neither NumPy nor pydantic: plugins load it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """Who answers behind an API, and how it is asked.

    Example:
        VENDOR = Vendor(
            name="Voyage",
            url="https://api.voyageai.com/v1",
            keys=("VOYAGE_API_KEY",),
            url_variable="VOYAGE_BASE_URL",
        )
    """

    name: str
    """As people say it, for messages."""
    url: str | None = None
    """The base of its API; `None` where every user has a server of their own."""
    hosts: tuple[str, ...] = ()
    """Further hosts of its own servers. `eu.<host>` is its own as well."""
    keys: tuple[str, ...] = ()
    """Environment variables that may hold the key; the first one that is set counts."""
    key_starts: tuple[str, ...] = ()
    """How its keys begin, where others' begin likewise: many vendors hand out keys with `sk-`."""
    url_variable: str | None = None
    """Environment variable that may hold another base."""
    needs_key: bool = True
    """Whether its server refuses a request without a key."""
    self_hosted: bool = False
    """Whether users run the same API on servers of their own, where no key may be needed."""
    header: str = "Authorization"
    """The header that carries the key."""
    scheme: str = "Bearer"
    """What stands in front of the key in that header; `""` for nothing."""
    endings: tuple[str, ...] = ("/embeddings",)
    """Endings of an address that users copy along, and that are not of the base; cut in order."""
    start_hint: str | None = None
    """What to do where no connection can be made, for a server that users start themselves."""
    complete: Callable[[str], str] = str
    """Completes an address from the environment, where the vendor's own tools take short forms."""

    @property
    def own_hosts(self) -> tuple[str, ...]:
        """All hosts of its own servers."""
        own = urlsplit(self.url or "").hostname
        return (own, *self.hosts) if own else self.hosts

    @property
    def variables(self) -> tuple[str, ...]:
        """All environment variables, for `ProviderSpec.variables`."""
        return (*self.keys, *([self.url_variable] if self.url_variable else []))

    @property
    def key_hint(self) -> str:
        """What to do about a key that is missing or refused."""
        if not self.keys:
            return "Pass api_key."
        return f"Set {self.keys[0]} in the environment, or pass api_key."

    def authorization(self, key: str) -> dict[str, str]:
        """The header that says who asks."""
        return {self.header: f"{self.scheme} {key}".strip()}
