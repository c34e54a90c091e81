"""OAuth access tokens from google-auth: application-default credentials, refreshed off the event loop.

google-auth finds the credentials (https://google.aip.dev/auth/4110): a file that
GOOGLE_APPLICATION_CREDENTIALS names, gcloud's own file, or the metadata server. It is imported with
the first request. Requests that need a new token at the same time wait for one refresh
(single-flight).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from embedbridge.contract.errors import (
    AuthenticationError,
    EmbedBridgeError,
    InvalidKeyError,
    InvalidOptionError,
    MissingDependencyError,
    ProviderUnavailableError,
    RequestTimeoutError,
    short_path,
)
from embedbridge.contract.remote import Secrets, shortened, variable

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
SECONDS = 30.0
"""For credentials or a token, google-auth's own retries included."""
VARIABLE = "GOOGLE_APPLICATION_CREDENTIALS"
SECRET_FIELDS = ("token", "refresh_token", "client_secret")
"""Of google-auth's credentials; the error of a token server may repeat them."""

METADATA = "metadata server"
"""How google-auth names it."""
LOGIN = "Run `gcloud auth application-default login`."
REMEDIES = (
    (r"google\.oauth2\.credentials|authorized_user", LOGIN),
    (
        r"service_account",
        "Check that the service account and its key still exist, and this machine's clock.",
    ),
    (r"compute_engine", "Check that this machine has a service account (`default`)."),
    (
        r"external_account|identity_pool|aws|pluggable",
        "Check the file that names the workload identity pool, and where its own token comes from.",
    ),
)
"""What to do, by the module of the credentials."""

T = TypeVar("T")


class AccessTokens:
    """The access tokens of one client; called for the one to send now.

    Args:
        secrets: Gets to know every token.
        given: Credentials of google-auth, if the user has any.
    """

    def __init__(self, secrets: Secrets, given: Any = None) -> None:
        self._secrets = secrets
        self._given = given
        self._loaded: tuple[Any, str | None] | None = None
        self._lock = asyncio.Lock()

    async def __call__(self) -> str:
        """A token that is valid now.

        Raises:
            AuthenticationError: There are no credentials, or none that work.
            ProviderUnavailableError: The token server does not answer.
        """
        credentials, _ = await self._credentials()
        if not credentials.valid:
            async with self._lock:
                if not credentials.valid:
                    await self._refresh(credentials)
        return str(credentials.token)

    async def project(self) -> str | None:
        """The project that the credentials belong to, if that is known."""
        credentials, project = await self._credentials()
        ask = getattr(credentials, "get_project_id", None)
        if project is None and ask is not None:  # of a workload identity pool: a request
            project = await self._beside_the_loop(lambda: _with_transport(ask), credentials)
            self._loaded = credentials, project
        return project

    def headers(self, token: str) -> Mapping[str, str]:
        """The token, and the project that pays where the credentials name one."""
        payer = getattr(self._loaded and self._loaded[0], "quota_project_id", None)
        also = {"x-goog-user-project": payer} if payer else {}
        return {"Authorization": f"Bearer {token}", **also}

    async def renew(self, sent: Mapping[str, str]) -> bool:
        """Fetch another token in place of one that was refused; the expiry may be wrong."""
        credentials, _ = await self._credentials()
        async with self._lock:
            if sent.get("Authorization") == f"Bearer {credentials.token}":
                await self._refresh(credentials)
        return True

    async def _credentials(self) -> tuple[Any, str | None]:
        if self._loaded is None:
            async with self._lock:
                if self._loaded is None:
                    self._loaded = await self._beside_the_loop(self._load, self._given)
        return self._loaded

    async def _refresh(self, credentials: Any) -> None:
        await self._beside_the_loop(lambda: _with_transport(credentials.refresh), credentials)
        self._learn(credentials)

    def _load(self) -> tuple[Any, str | None]:
        import google.auth
        from google.auth.credentials import Credentials, with_scopes_if_required

        found, project = self._given, None
        if found is None:
            # Without scopes, because with them it asks a server for the project of a pool.
            found, project = _with_transport(lambda request: google.auth.default(request=request))
        if not isinstance(found, Credentials):
            raise InvalidOptionError(
                f"Option 'credentials' is {type(found).__name__}, "
                "not google.auth.credentials.Credentials."
            )
        scoped = with_scopes_if_required(found, SCOPES)  # type: ignore[no-untyped-call]
        self._learn(scoped)
        return scoped, project

    def _learn(self, credentials: Any) -> None:
        for name in SECRET_FIELDS:
            if isinstance(secret := getattr(credentials, name, None), str):
                self._secrets.add(secret)

    async def _beside_the_loop(self, work: Callable[[], T], credentials: Any) -> T:
        """What google-auth returns; its errors hold tokens and keys, so ours are chained to nothing."""
        failure: EmbedBridgeError
        try:
            async with asyncio.timeout(SECONDS):
                return await asyncio.to_thread(work)
        except EmbedBridgeError:
            raise
        except TimeoutError:
            failure = RequestTimeoutError(f"No access token in time {self._source(credentials)}.")
        except ImportError:
            failure = MissingDependencyError(
                "Vertex AI's credentials take google-auth and requests, which are not installed.",
                hint='pip install "embedbridge-google[vertex]"',
            )
        except Exception as error:
            ours = self._translated(error, credentials)
            if ours is None:
                raise
            failure = ours
        raise failure

    def _translated(self, error: Exception, credentials: Any) -> EmbedBridgeError | None:
        from google.auth.exceptions import GoogleAuthError, TransportError

        if not isinstance(error, GoogleAuthError | OSError | ValueError):
            return None
        said = shortened(self._secrets.hide(str(error.args[0] if error.args else error)))
        source = self._source(credentials)
        if any(isinstance(each, TransportError) for each in (error, *error.args)):
            return ProviderUnavailableError(
                f"No access token {source}: {said}",
                hint=f"Check the network and the proxy. {_remedy(credentials)}",
            )
        if credentials is None:
            return InvalidKeyError(f"There are no credentials {source}: {said}", hint=_remedy(None))
        kind = (
            ProviderUnavailableError if getattr(error, "retryable", False) else AuthenticationError
        )
        return kind(f"No access token {source}: {said}", hint=_remedy(credentials))

    def _source(self, credentials: Any) -> str:
        """Where the credentials come from, as the end of a sentence."""
        if self._given is not None:
            return "from the option 'credentials'"
        if (named := variable(VARIABLE)) is not None:
            return f"from {VARIABLE}={short_path(named)}"
        if credentials is None:
            return "in this environment"
        told: Mapping[str, str] | None = getattr(credentials, "get_cred_info", dict)()
        place = (told or {}).get("credential_source", type(credentials).__qualname__)
        return f"from {short_path(place)}" if place != METADATA else f"from the {METADATA}"


def _with_transport(use: Callable[[Any], T]) -> T:
    """Call google-auth with its own transport, which also speaks mTLS to the metadata server."""
    import requests

    from google.auth.transport.requests import Request

    with requests.Session() as session:
        # `requests` reads proxies and its own variables, but not this one.
        session.verify = variable("SSL_CERT_FILE") or True
        return use(Request(session))


def _remedy(credentials: Any) -> str:
    if credentials is None:
        return f"{LOGIN[:-1]}, or set {VARIABLE} to the file of a service account."
    module = type(credentials).__module__
    return next((told for pattern, told in REMEDIES if re.search(pattern, module)), LOGIN)
