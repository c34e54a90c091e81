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
    from embedbridge.contract.batch import Prepared
    from embedbridge.contract.model import EmbeddingModel
    from embedbridge.contract.vocabulary import Role

AT_ONCE = 4096
"""Texts that are counted together: a job may have millions, and lists of them take memory."""


class TokenCounts:
    """Tokens of the contents of one job, each counted when it is first asked for.

    What a model makes of a text while it counts is kept until the text has its vector, so that no
    text is tokenised twice.

    Args:
        model: The model, which counts if it can.
        contents: The rendered contents; the very list of the job, so that a text is kept once. An
            image has no tokens that could be counted.
        role: What they are for.
        prompt: What stands in front of each text.
    """

    def __init__(
        self,
        model: EmbeddingModel,
        contents: list[Content],
        *,
        role: Role = "document",
        prompt: str = "",
    ) -> None:
        self._model = model
        self._contents = contents
        self._role: Role = role
        self._prompt = prompt
        self._payloads: list[object] = []
        self._counts: NDArray[np.int64] = np.empty(len(contents), dtype=np.int64)
        self._counts.fill(-1)
        images = [place for place, one in enumerate(contents) if isinstance(one, Image)]
        if images:
            self._counts[images] = 0
        self.estimated = False
        """Whether some counts are estimates."""

    def of(self, wanted: NDArray[np.intp]) -> NDArray[np.int64]:
        """Tokens of the contents at these places."""
        counts = self._counts[wanted]
        missing = wanted[counts < 0]
        if not len(missing):
            return counts
        for start in range(0, len(missing), AT_ONCE):
            self._count(missing[start : start + AT_ONCE])
        return self._counts[wanted]

    def _count(self, some: NDArray[np.intp]) -> None:
        places = some.tolist()
        texts = [text_of(self._contents[place]) for place in places]
        prepared = self._prepare(texts)
        if prepared is None:
            self._counts[some] = estimate_tokens(texts)
        else:
            self._counts[some] = prepared.counts
            self._keep(places, prepared.payloads)

    def payloads(self, wanted: NDArray[np.intp]) -> dict[str, object]:
        """What the model made of the texts at these places, by text; empty if it made nothing."""
        if not self._payloads:
            return {}
        return {text_of(self._contents[place]): self._payloads[place] for place in wanted.tolist()}

    def forget(self, places: NDArray[np.intp]) -> None:
        """These contents have their vectors."""
        if self._payloads:
            for place in places.tolist():
                self._payloads[place] = None

    def _keep(self, places: Sequence[int], payloads: Sequence[object]) -> None:
        if payloads and not self._payloads:
            self._payloads = [None] * len(self._contents)
        for place, payload in zip(places, payloads, strict=bool(payloads)):
            if isinstance(self._contents[place], str):  # the text of a mixed input is not its own
                self._payloads[place] = payload

    def _prepare(self, texts: Sequence[str]) -> Prepared | None:
        prepared = self._model.prepare(texts, role=self._role, prompt=self._prompt)
        if prepared is None:
            self.estimated = True
        elif len(prepared.counts) != len(texts) or len(prepared.payloads) not in (0, len(texts)):
            raise InvalidResponseError(
                f"{len(texts)} texts were to be counted, and {len(prepared.counts)} counts with "
                f"{len(prepared.payloads)} payloads came back.",
                hint="count_tokens and prepare answer for each text, in order.",
            )
        return prepared

    def cap(self, place: int, tokens: int) -> None:
        """The model reads no more of a text than this."""
        self._counts[place] = tokens

    def replace(self, place: int, text: str) -> None:
        """A text was shortened."""
        self._contents[place] = text
        self._counts[place] = -1
        self.forget(np.array([place], dtype=np.intp))

    def count_one(self, text: str) -> int:
        """Tokens of a text that is not among those of the job, such as a shortened one."""
        prepared = self._prepare([text])
        return int((estimate_tokens([text]) if prepared is None else prepared.counts)[0])

    def longer_than(self, characters: int) -> list[tuple[int, int]]:
        """Place and length of each text of more characters."""
        sizes = enumerate(len(text_of(content)) for content in self._contents)
        return [(place, size) for place, size in sizes if size > characters]

    def possibly_over(self, limit: int) -> NDArray[np.intp]:
        """Places of the texts that could have more tokens than this, found without counting.

        A token covers at least one byte, and a character has at most four of them.
        """
        texts = list(map(text_of, self._contents))
        if 4 * max(map(len, texts), default=0) + SPECIAL_TOKENS <= limit:
            return np.empty(0, dtype=np.intp)
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
