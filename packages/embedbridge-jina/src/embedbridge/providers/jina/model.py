"""Jina's models: one request and one answer."""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from embedbridge.contract.batch import Batch, BatchResult
from embedbridge.contract.card import ModelCard
from embedbridge.contract.errors import (
    InputTooLongError,
    InvalidImageError,
    InvalidOptionError,
    QuotaExhaustedError,
    UnknownModelError,
    convert_each,
)
from embedbridge.contract.loaded import Loaded, LoadedMixed
from embedbridge.contract.options import ModelOptions
from embedbridge.contract.remote import (
    HttpModel,
    Refusals,
    Vendor,
    in_order,
    rows_at,
    too_many_items,
    usage_at,
)
from embedbridge.contract.vocabulary import Role
from embedbridge.providers.jina.catalog import CARDS, UNKNOWN, VENDOR, family_of
from embedbridge.providers.jina.options import JinaOptions

MEDIA_TYPES = frozenset({"image/gif", "image/jpeg", "image/png", "image/webp"})
"""What is sent as it is; all else travels as PNG, or as JPEG where that is too large.
Source: `media.py` of jina-on-prem."""
TASKS = {
    "similarity": ("text-matching",),
    "classification": ("classification",),
    "clustering": ("clustering", "separation"),
    "code": ("code.{side}", "nl2code.{side}"),
    "qa": ("qa.{side}",),
}
"""By our task: Jina's, the first that the model has."""
SIDES = ("query", "passage")
"""Of a task that has two, by role."""
USUAL = ("retrieval.{side}", "nl2code.{side}")
"""Where no task is given, or the model does not have it."""

REFUSALS = Refusals(
    codes={
        "INPUT_TOKEN_LIMIT_EXCEEDED": InputTooLongError,
        "INPUT_MODEL_NOT_FOUND": UnknownModelError,
        "AUTHZ_INSUFFICIENT_BALANCE": QuotaExhaustedError,
        "AUTHZ_RESOURCE_LIMIT_EXCEEDED": QuotaExhaustedError,
    },
    sentences=(
        # Jina says "Each input list can contain at most 512 items.", and for older models that the
        # length of "input", 2049, "is larger than the largest allowed size 2048"
        (r"can contain at most \d+ items|larger than the largest allowed size", too_many_items),
        # Its server says "Cannot decode image", "Invalid base64 encoding", "Media too large"
        (r"\bimage|base64 encoding|media too large", InvalidImageError),
    ),
    options={"embedding_type": "output_type"},
)
"""Sources: codes from https://api.jina.ai/openapi.json; sentences from langgenius/dify-official-plugins#1997,
refly-ai/refly#831, and `media.py` of jina-on-prem."""


class JinaModel(HttpModel):
    """A model of Jina's, for texts, images and both together.

    Example:
        model = JinaModel("jina-embeddings-v5-omni-small", dimensions=512)
        with Embedder(model) as embedder:  # the key is in JINA_API_KEY
            pictures = embedder.embed_images([Image.from_path("cat.jpg")])
            query = embedder.embed_query("a sleeping cat")

    Args:
        name: For example `"jina-embeddings-v3"`; a name that we do not know is tried.
        options: See `JinaOptions`.
    """

    provider: ClassVar[str] = "jina"
    vendor: ClassVar[Vendor] = VENDOR
    cards: ClassVar[Sequence[ModelCard]] = CARDS
    unknown: ClassVar[ModelCard] = UNKNOWN
    refusals: ClassVar[Refusals] = REFUSALS
    Options: ClassVar[type[ModelOptions]] = JinaOptions
    options: JinaOptions

    @property
    def card(self) -> ModelCard:
        """What the model can do, with these options and at this address."""
        card, task = super().card, self.options.task
        space = card.space
        if task is not None and not self._is_usual(task):
            space = f"{space or f'jina:{self.name}'}:{task}"
        return replace(card, truncates=self.options.truncate, space=space)

    def request(self, batch: Batch) -> tuple[str, Mapping[str, object]]:
        """One batch, of one kind of input."""
        bare = self.listed_card.modalities == ("text",)
        return "/v1/embeddings", {
            "model": self.name,
            "task": self._task(batch),
            "dimensions": self.output_type.asked(batch.dimensions),
            "embedding_type": self.options.output_type,
            # By default true in the OpenAPI document, false in Jina's older guide: said in any case.
            "normalized": True if family_of(self.name).takes_normalized else None,
            "truncate": self.options.truncate,
            "input": batch.texts if bare else self._inputs(batch),
        }

    def read(self, answer: dict[str, Any], batch: Batch) -> BatchResult:
        """The rows by Jina's own numbers, and the tokens that it counted."""
        vectors = self.output_type.matrix(in_order(rows_at(answer, "data"), len(batch)))
        return BatchResult(vectors=vectors, usage=usage_at(answer, "usage.total_tokens"))

    def _inputs(self, batch: Batch) -> list[dict[str, object]]:
        most = self.listed_card.limits.max_bytes_per_image
        return convert_each(batch.inputs, lambda content: _spelled(content, most))

    def _task(self, batch: Batch) -> str | None:
        """Jina's word for role and task, or the user's own."""
        known, own = family_of(self.name).tasks, self.options.task
        if batch.modality == "image" and len(known) == 1:
            return None  # clip: its only task is a prompt, and an image has none
        side = _side(batch.role)
        if own is None:
            return _first_known((*TASKS.get(batch.task or "", ()), *USUAL), known, side)
        task = _of_ones_own(own, known, side)
        if task is None:
            raise InvalidOptionError(
                f"{self.name} has no task {own!r}.", hint=f"It has: {', '.join(known) or 'none'}."
            )
        return task

    def _is_usual(self, own: str) -> bool:
        """Whether a task of Jina's own is what both roles send without it, and so makes no other space."""
        known = family_of(self.name).tasks
        return all(
            _of_ones_own(own, known, side) == _first_known(USUAL, known, side) for side in SIDES
        )


def _side(role: Role) -> str:
    query, passage = SIDES
    return query if role == "query" else passage


def _first_known(words: Iterable[str], known: Collection[str], side: str) -> str | None:
    """The first of our words for tasks that a model has."""
    spelled = (word.format(side=side) for word in words)
    return next((word for word in spelled if word in known), None)


def _of_ones_own(own: str, known: Collection[str], side: str) -> str | None:
    """A task that the user names, with its side if it has one; the user's text is no pattern."""
    return next((word for word in (own, f"{own}.{side}") if word in known), None)


def _spelled(content: Loaded, most: int | None) -> dict[str, object]:
    """An input as an object: a bare string that looks like an image or an address becomes one."""
    if isinstance(content, str):
        return {"text": content}
    if isinstance(content, LoadedMixed):
        return {"content": [_spelled(part, most) for part in content.parts]}
    data, _ = content.encoded(MEDIA_TYPES, max_bytes=most)
    return {"image": base64.b64encode(data).decode()}
