"""The address of a server: a base URL without secrets in it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Address:
    """The base URL of an API."""

    url: str
    """Checked by `checked_url`."""

    @property
    def place(self) -> str:
        """Host, port and path: the identity of the server."""
        parts = urlsplit(self.url)
        return f"{parts.netloc.lower()}{parts.path.rstrip('/')}"

    def is_of(self, *hosts: str) -> bool:
        """Whether it is one of these hosts, regional ones such as `eu.<host>` included."""
        own = urlsplit(self.url).hostname or ""
        return any(own == host or own.endswith(f".{host}") for host in hosts)


def checked_url(url: str) -> str:
    """The URL, if it can be the base of an API.

    Raises:
        ValueError: It cannot; the message does not repeat it, for it may hold a password.
    """
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("it must begin with http:// or https:// and name a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("it must not hold a password; use default_headers or http_client")
    if parts.query or parts.fragment:
        raise ValueError("it must end before '?' and '#'; use default_headers for keys")
    return url.strip()
