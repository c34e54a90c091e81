"""Token counts: asked for once and late, and estimated on the safe side."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from embedbridge.core import Embedder
from embedbridge.core.engine.estimate import estimate_tokens
from embedbridge.core.engine.tokens import TokenCounts
from embedbridge.testing import FakeModel

any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


class CountingModel(FakeModel):
    """Counts characters, and remembers what it counted."""

    def __init__(self) -> None:
        super().__init__("small")
        self.counted: list[str] = []

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        self.counted += texts
        return [len(text) for text in texts]


def test_a_text_is_counted_once_and_not_before_it_is_asked_for() -> None:
    """Counting costs time: only what is asked for, and never twice."""
    model = CountingModel()
    counts = TokenCounts(model, ["a", "bb", "ccc", "dddd"])

    assert model.counted == []
    assert counts.of(np.array([2, 0])).tolist() == [3, 1]
    assert counts.of(np.array([0, 1, 2])).tolist() == [1, 2, 3]
    assert sorted(model.counted) == ["a", "bb", "ccc"]
    assert not counts.estimated


def test_an_estimate_is_marked_as_one() -> None:
    """Where the model cannot count offline, the figures say that they are estimates."""
    counts = TokenCounts(FakeModel("small"), ["a"])
    counts.of(np.array([0]))

    assert counts.estimated


@given(st.lists(any_text, max_size=8), st.integers(1, 40))
def test_no_text_over_a_limit_is_overlooked(texts: list[str], limit: int) -> None:
    """What is not suspected without counting has no more bytes, hence no more tokens, than that."""
    suspects = set(TokenCounts(FakeModel("small"), [*texts]).possibly_over(limit).tolist())
    for place, text in enumerate(texts):
        if len(text.encode()) > limit:
            assert place in suspects


@given(st.lists(any_text, max_size=8), st.integers(1, 40))
def test_no_estimate_over_a_limit_is_overlooked(texts: list[str], limit: int) -> None:
    """The suspects include every text whose estimate is over the limit."""
    suspects = set(TokenCounts(FakeModel("small"), [*texts]).possibly_over(limit).tolist())
    over = np.flatnonzero(estimate_tokens(texts) > limit).tolist()

    assert suspects.issuperset(over)


@given(any_text, any_text)
@example("\x80\x80A\U00010000A", "")
def test_a_longer_text_has_no_smaller_estimate(text: str, more: str) -> None:
    """Cutting relies on it: the beginning of a text never costs more than the whole.

    Also where its characters' weights are no exact floats, and beside other texts.
    """
    part, whole = estimate_tokens([text, text + more]).tolist()

    assert part <= whole


def test_the_empty_text_has_an_estimate() -> None:
    """Special tokens are there without any text; and no texts have no estimates."""
    assert estimate_tokens([""])[0] > 0
    assert len(estimate_tokens([])) == 0


@pytest.mark.parametrize("answer", [[1], [1, 2, 3], []], ids=["too few", "too many", "none"])
def test_a_model_that_counts_wrongly_is_a_typed_error(answer: list[int]) -> None:
    """A tokenizer that answers for another number of texts is the provider's fault, by name."""
    from embedbridge.contract import EmbedBridgeError

    class Miscounting(FakeModel):
        def count_tokens(self, texts: Sequence[str]) -> list[int]:
            return answer

    with pytest.raises(EmbedBridgeError, match="fake:small"):
        Embedder(Miscounting("small")).embed_documents(["a", "b"])


def test_a_tokenizer_that_fails_is_a_typed_error() -> None:
    """Only our own errors leave the library, before the first call as well."""
    from embedbridge.contract import EmbedBridgeError

    class Broken(FakeModel):
        def count_tokens(self, texts: Sequence[str]) -> list[int]:
            raise ValueError("no vocabulary")

    with pytest.raises(EmbedBridgeError, match=r"no vocabulary.*fake:small") as caught:
        Embedder(Broken("small")).embed_documents(["a", "b"])

    assert isinstance(caught.value.__cause__, ValueError)
