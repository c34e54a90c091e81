"""Cohere's models."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from embedbridge.contract.batch import Batch, BatchResult
from embedbridge.contract.card import ModelCard
from embedbridge.contract.options import ModelOptions
from embedbridge.contract.remote import (
    Address,
    RemoteModel,
    Secrets,
    check_content_type,
    limit_for,
    read_body,
    url_variable,
    variable,
)
from embedbridge.providers.cohere._answer import read_answer
from embedbridge.providers.cohere._client import OpenedHttp, open_client
from embedbridge.providers.cohere._request import request_body
from embedbridge.providers.cohere.catalog import CARDS, cohere_card
from embedbridge.providers.cohere.options import CohereOptions

COHERE_URL = "https://api.cohere.com"
PACKED = 8
"""Dimensions in one value of the binary output types."""


class CohereModel(RemoteModel[OpenedHttp]):
    """A model of Cohere's, for texts, images and both together.

    Example:
        model = CohereModel("embed-v4.0", dimensions=512)
        with Embedder(model) as embedder:  # the key is in CO_API_KEY
            pictures = embedder.embed_images([Image.from_path("cat.jpg")])
            query = embedder.embed_query("a sleeping cat")

    Args:
        name: For example `"embed-v4.0"`; a name that we do not know is tried.
        options: See `CohereOptions`.
    """

    provider: ClassVar[str] = "cohere"
    Options: ClassVar[type[ModelOptions]] = CohereOptions
    cards: ClassVar[Sequence[ModelCard]] = CARDS
    options: CohereOptions
    key_hint: ClassVar[str] = "Set CO_API_KEY in the environment, or pass api_key."
    library: ClassVar[str] = "httpx2"
    home: ClassVar[tuple[str, ...]] = ("api.cohere.com", "api.cohere.ai")

    @property
    def card(self) -> ModelCard:
        """What the model can do, with these options and at this address."""
        card, options = cohere_card(self.name), self.options
        changes: dict[str, Any] = {"truncates": self._truncate(card) != "NONE"}
        if not self.at_home:
            changes["space"] = f"{self.name}@{self.address.place}"
        if options.max_tokens is not None:
            most = min(options.max_tokens, card.limits.max_tokens_per_input or options.max_tokens)
            changes["limits"] = replace(card.limits, max_tokens_per_input=most)
        if self._kind != "float":
            space = changes.get("space") or card.space or f"cohere:{self.name}"
            changes["space"] = f"{space}:{self._kind}"
        if self._packing > 1:
            widths = card.allowed_dimensions
            changes["dimensions"] = card.dimensions and card.dimensions // self._packing
            changes["allowed_dimensions"] = widths and tuple(w // self._packing for w in widths)
        return replace(card, **changes)

    @property
    def address(self) -> Address:
        """The option `base_url`, else `CO_API_URL`, else Cohere's own."""
        url = (self.options.base_url or url_variable("CO_API_URL") or COHERE_URL).rstrip("/")
        # What other libraries call the base may end in a version; ours is v2.
        return Address(url.removesuffix("/v1").removesuffix("/v2"))

    @property
    def account(self) -> Sequence[object]:
        """The key."""
        return (self._key,)

    def identity(self) -> Mapping[str, object]:
        """The options that change a vector; `base64` changes only how it travels."""
        values = {} if self._kind == "float" else {"output_type": self._kind}
        cut = {"truncate": "START"} if self.options.truncate == "START" else {}
        return {**super().identity(), **values, **cut}

    def _open(self) -> OpenedHttp:
        secrets, key = Secrets(), self._key
        credential = None
        if key is not None or not self.options.sets_authorization:
            vendor = "Cohere" if self.at_home else None
            credential = self._credential(key, secrets, vendor=vendor)
        return open_client(self.options, secrets, f"{self.address.url}/v2/embed", credential)

    async def _ask(self, opened: OpenedHttp, batch: Batch) -> BatchResult:
        """Ask for one batch, which is of one modality."""
        output_type = self.options.output_type
        if batch.modality == "text":
            sent = self._body(batch)
        else:  # images are encoded, which takes a while
            sent = await asyncio.to_thread(self._body, batch)
        async with opened.post(sent) as reply:
            check_content_type(reply.headers.get("content-type"))
            # The answer repeats the texts, and may escape each byte of them.
            limit = limit_for(len(batch), batch.dimensions or self.card.dimensions) + 6 * len(sent)
            body = await read_body(reply.aiter_bytes(), limit)
        return await self._parsed(opened, body, lambda: read_answer(body, batch, output_type))

    def _body(self, batch: Batch) -> bytes:
        options = self.options
        return request_body(
            self.name,
            batch,
            {
                "embedding_types": [options.output_type],
                "output_dimension": batch.dimensions and batch.dimensions * self._packing,
                "truncate": self._truncate(cohere_card(self.name)),
                "max_tokens": options.max_tokens,
                "priority": options.priority,
            },
        )

    @property
    def _key(self) -> object:
        given = self.options.api_key
        return variable("CO_API_KEY") or variable("COHERE_API_KEY") if given is None else given

    @property
    def _kind(self) -> str:
        """What the values of a vector are, however they travel."""
        return "float" if self.options.output_type == "base64" else self.options.output_type

    @property
    def _packing(self) -> int:
        """Dimensions in one value of a vector."""
        return PACKED if self._kind in ("binary", "ubinary") else 1

    def _truncate(self, card: ModelCard) -> str:
        return self.options.truncate or ("END" if card.truncates else "NONE")
