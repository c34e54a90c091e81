"""Token counts: by the model where it can count, else a safe estimate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from embedbridge.contract.errors import InvalidResponseError
from embedbridge.contract.image import Image
from embedbridge.contract.inputs import Content, Mixed
from embedbridge.core.engine.estimate import SPECIAL_TOKENS, estimate_tokens

if TYPE_CHECKING:
    from embedbridge.contract.model import EmbeddingModel


class TokenCounts:
    """Tokens of the contents of one job, each counted when it is first asked for.

    Args:
        model: The model, which counts if it can.
        contents: The rendered contents; the very list of the job, so that a text is kept once. An
            image has no tokens that could be counted.
    """

    def __init__(self, model: EmbeddingModel, contents: list[Content]) -> None:
        self._model = model
        self._contents = contents
        self._counts: NDArray[np.int64] = np.full(len(contents), -1, dtype=np.int64)
        images = [place for place, one in enumerate(contents) if isinstance(one, Image)]
        self._counts[images] = 0
        self.estimated = False
        """Whether some counts are estimates."""

    def of(self, wanted: NDArray[np.intp]) -> NDArray[np.int64]:
        """Tokens of the contents at these places."""
        missing = wanted[self._counts[wanted] < 0]
        if len(missing):
            self._counts[missing] = self._count(
                [text_of(self._contents[i]) for i in missing.tolist()]
            )
        return self._counts[wanted]

    def _count(self, texts: Sequence[str]) -> Sequence[int] | NDArray[np.int64]:
        counted = self._model.count_tokens(texts)
        if counted is None:
            self.estimated = True
            return estimate_tokens(texts)
        if len(counted) != len(texts):
            raise InvalidResponseError(
                f"count_tokens got {len(texts)} texts and counted {len(counted)}."
            )
        return counted

    def cap(self, place: int, tokens: int) -> None:
        """The model reads no more of a text than this."""
        self._counts[place] = tokens

    def replace(self, place: int, text: str) -> None:
        """A text was shortened."""
        self._contents[place] = text
        self._counts[place] = -1

    def count_one(self, text: str) -> int:
        """Tokens of a text that is not among those of the job, such as a shortened one."""
        return int(self._count([text])[0])

    def longer_than(self, characters: int) -> list[tuple[int, int]]:
        """Place and length of each text of more characters."""
        sizes = enumerate(len(text_of(content)) for content in self._contents)
        return [(place, size) for place, size in sizes if size > characters]

    def possibly_over(self, limit: int) -> NDArray[np.intp]:
        """Places of the texts that could have more tokens than this, found without counting.

        A token covers at least one byte, and a character has at most four of them.
        """
        texts = list(map(text_of, self._contents))
        sizes = np.fromiter(map(len, texts), np.int64, len(texts))
        ascii_ = np.fromiter(map(str.isascii, texts), np.bool_, len(texts))
        most = np.where(ascii_, sizes, 4 * sizes) + SPECIAL_TOKENS
        return np.flatnonzero(most > limit)


def text_of(content: Content) -> str:
    """The text of a content, for counting; an image has none."""
    if isinstance(content, str):
        return content
    if isinstance(content, Mixed):
        return "".join(part for part in content.parts if isinstance(part, str))
    return ""
