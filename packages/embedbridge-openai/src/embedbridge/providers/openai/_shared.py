"""What the models of this package have in common: `POST /embeddings` through the official SDK."""

from __future__ import annotations

from typing import ClassVar, Literal

from embedbridge.contract.batch import Batch, BatchResult
from embedbridge.contract.errors import EmbedBridgeError
from embedbridge.contract.options import ModelOptions
from embedbridge.contract.remote import (
    Credential,
    RemoteModel,
    Secrets,
    check_content_type,
    limit_for,
    read_body,
)
from embedbridge.providers.openai._answer import read_answer
from embedbridge.providers.openai._client import OpenedSDK
from embedbridge.providers.openai.options import SharedOptions

UNUSED = "unused"
"""The SDK wants a key also where a header of the user's replaces it, or where none is sent."""


class SharedModel(RemoteModel[OpenedSDK]):
    """A model behind `POST /embeddings`, called through the official SDK.

    Args:
        name: The model's name.
        options: Fields of the class's `Options`.
    """

    Options: ClassVar[type[ModelOptions]] = SharedOptions
    options: SharedOptions
    library: ClassVar[str] = "openai"
    home: ClassVar[tuple[str, ...]] = ("api.openai.com",)

    @property
    def sent_name(self) -> str:
        """What stands in the request as the model."""
        return self.name

    async def _ask(self, opened: OpenedSDK, batch: Batch) -> BatchResult:
        """Ask for base64, which is smaller and faster; again for floats if a server refuses it."""
        import openai

        from embedbridge.providers.openai._errors import refuses_base64

        if opened.takes_base64:
            try:
                result, has_base64 = await self._exchange(opened, batch, "base64")
            except openai.APIStatusError as error:
                if not refuses_base64(error):
                    raise
            else:
                opened.takes_base64 = has_base64
                return result
        result, _ = await self._exchange(opened, batch, "float")
        opened.takes_base64 = False
        return result

    def _translated(self, error: Exception, opened: OpenedSDK) -> EmbedBridgeError | None:
        from embedbridge.providers.openai._errors import translated  # it imports the SDK

        return translated(error, opened.secrets, self.address.place)

    async def _exchange(
        self, opened: OpenedSDK, batch: Batch, encoding: Literal["base64", "float"]
    ) -> tuple[BatchResult, bool]:
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
        return await self._parsed(opened, body, lambda: read_answer(body, count))

    def _credential(
        self, source: object, secrets: Secrets, *, vendor: str | None = None
    ) -> Credential:
        """A key or token as the SDK takes it."""
        if source is None and self.options.sets_authorization:
            return UNUSED
        return super()._credential(source, secrets, vendor=vendor)
