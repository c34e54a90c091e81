"""What a job does grows with its inputs: no batch and no error looks at the whole job again."""

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedbridge.contract import AuthenticationError, Batch, BatchResult, InvalidInputError, Usage
from embedbridge.core import Embedder, EmbeddingResult
from embedbridge.core.engine import pipeline
from embedbridge.core.engine.coerce import coerce
from embedbridge.core.engine.dedupe import dedupe
from embedbridge.core.engine.planned import Planned
from embedbridge.core.engine.tokens import TokenCounts
from embedbridge.testing import FakeModel, RemoteFakeModel

INPUTS = 400
TIMES = 12
"""How often each input may be looked at; once for each batch would be 200 times."""


class Watch:
    """Counts the elements that are looked at."""

    def __init__(self) -> None:
        self.seen = 0


class WatchedArray(np.ndarray):
    """An array whose every use as a whole is counted."""

    watch: Watch

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        self.watch.seen += self.size
        return getattr(ufunc, method)(*map(_plain, inputs), **options)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        self.watch.seen += self.size
        return function(*map(_plain, args), **kwargs)


def _plain(value: Any) -> Any:
    return value.view(np.ndarray) if isinstance(value, WatchedArray) else value


class WatchedList(Sequence[int]):
    """Positions of which each look is counted."""

    def __init__(self, values: Sequence[int], watch: Watch) -> None:
        self._values, self._watch = values, watch

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, index: Any) -> Any:
        self._watch.seen += 1
        return self._values[index]


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    """Counts the looks at which input is which content, and at which position each stood."""
    watch = Watch()

    def watched_dedupe(contents: Any) -> Any:
        unique, inverse = dedupe(contents)
        if inverse is not None:
            inverse = inverse.view(WatchedArray)
            inverse.watch = watch
        return unique, inverse

    def watched_coerce(*args: Any, **options: Any) -> Any:
        coerced = coerce(*args, **options)
        if coerced.positions is not None:
            coerced.positions = WatchedList(coerced.positions, watch)  # type: ignore[assignment]
        return coerced

    monkeypatch.setattr(pipeline, "dedupe", watched_dedupe)
    monkeypatch.setattr(pipeline, "coerce", watched_coerce)
    return watch


def answer(how: str, batch: Batch) -> BatchResult:
    if how == "refuses all":
        raise AuthenticationError("no such key")
    if how == "refuses inputs":
        raise InvalidInputError("a bad input")
    cut = [True] * len(batch) if how == "cuts all" else []
    return BatchResult(vectors=np.ones((len(batch), 8), np.float32), truncated=cut)


def model_that(how: str, remote: bool) -> Any:
    class Local(FakeModel):
        def embed_batch(self, batch: Batch) -> BatchResult:
            return answer(how, batch)

    class Remote(RemoteFakeModel):
        async def embed_batch(self, batch: Batch) -> BatchResult:
            return answer(how, batch)

    return (Remote if remote else Local)("small")


LISTS = {
    "one twice": [*map(str, range(INPUTS - 1)), "0"],
    "each twice": [*map(str, range(INPUTS // 2))] * 2,
    "one left out": ["", *map(str, range(INPUTS - 1))],
    "one twice and one left out": ["", *map(str, range(INPUTS - 2)), "0"],
}


@pytest.mark.parametrize("remote", [False, True], ids=["local", "remote"])
@pytest.mark.parametrize("how", ["answers", "refuses all", "refuses inputs", "cuts all"])
@pytest.mark.parametrize("texts", LISTS.values(), ids=LISTS)
def test_no_batch_looks_at_the_whole_job(
    watch: Watch, texts: list[str], how: str, remote: bool
) -> None:
    """Whether all is well or all fails: errors that name inputs, and what `on_batch` gets."""
    embedder = Embedder(model_that(how, remote)).using(
        errors="collect", on_empty="skip", on_too_long="error", batch_size=2, max_attempts=1
    )
    result = embedder.embed(texts, role="document", on_batch=lambda *batch: None)

    assert len(result.errors) == (0 if how == "answers" else INPUTS - texts.count(""))
    assert watch.seen <= TIMES * INPUTS


def test_splitting_looks_at_what_is_split_off() -> None:
    """A batch of any size may be split one by one, where a server takes no more."""
    asked: list[int] = []

    class Watched(TokenCounts):
        def of(self, wanted: Any) -> Any:
            asked.append(len(wanted))
            return super().of(wanted)

    counts = Watched(FakeModel("small"), [str(number) for number in range(INPUTS)])
    places = np.arange(INPUTS)
    tokens = int(counts.of(places).sum())
    asked.clear()
    rest: Planned | None = Planned(places=places, modality="text", tokens=tokens)
    pieces = []
    while rest is not None:
        piece, rest = rest.split(2, counts)
        pieces.append(piece)

    assert np.concatenate([piece.places for piece in pieces]).tolist() == places.tolist()
    assert sum(piece.tokens for piece in pieces) == tokens
    assert sum(asked) <= INPUTS


def test_reading_a_result_row_by_row_looks_at_each_once() -> None:
    """However many of its rows were skipped."""
    watch = Watch()

    class Row(int):
        def __eq__(self, other: object) -> bool:
            watch.seen += 1
            return int(self) == other

        def __lt__(self, other: int) -> bool:
            watch.seen += 1
            return int(self) < other

        __hash__ = int.__hash__

    result = EmbeddingResult(
        vectors=np.ones((INPUTS, 8), np.float32),
        truncated=np.zeros(INPUTS, np.bool_),
        skipped=tuple(map(Row, range(0, INPUTS, 2))),
        usage=Usage(),
        role="document",
        space="s",
        fingerprint="f",
    )
    read = []
    for row in range(INPUTS):
        try:
            result[row]
        except InvalidInputError:
            continue
        read.append(row)

    assert read == list(range(1, INPUTS, 2))
    assert watch.seen <= INPUTS * (INPUTS.bit_length() + 1)


@given(
    st.lists(st.sampled_from(["", *"abcdef"]), min_size=1, max_size=30),
    st.integers(0, 6),
    st.randoms(use_true_random=False),
)
def test_positions_are_those_of_a_plain_search(texts: list[str], most: int, chance: Any) -> None:
    """The first ones of all, in order, whatever was left out and however often a text occurs."""
    embedder = Embedder(FakeModel("small")).using(on_empty="skip")
    job, _ = pipeline.prepare(embedder._spec("document", None, progress=False), texts)
    places = chance.sample(range(len(job.unique)), chance.randint(0, len(job.unique)))
    chosen = np.array(places, dtype=np.intp)
    of_each = [[at for at, text in enumerate(texts) if text == job.unique[n]] for n in places]

    assert job.positions(chosen, most) == sorted(chain.from_iterable(of_each))[:most]
    assert job.first_positions(chosen).tolist() == [found[0] for found in of_each]
