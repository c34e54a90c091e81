"""OpenAI-compatible vendors by name: one row of data each, and where it was read.

`vendors.toml` is the table. Rows of users have the same fields, see `VendorRow`. Nothing heavy is
imported here: plugins load it.
"""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from embedbridge.contract.errors import ConfigurationError, short_repr
from embedbridge.contract.hooks import ProviderSpec
from embedbridge.contract.remote import Vendor, is_loopback
from embedbridge.providers.openai._vendor_rules import PLACEHOLDER, problems

TABLE = Path(__file__).with_name("vendors.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorRow:
    """One vendor, or one kind of server, that speaks OpenAI's API.

    Example:
        VendorRow(
            title="Acme", base_url="https://api.acme.example/v1", key_variables=("ACME_API_KEY",)
        )

    Raises:
        ConfigurationError: A field has a value that cannot be; it is named.
    """

    title: str
    """As people say it, for messages."""
    base_url: str | None = None
    """Where `/embeddings` follows; `{NAME}` in it stands for an environment variable. Left out where
    every user has an address of their own."""
    base_url_variable: str | None = None
    """Environment variable that may hold another address."""
    path: str | None = None
    """What is added to an address without a path; that of `base_url` if left out."""
    hosts: tuple[str, ...] = ()
    """Further hosts of the vendor's own servers."""
    key_variables: tuple[str, ...] = ()
    """Environment variables that may hold the key; the first one that is set counts."""
    key_starts: tuple[str, ...] = ("sk-",)
    """How its keys begin, if like those of others. Write `[]` where a key with `sk-` is not its own."""
    needs_key: bool = True
    """Whether a request without a key is refused."""
    max_items: int | None = None
    """Texts per request. If left out, requests begin with 32 and grow while the server takes them."""
    max_tokens_per_input: int | None = None
    """Tokens of one text; a longer one is refused. Leave it out for a vendor that cuts in silence."""
    max_tokens_per_request: int | None = None
    """Tokens of all texts in a request."""
    encoding_format: str = "base64"
    """How vectors are asked for: `"base64"`, `"float"`, or `"none"`: the field is left out."""
    dimensions: bool = True
    """Whether a request may have the field `dimensions`; else vectors are shortened here."""
    rate_limit_codes: tuple[str, ...] = ()
    """Codes in the body of a refusal that mean a rate, which waiting helps, whatever they are elsewhere."""
    quota_codes: tuple[str, ...] = ()
    """Codes that mean an empty account, which no waiting helps."""
    model_prefix: str = ""
    """What stands in front of a model's name that has no slash."""
    extra_body: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Further fields of every request."""
    query_body: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Further fields of requests for queries."""
    document_body: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Further fields of requests for documents."""
    example: str = ""
    """The name of a model, for documentation."""
    closed: str | None = None
    """The day on which the vendor ended its service."""
    sources: tuple[str, ...] = ()
    """Where this was read."""

    def __post_init__(self) -> None:
        for name, problem in problems(self):
            raise ConfigurationError(f"{name} {problem}")

    @property
    def vendor(self) -> Vendor:
        """What the HTTP kit asks for."""
        return Vendor(
            name=self.title,
            url=self.base_url,
            hosts=self.hosts,
            keys=self.key_variables,
            key_starts=self.key_starts,
            url_variable=self.base_url_variable,
            needs_key=self.needs_key,
            start_hint=self._start_hint,
        )

    @property
    def _start_hint(self) -> str | None:
        """What to do where no server answers on this machine."""
        if not self.is_on_this_machine:
            return None
        where = f"set {self.base_url_variable}, or " if self.base_url_variable else ""
        return f"Start {self.title} there; for another address {where}pass base_url."

    @property
    def is_on_this_machine(self) -> bool:
        """Whether its server is usually the user's own, so that each is a vendor of its own."""
        return is_loopback(urlsplit(self.base_url or "").hostname or "")

    @property
    def default_path(self) -> str:
        """What an address without a path lacks."""
        return urlsplit(self.base_url or "").path if self.path is None else self.path

    @property
    def placeholders(self) -> tuple[str, ...]:
        """Environment variables in the address."""
        return tuple(PLACEHOLDER.findall(self.base_url or ""))


def row_of(values: Mapping[str, object]) -> VendorRow:
    """A row from what somebody wrote.

    Raises:
        ConfigurationError: A field is unknown, missing, or has a value that cannot be.
    """
    known = [one.name for one in dataclasses.fields(VendorRow)]
    for name in values:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Known are {', '.join(known)}."
            raise ConfigurationError(f"{short_repr(name)} is no field of a vendor.", hint=hint)
    if "title" not in values:
        raise ConfigurationError("title is missing: how people call the vendor.")
    frozen: Any = {
        name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
    }
    return VendorRow(**frozen)


@cache
def rows() -> Mapping[str, VendorRow]:
    """The table, by what users type before the colon."""
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    return MappingProxyType({name: row_of(values) for name, values in table.items()})


def spec_of(name: str, row: VendorRow) -> ProviderSpec:
    """How a vendor is announced."""
    url_variable = [row.base_url_variable] if row.base_url_variable else []
    return ProviderSpec(
        name=name,
        factory="embedbridge.providers.openai.vendor_model:vendor_class",
        variant=row,
        summary="Vendors and servers with OpenAI's API, by name.",
        variables=() if row.closed else (*row.key_variables, *row.placeholders, *url_variable),
    )
