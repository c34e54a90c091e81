"""Proxy and certificates for one address, as the environment says; a fault names the variable.

HTTP libraries read the environment themselves, and fail in words of their own: without a file name,
without the variable, with `NO_PROXY` entries that they do not know. Sources for `NO_PROXY`: curl's
manual (https://curl.se/docs/manpage.html#--noproxy) for names and networks in CIDR form, Python's
`urllib.request.getproxies` for the variables, and Go's `http.ProxyFromEnvironment` for loopback.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

from embedbridge.contract.errors import ConfigurationError, short_path
from embedbridge.contract.remote.address import is_loopback

SCHEMES = ("http", "https", "socks5", "socks5h")
"""Of proxies."""
CA_FILES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Variables with a file of trusted certificates; the first that is set counts."""
CA_FOLDER = "SSL_CERT_DIR"


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """How one address is reached."""

    proxy: str | None
    """URL of the proxy, if there is one on the way."""
    certificates: ssl.SSLContext | None
    """What is trusted; `None` for the library's own bundle, and where no TLS is spoken."""
    speaks_tls: bool
    """Whether a connection on the way is encrypted."""

    @property
    def verify(self) -> ssl.SSLContext | bool:
        """What HTTP clients take: certificates, or `True` for the library's own bundle.

        Reading that bundle takes 20 ms. Where no TLS is spoken nothing is read.
        """
        if not self.speaks_tls:
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        return True if self.certificates is None else self.certificates


def network_for(url: str) -> Network:
    """Proxy and certificates for requests to this address.

    Raises:
        ConfigurationError: A variable holds what cannot be; it is named, with its value.
    """
    parts = urlsplit(url)
    proxy = _proxy(parts.scheme, parts.hostname or "", parts.port)
    tls = parts.scheme == "https" or (proxy or "").startswith("https:")
    return Network(proxy=proxy, certificates=_certificates() if tls else None, speaks_tls=tls)


def bypasses_proxy(host: str, port: int | None, entries: str) -> bool:
    """Whether `NO_PROXY` lists a host: by name, domain, address, network, or `*` for all.

    Args:
        host: Name or address, an IPv6 address without brackets.
        port: Of the server.
        entries: The variable's value, separated by commas or white space.
    """
    address = _address(host)
    for entry in entries.replace(",", " ").lower().split():
        name, listed_port = _split_port(entry)
        if listed_port is not None and listed_port != port:
            continue
        if name == "*":
            return True
        if address is not None:
            if _holds(name, address):
                return True
            continue
        name = name.removeprefix("*").lstrip(".")
        if name and (host.lower() == name or host.lower().endswith(f".{name}")):
            return True
    return False


def _proxy(scheme: str, host: str, port: int | None) -> str | None:
    proxies = getproxies()
    # A proxy's own "localhost" is another machine, which cannot be meant.
    if is_loopback(host) or bypasses_proxy(host, port, proxies.get("no", "")):
        return None
    kind = scheme if proxies.get(scheme) else "all"
    value = proxies.get(kind)
    if not value:
        return None
    # "proxy.example:8080" means http, as for curl.
    url = value if "://" in value else f"http://{value}"
    parts = urlsplit(url)
    try:
        sound = parts.scheme in SCHEMES and parts.hostname and parts.port != 0
    except ValueError:  # the port is no number
        sound = False
    if not sound or " " in url or "~" in (parts.netloc or ""):
        raise ConfigurationError(
            f"The environment variable {_variable(f'{kind}_proxy')} holds no proxy that can be used: "
            f"{_without_password(value)!r}.",
            hint=f"Write it as http://HOST:PORT or socks5://HOST:PORT, or list {host} in NO_PROXY.",
        )
    return url


def _certificates() -> ssl.SSLContext | None:
    variable = next((name for name in CA_FILES if os.environ.get(name)), None)
    folder = os.environ.get(CA_FOLDER)
    if variable is None and not folder:
        return None
    file = os.environ[variable] if variable else None
    if file and Path(file).is_dir():  # requests takes a folder there
        file, folder = None, file
    name, path = (variable, file) if file else (variable or CA_FOLDER, folder)
    try:
        if path is not None and not Path(path).exists():
            raise FileNotFoundError("it does not exist")
        return ssl.create_default_context(cafile=file, capath=folder if not file else None)
    except (OSError, ssl.SSLError) as error:
        reason = str(error)
    raise ConfigurationError(
        f"The certificates in {name}={short_path(path)} cannot be read: {reason}.",
        hint=f"Correct the environment variable {name}, or unset it for the usual certificates.",
    )


def _split_port(entry: str) -> tuple[str, int | None]:
    if entry.startswith("["):
        name, _, rest = entry[1:].partition("]")
        return name, int(rest[1:]) if rest[1:].isdigit() else None
    name, colon, port = entry.rpartition(":")
    if colon and ":" not in name and port.isdigit():
        return name, int(port)
    return entry, None


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _holds(entry: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    try:
        return address in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False


def _variable(name: str) -> str:
    """How the user spelled it."""
    return next(
        (known for known in os.environ if known.lower() == name and known.islower()), None
    ) or (next((known for known in os.environ if known.lower() == name), name.upper()))


def _without_password(url: str) -> str:
    before, at, host = url.rpartition("@")
    return (
        f"{before.partition('://')[0]}://…@{host}"
        if at and "://" in before
        else (f"…@{host}" if at else url)
    )
