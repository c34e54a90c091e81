"""What occurs twice is embedded once, and everybody gets it."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from embedbridge.contract import Batch, BatchResult, Image, InvalidInputError, Mixed, Text
from embedbridge.core import Embedder
from embedbridge.core.engine.dedupe import dedupe
from embedbridge.testing import FakeModel, RecordingModel

contents = st.lists(
    st.one_of(
        st.text("ab", max_size=2),
        st.sampled_from([Image.from_bytes(b"a"), Image.from_path("a"), Mixed("a"), Mixed("b")]),
    )
)


@given(contents)
def test_every_content_finds_itself(values: list[Any]) -> None:
    """The unique ones keep their first order, and the index leads from each content to its own."""
    unique, inverse = dedupe(values)
    found = unique if inverse is None else [unique[place] for place in inverse]

    assert found == values
    assert unique == list(dict.fromkeys(values))
    assert (inverse is None) == (len(unique) == len(values))


@given(st.lists(st.sampled_from("abcdef"), min_size=1))
def test_each_text_is_sent_once_and_answered_everywhere(texts: list[str]) -> None:
    """Duplicates cost nothing, and every place has its own right vector."""
    model = RecordingModel("small")
    vectors = Embedder(model).embed_documents(texts)
    alone = Embedder(FakeModel("small"))

    assert sorted(map(str, model.seen)) == sorted(set(texts))
    assert np.array_equal(vectors, np.stack([alone.embed_documents([t])[0] for t in texts]))


def test_a_text_and_its_str_are_the_same() -> None:
    """`Text("a")` and `"a"` are one input."""
    model = RecordingModel("small")
    Embedder(model).embed_documents(["a", Text("a")])

    assert model.seen == ["a"]


def test_the_vectors_of_duplicates_are_not_one_memory() -> None:
    """Changing one answer does not change its twin."""
    vectors = Embedder(FakeModel("small")).embed_documents(["a", "a"])
    vectors[0] = 0

    assert vectors[1].any()


class RefusesAll(FakeModel):
    """Says of every batch that its first input is bad, and why."""

    def embed_batch(self, batch: Batch) -> BatchResult:
        raise InvalidInputError("bad", index=0) from ValueError("why")


def test_equal_inputs_have_equal_errors() -> None:
    """Each with its own position, and with the cause that the hint of an error speaks of."""
    embedder = Embedder(RefusesAll("small")).using(errors="collect")
    errors = embedder.embed(["a", "b", "a"], role="document").errors

    assert [error.index for error in errors.values() if isinstance(error, InvalidInputError)] == [
        *errors
    ]
    assert [str(error.__cause__) for error in errors.values()] == ["why"] * 3
