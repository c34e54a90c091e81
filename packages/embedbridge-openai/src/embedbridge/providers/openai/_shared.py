"""What the models of this package have in common: one request, one answer, our own errors."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from typing import ClassVar, Literal

from embedbridge.contract.batch import Batch, BatchResult
from embedbridge.contract.errors import AuthenticationError, EmbedBridgeError, UnknownModelError
from embedbridge.contract.model import EmbeddingModel
from embedbridge.contract.options import ModelOptions
from embedbridge.providers.openai._address import Address
from embedbridge.providers.openai._answer import Answer, check_content_type, read_answer
from embedbridge.providers.openai._body import limit_for, read_body
from embedbridge.providers.openai._client import ClientSlot, Opened
from embedbridge.providers.openai._credentials import (
    Credential,
    checked_key,
    digest,
    fetched,
)
from embedbridge.providers.openai._secrets import Secrets
from embedbridge.providers.openai.options import SharedOptions

PARSED_IN_PLACE = 1 << 20
"""Bytes of an answer that the event loop parses itself; more would hold up other requests."""
UNUSED = "unused"
"""The SDK wants a key also where a header of the user's replaces it, or where none is sent."""


class SharedModel(EmbeddingModel):
    """A model behind `POST /embeddings`, called through the official SDK.

    Args:
        name: The model's name.
        options: Fields of the class's `Options`.
    """

    Options: ClassVar[type[ModelOptions]] = SharedOptions
    options: SharedOptions
    key_hint: ClassVar[str]
    """What to do about a key that is missing or wrong."""

    def __init__(self, name: str, **options: object) -> None:
        super().__init__(name, **options)
        self._client = ClientSlot(self._open)
        self._endpoint: Hashable = None

    @property
    def endpoint(self) -> Hashable:
        """The server and a digest of who asks: what shares limits and requests in flight."""
        if self._endpoint is None:
            options = self.options
            account = digest(*self.account, options.default_headers, options.http_client)
            self._endpoint = (self.address.place, account)
        return self._endpoint

    @property
    @abstractmethod
    def account(self) -> Sequence[object]:
        """Everything that says who asks, the credential among it; only a digest of it is kept."""

    @property
    @abstractmethod
    def address(self) -> Address:
        """Whose server answers; the environment is read each time and never kept."""

    @property
    def sent_name(self) -> str:
        """What stands in the request as the model."""
        return self.name

    @abstractmethod
    def _open(self) -> Opened:
        """Make a client."""

    async def embed_batch(self, batch: Batch) -> BatchResult:
        """Embed texts in one request (in two, where a server refuses base64 for the first time).

        Raises:
            EmbedBridgeError: The request failed, or the answer is not what was asked for. It is
                chained to nothing, because the SDK's errors hold the request and its key.
        """
        opened = await self._client.get()
        from embedbridge.providers.openai._errors import translated  # it imports the SDK

        try:
            async with asyncio.timeout(self.options.timeout):
                answer = await self._ask(opened, batch)
            return BatchResult(vectors=answer.vectors, usage=answer.usage)
        except EmbedBridgeError as error:
            failure = error
        except Exception as error:
            ours = translated(error, opened.secrets, self.address.place)
            if ours is None:
                raise  # a fault of a user's function or of our own: the engine says so
            failure = ours
        try:
            raise self._advised(failure, opened.secrets)
        finally:
            del failure  # it knows this frame, which would keep the texts alive

    def identity(self) -> Mapping[str, object]:
        """The options that change a vector, and whose server it is; never a key or a header."""
        address = self.address
        server = {} if address.is_openai else {"server": address.place}
        return {**self.options.identity(), **server}

    async def aclose(self) -> None:
        """Close the connections; the next request opens new ones, with the environment of then."""
        self._endpoint = None
        await self._client.close()

    # One request.

    async def _ask(self, opened: Opened, batch: Batch) -> Answer:
        """Ask for base64, which is four times smaller and faster; for floats where it is not."""
        import openai

        from embedbridge.providers.openai._errors import refuses_base64

        if opened.takes_base64:
            try:
                answer = await self._exchange(opened, batch, "base64")
            except openai.APIStatusError as error:
                if not refuses_base64(error):
                    raise
            else:
                opened.takes_base64 = answer.has_base64
                return answer
        answer = await self._exchange(opened, batch, "float")
        opened.takes_base64 = False
        return answer

    async def _exchange(
        self, opened: Opened, batch: Batch, encoding: Literal["base64", "float"]
    ) -> Answer:
        import openai

        options, count = self.options, len(batch)
        async with opened.client.embeddings.with_streaming_response.create(
            input="",
            model=self.sent_name,
            encoding_format=encoding,
            dimensions=batch.dimensions or openai.omit,
            user=options.user or openai.omit,
            extra_headers=opened.extra_headers,
            # Here and not above, where the SDK would look at each text for 15 µs.
            extra_body={**options.extra_body, "input": batch.texts},
        ) as reply:
            check_content_type(reply.headers.get("content-type"))
            limit = limit_for(count, batch.dimensions or self.card.dimensions)
            body = await read_body(reply.iter_bytes(), limit)
        if len(body) <= PARSED_IN_PLACE:
            return read_answer(body, count)
        async with opened.parsing:
            return await asyncio.to_thread(read_answer, body, count)

    # Keys and errors.

    def _credential(self, source: object, secrets: Secrets, *, for_openai: bool) -> Credential:
        """A key or token as the SDK takes it, checked as soon as it is there."""
        if source is None and sets_authorization(self.options):
            return UNUSED

        def check(key: object) -> str:
            checked = checked_key(key, hint=self.key_hint, for_openai=for_openai)
            secrets.add(checked)
            return checked

        if callable(source):
            return fetched(source, check)
        return check(source)

    def _advised(self, error: EmbedBridgeError, secrets: Secrets) -> EmbedBridgeError:
        """The error without secrets, and with what to do."""
        error.message = secrets.hide(error.message)
        error.args = (error.message,)
        if isinstance(error, AuthenticationError):
            error.hint = error.hint or self.key_hint
        if isinstance(error, UnknownModelError):
            error.hint = error.hint or self._name_hint()
        return error

    def _name_hint(self) -> str:
        """What to do about a model that is not there."""
        return "Check the model's name, base_url, and whether this key may use it."


def sets_authorization(options: SharedOptions) -> bool:
    """Whether the user's own headers say who asks, so that no key is needed."""
    return any(name.lower() == "authorization" for name in options.default_headers or {})
