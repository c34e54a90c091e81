"""SSRF guard: which web addresses may be asked for an image.

URLs are parsed strictly: a spelling that two programs may read differently is refused. So is every
IP address that is not public, also inside an IPv6 address that carries it to a gateway.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib.parse import urljoin

from embedbridge.contract.errors import InvalidImageError

if TYPE_CHECKING:
    from embedbridge.core.images.rules import ImageRules

Address: TypeAlias = IPv4Address | IPv6Address

PORTS = {"http": 80, "https": 443}
URL = re.compile(
    r"(?P<scheme>https?)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?P<query>\?[^#]*)?", re.IGNORECASE
)
ALLOWED_CHARACTERS = re.compile(r"[!-~]+")
UNSAFE_CHARACTERS = re.compile(r'[\\<>"{}|^`]')
SLOPPY_CHARACTERS = re.compile(r'[ "<>{}|^`\x80-\xff]')
"""What servers leave unencoded in a redirect; no control character, and no backslash."""
AUTHORITY = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\[\]:@]+)(?::(?P<port>[0-9]{1,5}))?")
LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")

# Beyond what `ipaddress` calls not global, which also depends on the version of Python.
NOT_PUBLIC = [
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
        "198.18.0.0/15", "224.0.0.0/3", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16",
    )
]  # fmt: skip
PUBLIC_IPV6 = IPv6Network("2000::/3")
NAT64 = IPv6Network("64:ff9b::/96")
TEREDO = IPv6Network("2001::/32")
NEVER = [
    ipaddress.ip_network(text)
    for text in ("0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3", "::/128", "fe80::/10", "ff00::/8")
]
"""Not even for a host that is allowed by name and port: clouds serve their secrets here."""
METADATA = [
    IPv6Address("fd00:ec2::254"),
    IPv6Address("fd20:ce::254"),
    IPv4Address("100.100.100.200"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class WebAddress:
    """An http(s) URL, taken apart."""

    scheme: Literal["http", "https"]
    host: str
    """In lower case; an IPv6 address without its brackets."""
    port: int
    target: str
    """Path and query, as the server gets it."""

    @property
    def authority(self) -> str:
        """Host and port as the `Host` header has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    def redirected(self, location: str) -> WebAddress:
        """Where a redirect leads.

        Args:
            location: What the header says, its bytes decoded as Latin-1.

        Raises:
            InvalidImageError: It is no web address, or leads from https to http.
        """
        if not location:
            raise InvalidImageError("The server redirects to nowhere.")
        # As browsers do. In a host the percent sign is refused.
        encoded = SLOPPY_CHARACTERS.sub(lambda found: f"%{ord(found[0]):02X}", location)
        try:
            _check_characters(encoded)  # before it is joined, which drops some
            url = urljoin(f"{self.scheme}://{self.authority}{self.target}", encoded)
            found = parse(url)
        except ValueError as error:  # an error of ours is one, and blames the user's own URL
            raise InvalidImageError("The server redirects to no valid URL.") from error
        if self.scheme == "https" and found.scheme == "http":
            raise InvalidImageError("The server redirects from https to http.")
        return found


def parse(url: str) -> WebAddress:
    """Take a URL apart, in one reading only.

    Raises:
        InvalidImageError: It is not a plain http(s) URL.
    """
    _check_characters(url)
    parts = URL.match(url)
    if parts is None:
        raise InvalidImageError("This is not an http(s) URL.")
    if "@" in parts["authority"]:
        raise InvalidImageError(
            "The image URL has a user name.", hint="Credentials are never sent to image servers."
        )
    authority = AUTHORITY.fullmatch(parts["authority"])
    if authority is None:
        raise InvalidImageError("The image URL has no valid host.")
    scheme: Literal["http", "https"] = "https" if parts["scheme"].lower() == "https" else "http"
    port = int(authority["port"]) if authority["port"] else PORTS[scheme]
    if not 0 < port < 65536:
        raise InvalidImageError(f"The image URL has an impossible port: {port}.")
    target = (parts["path"] or "/") + (parts["query"] or "")
    return WebAddress(
        scheme=scheme, host=_host(authority["host"].lower()), port=port, target=target
    )


def number_of(host: str) -> Address | None:
    """The address that a host is written as; `None` for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def check_host(address: WebAddress, rules: ImageRules) -> bool:
    """Whether the caller allows this host.

    Args:
        address: Where the image is.
        rules: Their `allow_urls` names all hosts (ports 80 and 443), or these: `host` means ports
            80 and 443 of a public address; `host:port` this port, and private addresses too.

    Returns:
        Whether its network address need not be public.

    Raises:
        InvalidImageError: It is not allowed.
    """
    if rules.allow_urls is not True:
        names = {name.lower() for name in rules.allow_urls or ()}
        host = f"[{address.host}]" if ":" in address.host else address.host
        if f"{host}:{address.port}" in names:
            return True
        if host not in names and address.host not in names:
            raise InvalidImageError(
                f"The host {address.host[:60]!r} is not in allow_urls.", hint="Add it there."
            )
    if address.port not in PORTS.values():
        raise InvalidImageError(
            f"Port {address.port} is not one of the web's.", hint="Allow it as 'host:port'."
        )
    if number_of(address.host) is None and "." not in address.host:
        raise InvalidImageError(
            "The host has no dot, so it is a name of this network.", hint="Allow it as 'host:port'."
        )
    return False


def check_number(text: str, *, private: bool) -> Address:
    """The network address, if it may be connected to.

    Args:
        text: As the resolver gave it.
        private: Whether it need not be public.

    Raises:
        InvalidImageError: It may not.
    """
    address = number_of(text)
    if address is None or getattr(address, "scope_id", None):
        raise InvalidImageError("The host has no plain network address.")
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    wrapped = [address, *carried(address)]
    bad = any(_is_never(one) for one in wrapped) if private else not all(map(is_public, wrapped))
    if bad:
        raise InvalidImageError(
            "The host has a network address that is not public.",
            hint="Allow it as 'host:port' if it is yours.",
        )
    return address


def is_public(address: Address) -> bool:
    """Whether an address is one of the public internet, apart from what it carries."""
    if isinstance(address, IPv6Address):
        if address in NAT64 or address in TEREDO:
            return True  # what it carries decides
        if address not in PUBLIC_IPV6:
            return False
        if address.sixtofour is not None:
            return True  # likewise
    return address.is_global and not any(_within(address, network) for network in NOT_PUBLIC)


def carried(address: Address) -> list[IPv4Address]:
    """The IPv4 addresses inside an IPv6 address, to which a gateway would go on (RFC 6890)."""
    if isinstance(address, IPv4Address):
        return []
    if address in NAT64:
        return [IPv4Address(int(address) & 0xFFFF_FFFF)]
    if address.sixtofour is not None:
        return [address.sixtofour]
    return list(address.teredo or ())


def _is_never(address: Address) -> bool:
    return address in METADATA or any(_within(address, network) for network in NEVER)


def _within(address: Address, network: IPv4Network | IPv6Network) -> bool:
    return address.version == network.version and address in network


def _check_characters(url: str) -> None:
    if not ALLOWED_CHARACTERS.fullmatch(url) or UNSAFE_CHARACTERS.search(url):
        raise InvalidImageError(
            "The image URL has characters that no URL has.",
            hint="Percent-encode them, and write a host in its xn-- form.",
        )


def _host(host: str) -> str:
    if host.startswith("["):
        number = number_of(host[1:-1])
        if not isinstance(number, IPv6Address):
            raise InvalidImageError("The image URL has no valid IPv6 address.")
        return str(number)
    labels = host.split(".")
    if len(host) > 253 or not all(map(LABEL.fullmatch, labels)):
        raise InvalidImageError("The image URL has no valid host.")
    if NUMBER.fullmatch(labels[-1]) and number_of(host) is None:
        raise InvalidImageError("The image URL has a network address in an ambiguous form.")
    return host
