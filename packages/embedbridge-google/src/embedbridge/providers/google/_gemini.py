"""What both of Google's providers share: roles, tasks, contents, and Google's words for refusals."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import quote

import numpy as np

from embedbridge.contract.batch import Batch, BatchResult
from embedbridge.contract.card import ModelCard
from embedbridge.contract.errors import (
    AuthenticationError,
    InputTooLongError,
    InvalidImageError,
    InvalidInputError,
    InvalidOptionError,
    convert_each,
)
from embedbridge.contract.loaded import Loaded, LoadedImage, LoadedMixed
from embedbridge.contract.remote import (
    Address,
    HttpModel,
    Refusals,
    matrix,
    too_many_items,
    too_many_tokens,
)
from embedbridge.contract.usage import Usage
from embedbridge.contract.vectors import normalize
from embedbridge.contract.vocabulary import Role, Task
from embedbridge.providers.google.catalog import FOR_QUERIES, MAX_IMAGES, unknown

MEDIA_TYPES = frozenset({"image/jpeg", "image/png"})
"""Of images that are sent as they are; any other travels as PNG, or as JPEG where that is too large."""
TASK_TYPES = {
    "query": "RETRIEVAL_QUERY",
    "document": "RETRIEVAL_DOCUMENT",
    "classification": "CLASSIFICATION",
    "clustering": "CLUSTERING",
    "similarity": "SEMANTIC_SIMILARITY",
    "code": "CODE_RETRIEVAL_QUERY",
    "qa": "QUESTION_ANSWERING",
    "fact": "FACT_VERIFICATION",
}
"""Google's names for roles and tasks."""

REFUSALS = Refusals(
    sentences=(
        # With status 400: "API key not valid. Please pass a valid API key."
        (r"api key (?:not valid|expired|not found)", AuthenticationError),
        # Vertex AI "250 instance(s) is allowed per prediction. Actual: 294"
        (r"instance\(s\) (?:is|are) allowed per prediction", too_many_items),
        # "the input token count is 109362 but the model supports up to 20000": all texts together
        (r"token count is \d+ but the model supports up to 20,?000\b", too_many_tokens),
        # Of one text: "The input token count (2050) exceeds the maximum number of tokens allowed (2048)."
        (r"token count", InputTooLongError),
        (r"output_?dimensionality", InvalidOptionError),
        (r"\bimages?\b|mime.?type", InvalidImageError),
    ),
    options={"outputDimensionality": "dimensions", "output_dimensionality": "dimensions"},
    # "Quota exceeded for metric: …free_tier_requests, limit: 0": the account has no such quota
    exhausted=r"limit: 0\b|per.?day",
)
"""Sources: public reports of geldata/gel#9032, onyx-dot-app/onyx#3972, langgenius/dify#28720 and
googleapis/python-genai#2050 for the sentences."""


class GeminiModel(HttpModel):
    """A model of Google's, wherever it runs: its roles and tasks, inputs and vectors.

    Args:
        name: For example `"gemini-embedding-2"`; a name that is not known is tried.
        options: Fields of the class's `Options`.
    """

    refusals: ClassVar[Refusals] = REFUSALS
    resource: ClassVar[re.Pattern[str]]
    """What an address may end with that users copy along, and that is no part of the base."""

    @property
    def unknown(self) -> ModelCard:  # type: ignore[override]  # it depends on the name
        """Like the older models where the name says so, else like the newest."""
        return unknown(self.name)

    @property
    def card(self) -> ModelCard:
        """What the model can do; vectors that Google has shortened do not have length 1 by themselves."""
        card, options = super().card, self.options
        as_made = options.dimensions in (None, card.dimensions) or options.normalize is not False
        return replace(card, normalized=card.normalized and as_made)

    @property
    def address(self) -> Address:
        """The base of the API, with or without a version at its end."""
        return Address(self.resource.sub("", super().address.url))

    def prompt(self, role: Role, task: Task | None = None) -> str:
        """The text in front; a task that concerns queries does not change documents."""
        return super().prompt(role, None if role == "document" and task in FOR_QUERIES else task)

    def _path(self, version: str, resource: str) -> str:
        """The path below the base, which may hold a version already."""
        named = re.search(r"/v\d+\w*$", self.address.url)
        return resource if named else f"/{version}{resource}"

    def _result(
        self,
        rows: list[Any],
        batch: Batch,
        usage: Usage | None,
        truncated: Sequence[bool] = (),
    ) -> BatchResult:
        """The vectors; those that Google has shortened get length 1, which they do not have."""
        vectors = matrix(rows)
        if batch.dimensions is not None and self.options.normalize is not False:
            with np.errstate(all="ignore"):  # what is not finite is refused after this
                vectors = normalize(vectors)
        return BatchResult(vectors=vectors, usage=usage, truncated=truncated)


def task_type(card: ModelCard, batch: Batch) -> str | None:
    """Google's name for role and task; `None` for a model that reads them in the text."""
    if card.roles != "field":
        return None
    concerns = batch.task if batch.role == "query" or batch.task not in FOR_QUERIES else None
    return TASK_TYPES[concerns or batch.role]


def contents(batch: Batch, most: int | None = None) -> list[dict[str, Any]]:
    """One content for each input: the parts of one content together become ONE vector.

    Args:
        batch: The inputs.
        most: Bytes of an image, before it becomes base64.

    Raises:
        InvalidInputError: An input holds more images than the model takes, or one that is too large.
    """
    return convert_each(batch.inputs, lambda given: {"parts": list(_parts(given, most))})


def quoted(name: str) -> str:
    """A name as one segment of a path."""
    return quote(name, safe="")


def _parts(given: Loaded, most: int | None) -> Iterator[dict[str, Any]]:
    parts = given.parts if isinstance(given, LoadedMixed) else (given,)
    images = sum(isinstance(part, LoadedImage) for part in parts)
    if images > MAX_IMAGES:
        raise InvalidInputError(
            f"The input holds {images} images; the model takes {MAX_IMAGES} in one.",
            hint="Split it into several inputs.",
        )
    for part in parts:
        if isinstance(part, str):
            yield {"text": part}
        else:
            data, media_type = part.encoded(MEDIA_TYPES, max_bytes=most)
            yield {"inlineData": {"mimeType": media_type, "data": base64.b64encode(data).decode()}}
