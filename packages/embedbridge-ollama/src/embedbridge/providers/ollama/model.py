"""Models of an Ollama server: one request, and one answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar
from urllib.parse import urlsplit

from embedbridge.contract.batch import Batch, BatchResult
from embedbridge.contract.card import ModelCard
from embedbridge.contract.errors import ConfigurationError
from embedbridge.contract.options import ModelOptions
from embedbridge.contract.remote import (
    HttpModel,
    Refusals,
    Vendor,
    counted,
    matrix,
    rows_at,
    usage_at,
)
from embedbridge.providers.ollama.catalog import (
    CARDS,
    UNKNOWN,
    VENDOR,
    converted_prompts,
    library_card,
    plain_name,
)
from embedbridge.providers.ollama.options import OllamaOptions

OLD = "Check base_url; /api/embed came with Ollama 0.3.0."
NO_EMBEDDINGS = "Pull a model that does, see https://ollama.com/search?c=embedding."

REFUSALS = Refusals(
    sentences=((r"page not found", partial(ConfigurationError, hint=OLD)),),
    # "this model does not support embeddings"
    statuses={501: partial(ConfigurationError, hint=NO_EMBEDDINGS)},
    # "you have reached your monthly usage limit", of an account in the cloud
    exhausted=r"usage limit",
)
"""Source: `EmbedHandler` and `handleScheduleError` in server/routes.go. The rest are words of sizes
that the kit knows ("the input length exceeds the context length"), and statuses."""

ON_DEVICE = frozenset(
    {"low_vram", "main_gpu", "num_batch", "num_gpu", "num_thread", "numa", "use_mlock", "use_mmap"}
)
"""Ollama's options that say where and how fast a vector is computed, not which it is."""


class OllamaModel(HttpModel):
    """A model of an Ollama server, on this machine unless OLLAMA_HOST or `base_url` says otherwise.

    Example:
        with load_embedder("ollama:nomic-embed-text") as embedder:
            query = embedder.embed_query("a sleeping cat")  # sent as "search_query: a sleeping cat"

    Args:
        name: As `ollama list` shows it, with or without a tag: `"qwen3-embedding:0.6b"`.
        options: See `OllamaOptions`.
    """

    provider: ClassVar[str] = "ollama"
    vendor: ClassVar[Vendor] = VENDOR
    cards: ClassVar[Sequence[ModelCard]] = CARDS
    refusals: ClassVar[Refusals] = REFUSALS
    Options: ClassVar[type[ModelOptions]] = OllamaOptions
    options: OllamaOptions

    @property
    def known_card(self) -> ModelCard | None:
        """The card of a model of the library, with any tag."""
        return library_card(self.name)

    @property
    def unknown(self) -> ModelCard:  # type: ignore[override]  # it depends on the name
        """A model that somebody converted keeps the prompts of the original."""
        prompts = converted_prompts(self.name)
        return replace(UNKNOWN, prompts=prompts, roles="prefix") if prompts else UNKNOWN

    @property
    def at_home(self) -> bool:
        """Whether it is Ollama on this machine, so that a name means one model.

        Behind another port a model of the library is the same, and one that a user has made need
        not be.
        """
        usual = urlsplit(VENDOR.url or "").port
        known = self.known_card is not None or urlsplit(self.address.url).port == usual
        return super().at_home and known

    @property
    def card(self) -> ModelCard:
        """What the model can do, with these options and on this server."""
        card, name = super().card, plain_name(self.name)
        space = f"ollama:{name}" if self.at_home else f"{name}@{self.address.host_and_path}"
        return replace(card, space=space, limits=card.limits.reading(self.options.num_ctx))

    def identity(self) -> Mapping[str, object]:
        """The options that change a vector; `:latest` is what a name without a tag means."""
        options = self.options.options or {}
        changing = {name: value for name, value in options.items() if name not in ON_DEVICE}
        own = {"options": changing} if changing else {}
        return {**super().identity(), "model": plain_name(self.name), **own}

    def request(self, batch: Batch) -> tuple[str, Mapping[str, object]]:
        """A text that is too long is to be refused, so that it is cut and reported by the engine."""
        return "/api/embed", {
            "model": self.name,
            "input": batch.texts,
            "truncate": False,
            "dimensions": batch.dimensions,
            "keep_alive": self.options.keep_alive,
            "options": self.options.options,
        }

    def read(self, answer: dict[str, Any], batch: Batch) -> BatchResult:
        """Ollama numbers nothing: a vector belongs to the input at the same place."""
        vectors = matrix(counted(rows_at(answer, "embeddings"), len(batch)))
        return BatchResult(vectors=vectors, usage=usage_at(answer, "prompt_eval_count"))

    def _name_hint(self) -> str:
        return f"Pull it with `ollama pull {self.name}`; `ollama list` shows what is there."
