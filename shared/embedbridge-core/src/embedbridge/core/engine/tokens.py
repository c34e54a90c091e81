"""How many tokens a text has: counted by the model where it can, else a safe estimate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from embedbridge.contract.errors import InvalidResponseError
from embedbridge.core.engine.estimate import SPECIAL_TOKENS, estimate_tokens

if TYPE_CHECKING:
    from embedbridge.contract.model import EmbeddingModel


class TokenCounts:
    """Tokens of the texts of one job, each counted when it is first asked for.

    Args:
        model: Who counts.
        texts: The rendered texts; `None` for an image, which has no tokens that anybody could count.
    """

    def __init__(self, model: EmbeddingModel, texts: Sequence[str | None]) -> None:
        self._model = model
        self.texts = [text or "" for text in texts]
        """The rendered texts, by place."""
        self._counts: NDArray[np.int64] = np.full(len(texts), -1, dtype=np.int64)
        self._counts[[place for place, text in enumerate(texts) if text is None]] = 0
        self.estimated = False
        """Whether some counts are estimates."""

    def of(self, wanted: NDArray[np.intp]) -> NDArray[np.int64]:
        """Tokens of the texts at these places."""
        missing = wanted[self._counts[wanted] < 0]
        if len(missing):
            self._counts[missing] = self._count([self.texts[i] for i in missing])
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
        self.texts[place] = text
        self._counts[place] = -1

    def count_one(self, text: str) -> int:
        """Tokens of a text that is not among those of the job, such as a shortened one."""
        return int(self._count([text])[0])

    def possibly_over(self, limit: int) -> NDArray[np.intp]:
        """Places of the texts that could have more tokens than this, found without counting.

        A token covers at least one byte, and a character has at most four of them.
        """
        sizes = np.fromiter(map(len, self.texts), np.int64, len(self.texts))
        ascii_ = np.fromiter(map(str.isascii, self.texts), np.bool_, len(self.texts))
        most = np.where(ascii_, sizes, 4 * sizes) + SPECIAL_TOKENS
        return np.flatnonzero(most > limit)
