"""Network errors of HTTP libraries, and redirects, as our own errors.

The libraries are known by the names of their classes: httpx and httpx2 have the same, and neither
need be installed.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from embedbridge.contract.errors import (
    MAX_SHOWN,
    ConfigurationError,
    EmbedBridgeError,
    InvalidResponseError,
    ProviderUnavailableError,
    RequestTimeoutError,
    exception_chain,
)
from embedbridge.contract.remote.redaction import Secrets
from embedbridge.contract.remote.status import shortened

CONNECT_SECONDS = 5.0
"""That connecting may take at most."""
LIBRARIES = frozenset({"anyio", "httpcore", "httpcore2", "httpx", "httpx2"})


def network_error(error: Exception, secrets: Secrets, server: str) -> EmbedBridgeError | None:
    """Our error for one of the network's, or of a client that is closed; `None` for what is neither.

    The result is not chained to the original, which holds the request and with it the key.

    Args:
        error: What was raised.
        secrets: Hidden in all that is quoted.
        server: Its host and path.
    """
    names = {kind.__name__ for kind in type(error).__mro__}
    ours = isinstance(error, OSError) or type(error).__module__.partition(".")[0] in LIBRARIES
    if isinstance(error, TimeoutError) or (ours and "TimeoutException" in names):
        return RequestTimeoutError(f"No answer from {server} in time.", hint="Raise `timeout`.")
    if ours and "DecodingError" in names:
        return InvalidResponseError(f"The answer of {server} cannot be unpacked.")
    if isinstance(error, RuntimeError) and "client has been closed" in str(error):  # a user's own
        return ConfigurationError(
            "The http_client is closed.",
            hint="Set http_client to a function that makes one, or close it after the last use.",
        )
    if isinstance(error, RuntimeError) and "different event loop" in str(error):
        return ConfigurationError(
            "The http_client is in use on another event loop than embedbridge's own.",
            hint="Give it one that nothing else uses: set http_client to a function that makes one.",
        )
    return unreachable(error, secrets, server) if ours else None


def unreachable(error: Exception, secrets: Secrets, server: str) -> EmbedBridgeError:
    """The connection could not be made, or broke; a certificate that is not trusted stays so."""
    reason = secrets.hide(_reason(error))
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        return ConfigurationError(
            f"The certificate of {server} is not trusted: {shortened(reason)}",
            hint="If a company's proxy signs it, set SSL_CERT_FILE to the company's certificates.",
        )
    return ProviderUnavailableError(
        f"The connection to {server} failed: {shortened(reason)}",
        hint="Check the network, the proxy and the address.",
    )


def redirect_error(status: int, location: str, secrets: Secrets | None = None) -> EmbedBridgeError:
    """For a redirect. Only the host of the target is named: its query may hold anything.

    Args:
        status: Of the answer.
        location: Where it points.
        secrets: Hidden in the host: a server may repeat a key there too.
    """
    try:
        target = urlsplit(location)
    except ValueError:  # half of an IPv6 address, or characters that no host has
        target = urlsplit("")
    host = target.netloc.rpartition("@")[2]
    where = (secrets or Secrets()).hide(f"{target.scheme}://{host}") if host else "elsewhere"
    return ConfigurationError(
        f"The server answered {status}: go to {shortened(where, MAX_SHOWN)}.",
        hint="Redirects are not followed, for they would take the key along. Correct base_url.",
    )


def _reason(error: BaseException) -> str:
    """What lies at the bottom: a library on top says no more than "Connection error."."""
    *_, deepest = exception_chain(error)
    return str(deepest) or type(deepest).__name__
