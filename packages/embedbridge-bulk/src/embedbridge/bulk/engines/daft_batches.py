"""Batches of Daft's own functions: a Python list in, a vector or None per row out."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from embedbridge.bulk.errors import error_text
from embedbridge.contract.errors import InvalidInputError
from embedbridge.contract.image import Image
from embedbridge.contract.inputs import Text
from embedbridge.core.adapting import as_image

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from embedbridge.bulk.stage import EmbedStage
    from embedbridge.contract.errors import EmbedBridgeError

OnError: TypeAlias = Literal["raise", "log", "ignore"]
Rows: TypeAlias = "list[NDArray[np.float32] | None]"

logger = logging.getLogger(__name__)


class BatchEmbedder:
    """Embeds batches. Thread-safe: Daft calls one object from several threads.

    Args:
        stage: Holds the embedder, role and task.
        on_error: What becomes of a row that cannot be embedded: the query ends, or the row has no
            vector, with a warning in the log or without.
    """

    def __init__(self, stage: EmbedStage, on_error: OnError) -> None:
        self.stage = stage
        self._on_error = on_error

    def embed_text(self, text: Sequence[str | None]) -> Rows:
        """Embed texts; `None` has no vector."""
        return self._embed(text, Text)

    def embed_image(self, images: Sequence[Any]) -> Rows:
        """Embed arrays of pixels, encoded bytes, or paths; `None` has no vector."""
        return self._embed(images, _image)

    def _embed(self, values: Sequence[Any], make: Callable[[Any], Text | Image]) -> Rows:
        inputs: dict[int, Text | Image] = {}
        errors: dict[int, EmbedBridgeError] = {}
        for row, value in enumerate(values):
            try:
                if value is not None:
                    inputs[row] = make(value)
            except InvalidInputError as error:
                errors[row] = error
        result = self.stage.embed(list(inputs.values()))
        rows = list(inputs)
        self._report({**errors, **{rows[at]: error for at, error in result.errors.items()}})
        vectors: Rows = [None] * len(values)
        for at in np.flatnonzero(result.ok):
            vectors[rows[at]] = result.vectors[at]
        return vectors

    def _report(self, errors: Mapping[int, EmbedBridgeError]) -> None:
        if not errors:
            return
        row = min(errors)
        first = errors[row]
        if isinstance(first, InvalidInputError):
            first.index = row
        if self._on_error == "raise":
            raise first
        if self._on_error == "log":
            logger.warning("Rows without a vector: %d. %s", len(errors), error_text(first))


def _image(value: Any) -> Image:
    return Image.from_array(value) if isinstance(value, np.ndarray) else as_image(value)
