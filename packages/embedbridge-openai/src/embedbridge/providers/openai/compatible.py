"""Models of other servers that speak OpenAI's API."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from embedbridge.contract.card import ModelCard
from embedbridge.contract.options import ModelOptions
from embedbridge.contract.remote import Credential, Secrets, Vendor
from embedbridge.providers.openai._client import UNUSED, SdkHandle, open_client
from embedbridge.providers.openai._optional import OptionalFields
from embedbridge.providers.openai._shared import SharedModel
from embedbridge.providers.openai.catalog import COMPATIBLE, compatible_card
from embedbridge.providers.openai.options import OpenAICompatibleOptions, VendorOptions


class OpenAICompatibleModel(SharedModel):
    """A model of vLLM, TEI, LM Studio, llama.cpp, Ollama, OpenRouter and the like.

    Its vectors may be compared with those of the same model at the same address, unless `space`
    says more.

    Example:
        model = OpenAICompatibleModel("BAAI/bge-m3", base_url="http://localhost:8000/v1")
        with Embedder(model) as embedder:
            query = embedder.embed_query("Where do penguins live?")

    Args:
        name: The model's name, as the server spells it.
        options: See `OpenAICompatibleOptions`.
    """

    provider: ClassVar[str] = "openai-compatible"
    Options: ClassVar[type[ModelOptions]] = OpenAICompatibleOptions
    options: VendorOptions
    vendor: ClassVar[Vendor] = COMPATIBLE

    @property
    def card(self) -> ModelCard:
        """Conservative limits; what the server really takes is found out by asking."""
        card = compatible_card(self.name, max_items=self.options.max_items)
        return replace(card, space=f"{self.name}@{self.address.host_and_path}")

    @property
    def _keeper(self) -> Vendor | None:
        """Who must have made the key; `None` where anybody may have."""
        return None

    def _optional(self) -> OptionalFields:
        """What is known of the server's optional fields; the rest is found out by asking."""
        return OptionalFields()

    def _open(self) -> SdkHandle:
        import openai

        secrets, key = Secrets(), self._key
        credential: Credential = UNUSED
        unwanted: dict[str, Any] = {}
        if key is not None or (self.vendor.needs_key and not self.options.sets("Authorization")):
            credential = self._credential(key, secrets, vendor=self._keeper)
        elif not self.options.sets("Authorization"):
            unwanted["Authorization"] = openai.omit
        return open_client(
            openai.AsyncOpenAI,
            self.options,
            secrets,
            self.address.url,
            extra_headers=unwanted,
            optional=self._optional(),
            api_key=credential,
            base_url=self.address.url,
        )
