"""The address of a server: a base URL without secrets in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

USUAL_PORTS = {"http": ":80", "https": ":443"}
"""Ports that need not be written."""
UNUSUAL = re.compile(r"[\s\"'\\<>]")
"""What no address holds, and what is copied along with one."""
LOOPBACK = re.compile(r"localhost|::1|127(?:\.\d{1,3}){3}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Address:
    """The base URL of an API."""

    url: str
    """Checked by `checked_url`."""

    @property
    def host_and_path(self) -> str:
        """Host, port and path, without the scheme: the identity of the server."""
        parts = urlsplit(self.url)
        host = parts.netloc.lower().removesuffix(USUAL_PORTS.get(parts.scheme, ""))
        return f"{host.rstrip(':')}{parts.path.rstrip('/')}"

    def is_of(self, *hosts: str) -> bool:
        """Whether it is one of these hosts, regional ones such as `eu.<host>` included."""
        own = urlsplit(self.url).hostname or ""
        return any(own == host or own.endswith(f".{host}") for host in hosts)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine: no proxy is used for it, as in browsers and in Go."""
    name = host.lower().strip("[]")
    return name.endswith(".localhost") or LOOPBACK.fullmatch(name) is not None


def checked_url(url: str) -> str:
    """The URL, if it can be the base of an API.

    Raises:
        ValueError: It cannot; the message does not repeat it, for it may hold a password.
    """
    url = url.strip()
    try:
        parts = urlsplit(url)
    except ValueError:  # half of an IPv6 address
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(
            "it must begin with http:// or https:// and name a host, as https://HOST/v1 does"
        )
    if parts.username is not None or parts.password is not None:
        raise ValueError("it must not hold a password; use default_headers or http_client")
    if parts.query or parts.fragment:
        raise ValueError("it must end before '?' and '#'; use default_headers for keys")
    if parts.hostname in ("http", "https"):
        raise ValueError("it must begin with http:// or https:// once, as https://HOST/v1 does")
    if UNUSUAL.search(url):
        raise ValueError("it must not hold white space, quotes, backslashes or angle brackets")
    try:
        is_port = parts.port != 0
    except ValueError:
        is_port = False
    if not is_port:
        raise ValueError("its port must be a number from 1 to 65535, as in https://HOST:8443/v1")
    return url
