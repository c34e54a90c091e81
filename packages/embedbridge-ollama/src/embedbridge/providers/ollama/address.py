"""The short forms of an address that Ollama takes, as in the variable OLLAMA_HOST.

Source: `envconfig.ConnectableHost` in https://github.com/ollama/ollama/blob/main/envconfig/config.go
"""

from __future__ import annotations

import re

PORT = 11434
"""Of an address without a scheme; with one, it is the port of the scheme."""
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104  # nothing is bound here
"""Where a server listens on all addresses, a client on the same machine connects to loopback."""
SHORT = re.compile(
    r"(?P<host>\[[^\]]*\]|[^:/\s@]*|[\da-fA-F:.]*:[\da-fA-F:.]*:[\da-fA-F:.]*)"
    r"(?P<port>:\d*)?(?P<path>/(?!/)\S*)?"
)
"""`host`, `host:port`, `:port`, an IPv6 address with or without brackets; each with a path or not."""


def full_url(text: str) -> str:
    """The URL that Ollama's own client would use; what is no address stays as it is.

    Example:
        full_url(":8080") == "http://127.0.0.1:8080"
    """
    text = text.strip().strip("\"'")
    scheme, mark, rest = text.rpartition("://")
    if not mark and rest == "ollama.com":
        return "https://ollama.com"
    found = SHORT.fullmatch(rest)
    if found is None:
        return text
    host, port, path = (found[name] or "" for name in ("host", "port", "path"))
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    host = ANY_ADDRESS.get(host, host) or "127.0.0.1"
    if port in ("", ":"):
        port = "" if mark else f":{PORT}"
    return f"{scheme or 'http'}://{host}{port}{path}"
