"""OpenAI's own models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from embedbridge.contract.card import ModelCard
from embedbridge.contract.options import ModelOptions
from embedbridge.contract.remote import Secrets, Vendor, variable
from embedbridge.providers.openai import _tokens
from embedbridge.providers.openai._client import SdkHandle, open_client
from embedbridge.providers.openai._shared import SharedModel
from embedbridge.providers.openai.catalog import CARDS, OPENAI, is_current, openai_card
from embedbridge.providers.openai.options import OpenAIOptions


class OpenAIModel(SharedModel):
    """A model of OpenAI's.

    Example:
        model = OpenAIModel("text-embedding-3-small", dimensions=512)
        with Embedder(model) as embedder:  # the key is in OPENAI_API_KEY
            vectors = embedder.embed_documents(["one text", "another"])

    Args:
        name: For example `"text-embedding-3-small"`; a name that we do not know is tried.
        options: See `OpenAIOptions`.
    """

    provider: ClassVar[str] = "openai"
    Options: ClassVar[type[ModelOptions]] = OpenAIOptions
    cards: ClassVar[Sequence[ModelCard]] = CARDS
    options: OpenAIOptions
    vendor: ClassVar[Vendor] = OPENAI

    @property
    def card(self) -> ModelCard:
        """What the model can do; behind another address it need not be OpenAI's of that name."""
        card, address = openai_card(self.name), self.address
        return card if self.at_home else replace(card, space=f"{self.name}@{address.host_and_path}")

    @property
    def account(self) -> Sequence[object]:
        """The key, and who pays for what."""
        return (
            self._key,
            self.options.organization or variable("OPENAI_ORG_ID"),
            self.options.project or variable("OPENAI_PROJECT_ID"),
        )

    def count_tokens(self, texts: Sequence[str]) -> Sequence[int] | None:
        """Exact where tiktoken and its encoding file are on this disk, else `None`."""
        return _tokens.count_tokens(texts) if is_current(self.name) else None

    def _open(self) -> SdkHandle:
        import openai

        secrets, address = Secrets(), self.address
        return open_client(
            openai.AsyncOpenAI,
            self.options,
            secrets,
            address.url,
            ambient=True,
            api_key=self._credential(
                self._key, secrets, vendor=self.vendor if self.at_home else None
            ),
            base_url=address.url,
            organization=self.options.organization,
            project=self.options.project,
        )
