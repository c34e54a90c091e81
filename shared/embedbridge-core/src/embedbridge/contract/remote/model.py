"""The base of models behind HTTP: lazy client, credentials, redaction, and our own errors."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Hashable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Generic, TypeVar
from urllib.parse import urlsplit

from embedbridge.contract.batch import Batch, BatchResult
from embedbridge.contract.errors import (
    AuthenticationError,
    ConfigurationError,
    EmbedBridgeError,
    ProviderUnavailableError,
    UnknownModelError,
)
from embedbridge.contract.model import EmbeddingModel
from embedbridge.contract.options import ModelOptions
from embedbridge.contract.remote.address import Address, checked_url
from embedbridge.contract.remote.client_slot import ClientSlot, ClientT
from embedbridge.contract.remote.credentials import Credential, checked_key, digest, fetched
from embedbridge.contract.remote.environment import url_variable, variable
from embedbridge.contract.remote.failures import network_error
from embedbridge.contract.remote.options import RemoteOptions
from embedbridge.contract.remote.redaction import Secrets
from embedbridge.contract.remote.sending import NOTHING_SENT
from embedbridge.contract.remote.status import shortened
from embedbridge.contract.remote.vendor import Vendor

PARSED_IN_PLACE = 4 << 20
"""Bytes of an answer that the event loop parses itself; more would hold up other requests."""

T = TypeVar("T")


class RemoteModel(EmbeddingModel, Generic[ClientT]):
    """A model behind HTTP: what providers of such models have in common.

    A provider whose API takes one JSON `POST` subclasses `HttpModel`. This class is for those that
    bring a client of their own: they say how it is opened (`_open`) and how one batch is sent
    (`_send`). The server is called once per batch: the engine retries.

    Args:
        name: The model's name.
        options: Fields of the class's `Options`.
    """

    Options: ClassVar[type[ModelOptions]] = RemoteOptions
    options: RemoteOptions
    vendor: ClassVar[Vendor]
    """Address, environment variables and key."""
    library: ClassVar[str]
    """What the client is made with, imported when it is first needed."""

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, **options)
        self._slot: ClientSlot[ClientT] = ClientSlot(self._opened, self.library)
        self._endpoint: Hashable = None
        self._server: tuple[str | None] | None = None

    @property
    def endpoint(self) -> Hashable:
        """The server and a digest of who asks: what shares limits and requests in flight."""
        if self._endpoint is None:
            options = self.options
            account = digest(*self.account, options.default_headers, options.http_client)
            self._endpoint = (self.address.host_and_path, account)
        return self._endpoint

    @property
    def account(self) -> Sequence[object]:
        """Everything that says who asks, the credential among it; only a digest of it is kept."""
        return (self._key,)

    @property
    def address(self) -> Address:
        """The option `base_url`, else the vendor's variable, else `own_url`.

        The environment is read each time and never kept. An open client stays at the server that it
        was opened for, see `ClientHandle.url`.

        Raises:
            ConfigurationError: No address is known.
        """
        vendor = self.vendor
        variable_name = vendor.url_variable
        named = url_variable(variable_name, vendor.complete) if variable_name else None
        url = getattr(self.options, "base_url", None) or named or self._checked(self.own_url)
        if url is None:
            where = f"Set {vendor.url_variable}, or pass base_url." if vendor.url_variable else None
            raise ConfigurationError(
                f"The address of {vendor.name} is not known.", hint=where or "Pass base_url."
            )
        url = url.rstrip("/")
        for ending in vendor.endings:
            url = url.removesuffix(ending).rstrip("/")
        address = Address(url)
        if urlsplit(url).path or not address.is_of(*vendor.own_hosts):
            return address
        # An own host alone, without the path of the API: a path is of its host, not of another one.
        own, usual = urlsplit(self.own_url or ""), urlsplit(vendor.url or "")
        if address.is_of(usual.hostname or "") and not address.is_of(own.hostname or ""):
            own = usual
        return Address(f"{url}{own.path.rstrip('/')}")

    def _checked(self, url: str | None) -> str | None:
        """An address that a provider made, perhaps of what the environment says."""
        if url is None or url == self.vendor.url:
            return url
        try:
            return checked_url(url)
        except ValueError as error:
            problem = str(error)
        raise ConfigurationError(f"The address of {self.vendor.name}: {problem}.")

    @property
    def own_url(self) -> str | None:
        """The vendor's own server. Override it where it depends on the key or on a region."""
        return self.vendor.url

    @property
    def at_home(self) -> bool:
        """Whether the server is the vendor's own."""
        return self.address.is_of(*self.vendor.own_hosts)

    @property
    def key_hint(self) -> str:
        """What to do about a key that is missing or wrong."""
        return self.vendor.key_hint

    @property
    def _key(self) -> object:
        """The key or what fetches it, from the options, else from the vendor's variables."""
        if self.options.api_key is not None:
            return self.options.api_key
        return next(filter(None, map(variable, self.vendor.keys)), None)

    @abstractmethod
    def _open(self) -> ClientT:
        """Make a client."""

    def _opened(self) -> ClientT:
        """A client for the server of the identity.

        The identity is part of fingerprints and cache keys, so vectors of another server must not
        come under it: that needs a model of its own, also after `aclose`.
        """
        if self._server not in (None, (self._other_server,)):
            raise ConfigurationError(
                f"The environment names another server of {self.vendor.name} than before.",
                hint="Load the model again: its vectors may be other ones there.",
            )
        return self._open()

    @property
    def _other_server(self) -> str | None:
        """The server if it is not the vendor's, in the form of an identity."""
        return None if self.at_home else self.address.host_and_path

    @abstractmethod
    async def _send(self, client: ClientT, batch: Batch) -> BatchResult:
        """Send one batch. It may raise what its HTTP library raises."""

    def _translated(self, error: Exception, client: ClientT) -> EmbedBridgeError | None:
        """Our error for one of the library's; `None` for what is a fault of somebody's code."""
        ours = network_error(error, client.secrets, Address(client.url).host_and_path)
        return None if ours is None else self._unreached(ours)

    def _unreached(self, error: EmbedBridgeError) -> EmbedBridgeError:
        """The error where no connection was made, with how the user starts that server."""
        if isinstance(error, ProviderUnavailableError):
            error.hint = self.vendor.start_hint or error.hint
        return error

    async def embed_batch(self, batch: Batch) -> BatchResult:
        """Embed one batch.

        Raises:
            EmbedBridgeError: The request failed, or the answer is not what was asked for. It is
                chained to nothing, because a library's errors hold the request and its key.
        """
        async with self._using() as client:
            return await self._embedded(client, batch)

    async def _embedded(self, client: ClientT, batch: Batch) -> BatchResult:
        try:
            async with asyncio.timeout(self.options.timeout):
                return await self._send(client, batch)
        except EmbedBridgeError as error:
            failure = error
        except Exception as error:
            ours = self._translated(error, client)
            if ours is None:
                raise  # a fault of a user's function or of our own: the engine says so
            failure = ours
        try:
            raise self._advised(failure, client.secrets)
        finally:
            del failure  # it knows this frame, which would keep the inputs alive

    def identity(self) -> Mapping[str, object]:
        """The options that change a vector, and the server if it is not the vendor's; no key, no header."""
        other = self._other_server
        self._server = self._server or (other,)
        return {**self.options.identity(), **({} if other is None else {"server": other})}

    async def aopen(self) -> None:
        """Import the vendor's library and make the client, if that is not done yet."""
        await self._client()

    async def aclose(self) -> None:
        """Close the connections; the next request opens new ones, with the environment of then.

        Requests that are on their way keep theirs, and the last of them closes those.
        """
        self._endpoint = None
        await self._slot.close()

    # For providers.

    async def _client(self) -> ClientT:
        """The client, opened if need be; `_using` asks here.

        Override it where `_open` needs what must be waited for, such as credentials. Wait for it
        before the call of `super`: after it, `aclose` may close the client that was found.
        """
        return await self._slot.get()

    @asynccontextmanager
    async def _using(self) -> AsyncIterator[ClientT]:
        """The client; everything that sends does so inside. Until its end `aclose` closes nothing."""
        with NOTHING_SENT:
            client = await self._client()
        async with self._slot.holding(client):
            yield client

    def _own_credential(self, secrets: Secrets) -> Credential | None:
        """The key; `None` where a header of the user's stands for it, or none is needed."""
        key, vendor = self._key, self.vendor
        needs_key = vendor.needs_key and (self.at_home or not vendor.self_hosted)
        if key is None and (self.options.sets(vendor.header) or not needs_key):
            return None
        # Where no key is needed, it is one of the user's own server, and may look like anything.
        its_own = self.at_home and vendor.needs_key
        return self._credential(key, secrets, vendor=vendor if its_own else None)

    async def _parsed(self, client: ClientT, body: bytes | bytearray, read: Callable[[], T]) -> T:
        """What `read` makes of a body; a large one is parsed beside the event loop."""
        if len(body) <= PARSED_IN_PLACE:
            return read()
        async with client.parsing:
            return await asyncio.to_thread(read)

    def _credential(
        self, source: object, secrets: Secrets, *, vendor: Vendor | None = None
    ) -> Credential:
        """A key or token, or a function that fetches one; checked as soon as it is there.

        Args:
            source: What the user or the environment says.
            secrets: Gets to know it.
            vendor: The vendor, if the key goes to its own server.
        """

        def check(key: object) -> str:
            checked = checked_key(key, hint=self.key_hint, vendor=vendor)
            secrets.add(checked)
            return checked

        if callable(source):
            return fetched(source, check)
        return check(source)

    def _advised(self, error: EmbedBridgeError, secrets: Secrets) -> EmbedBridgeError:
        """The error without secrets, and with what to do."""
        error.message = secrets.hide(error.message)
        error.args = (error.message,)
        error.hint = error.hint and shortened(secrets.hide(error.hint))
        if isinstance(error, AuthenticationError):
            error.hint = error.hint or self.key_hint
        if isinstance(error, UnknownModelError):
            error.hint = error.hint or self._name_hint()
        return error

    def _name_hint(self) -> str:
        """What to do about a model that is not there."""
        card = self.card
        if card.retired:
            return f"It was retired on {card.retired}; use {card.successor!r}."
        return "Check the model's name, base_url, and whether this key may use it."
