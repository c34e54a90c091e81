"""Nothing reaches a caller that is not one finite vector per input."""

from typing import Any

import numpy as np
import pytest

from embedbridge.contract import (
    Batch,
    BatchResult,
    EmbedBridgeError,
    InvalidResponseError,
    ModelCard,
)
from embedbridge.core import Embedder, MemoryCache
from embedbridge.core.engine.check import check
from embedbridge.testing import FakeModel, RemoteFakeModel

BATCH = Batch(inputs=["a", "b", "c"], modality="text", role="document")
GOOD = np.arange(12, dtype=np.float32).reshape(3, 4)


def spoiled(row: int, value: float) -> Any:
    vectors = GOOD.copy()
    vectors[row, 1] = value
    return vectors


WRONG = {
    "one missing": (GOOD[:2], "3 inputs were sent and 2"),
    "one too many": (np.vstack([GOOD, GOOD[:1]]), "3 inputs were sent and 4"),
    "none": (GOOD[:0], "3 inputs were sent and 0"),
    "one for all": (GOOD[:1], "3 inputs were sent and 1"),
    "NaN in the first": (spoiled(0, np.nan), "input 0 of the batch is not finite"),
    "infinite in the last": (spoiled(2, np.inf), "input 2 of the batch is not finite"),
    "minus infinite": (spoiled(1, -np.inf), "input 1 of the batch is not finite"),
    "too large for float32": (GOOD.astype(np.float64) * 1e300, "not finite"),
    "flat": (GOOD.ravel(), r"shape (12,)"),
    "one number": (np.float32(1), "shape ()"),
    "too deep": (GOOD[None], "shape (1, 3, 4)"),
    "no dimensions": (GOOD[:, :0], "shape (3, 0)"),
    "wider": (np.hstack([GOOD, GOOD]), "4 dimensions were expected, 8"),
    "narrower": (GOOD[:, :3], "4 dimensions were expected, 3"),
    "ragged": ([[1.0, 2.0, 3.0, 4.0], [1.0], [1.0, 2.0, 3.0, 4.0]], "not an array of numbers"),
    "numbers as texts": ([["1", "2", "3", "4"]] * 3, "not an array of numbers"),
    "texts": ([["a", "b", "c", "d"]] * 3, "not an array of numbers"),
    "None for a vector": ([[1.0] * 4, None, [1.0] * 4], "not an array of numbers"),
    "None for a number": ([[1.0, None, 1.0, 1.0]] * 3, "not an array of numbers"),
    "None": (None, "not an array of numbers"),
    "truth values": (GOOD > 3, "not an array of numbers"),
    "complex numbers": (GOOD + 1j, "not an array of numbers"),
    "objects": (np.full((3, 4), object()), "not an array of numbers"),
}


@pytest.mark.parametrize(("vectors", "cause"), WRONG.values(), ids=WRONG)
def test_a_wrong_answer_is_refused(vectors: Any, cause: str) -> None:
    """By what is wrong with it; never repaired, never passed on."""
    with pytest.raises(InvalidResponseError) as caught:
        check(BatchResult(vectors=vectors), BATCH, 4)

    assert cause in str(caught.value)


@pytest.mark.parametrize("answer", [None, GOOD, GOOD.tolist(), "answer", 5], ids=repr)
def test_what_is_no_answer_is_refused(answer: Any) -> None:
    """A provider that forgets to wrap its vectors is told so."""
    with pytest.raises(InvalidResponseError, match="BatchResult"):
        check(answer, BATCH, 4)


@pytest.mark.parametrize("flags", [[True], [True] * 4], ids=["too few", "too many"])
def test_truncation_is_told_for_every_input_or_for_none(flags: list[bool]) -> None:
    """Flags that cannot be paired with the inputs are a mistake."""
    with pytest.raises(InvalidResponseError, match="truncated"):
        check(BatchResult(vectors=GOOD, truncated=flags), BATCH, 4)


@pytest.mark.parametrize(
    "vectors",
    [
        pytest.param(GOOD, id="float32"),
        pytest.param(GOOD.astype(np.float64), id="float64"),
        pytest.param(GOOD.astype(np.float16), id="float16"),
        pytest.param(GOOD.astype(np.int64), id="integers"),
        pytest.param(GOOD.tolist(), id="lists"),
        pytest.param(np.asfortranarray(GOOD), id="by columns"),
        pytest.param(np.hstack([GOOD, GOOD])[:, :4], id="a view"),
    ],
)
def test_a_right_answer_becomes_contiguous_float32(vectors: Any) -> None:
    """Any numbers of the right shape are taken, whatever their type and memory order."""
    checked = check(BatchResult(vectors=vectors), BATCH, 4)

    assert checked.dtype == np.float32
    assert checked.flags.c_contiguous
    assert np.array_equal(checked, GOOD)


def test_an_unknown_width_takes_any() -> None:
    """Where only the answer can tell, the width is not checked."""
    assert check(BatchResult(vectors=GOOD), BATCH, None).shape == (3, 4)


class Answering:
    """Gives a prepared answer instead of vectors."""

    def __init__(self, answer: Any) -> None:
        self.answer, self.requests = answer, 0

    def next(self, batch: Batch) -> BatchResult:
        self.requests += 1
        return self.answer(batch, self.requests)  # type: ignore[no-any-return]


def model_that(remote: bool, answers: Answering) -> Any:
    class Local(FakeModel):
        def embed_batch(self, batch: Batch) -> BatchResult:
            return answers.next(batch)

    class Remote(RemoteFakeModel):
        async def embed_batch(self, batch: Batch) -> BatchResult:
            return answers.next(batch)

    return Remote("small", width=4) if remote else Local("small", width=4)


@pytest.mark.parametrize("remote", [False, True], ids=["local", "remote"])
@pytest.mark.parametrize(("vectors", "cause"), WRONG.values(), ids=WRONG)
def test_a_wrong_answer_reaches_neither_caller_nor_cache(
    remote: bool, vectors: Any, cause: str
) -> None:
    """Through either driver it is a typed error of this model, and nothing of it is kept.

    Where only numbers of one vector are wrong, the other vectors are sound: see test_unusable_rows.
    """
    answers = Answering(lambda batch, number: BatchResult(vectors=vectors))
    cache = MemoryCache()
    embedder = Embedder(model_that(remote, answers), cache=cache).using(max_attempts=1)
    with pytest.raises(EmbedBridgeError, match="fake:small"):
        embedder.embed_documents(["a", "b", "c"])

    assert len(cache) == (2 if "of the batch is not finite" in cause else 0)


def test_a_wrong_answer_is_asked_for_again() -> None:
    """A remote model may do better the second time."""
    good = FakeModel("small", width=4)
    answers = Answering(
        lambda batch, number: good.make_up(batch) if number > 1 else BatchResult(vectors=GOOD[:0])
    )
    embedder = Embedder(model_that(True, answers))

    assert np.array_equal(embedder.embed_query("a"), Embedder(good).embed_query("a"))
    assert answers.requests == 2


@pytest.mark.parametrize("remote", [False, True], ids=["local", "remote"])
def test_the_width_stays_the_same_within_a_job(remote: bool) -> None:
    """A model of unknown width that changes it half-way is caught."""
    answers = Answering(
        lambda batch, number: BatchResult(vectors=np.ones((len(batch), 3 + number), np.float32))
    )
    model = model_that(remote, answers)
    type(model).card = property(lambda self: ModelCard(name="small"))
    embedder = Embedder(model).using(batch_size=1, max_concurrency=1, max_attempts=1)

    with pytest.raises(InvalidResponseError, match="4 dimensions were expected, 5 came back"):
        embedder.embed_documents(["a", "b"])


def test_a_vector_of_zeros_may_be_an_error_or_allowed() -> None:
    """Zeros have no direction: refused where that is asked for, taken where they are meant."""
    answers = Answering(
        lambda batch, number: BatchResult(vectors=np.zeros((len(batch), 4), np.float32))
    )
    embedder = Embedder(model_that(False, answers))

    with pytest.raises(InvalidResponseError, match="zeros for 1 of 1"):
        embedder.using(on_zero_vector="error").embed_query("a")
    assert not embedder.using(on_zero_vector="allow").embed_query("a").any()
