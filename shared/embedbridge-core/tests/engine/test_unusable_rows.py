"""An input without a usable vector costs the other inputs of its batch nothing."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from embedbridge.contract import Batch, BatchResult, InvalidResponseError
from embedbridge.core import Embedder, MemoryCache
from embedbridge.core.remote.endpoint import endpoint_of
from embedbridge.testing import FakeModel, RemoteFakeModel, no_backoff

TEXTS = [f"text {number}" for number in range(20)]
BAD = {3, 7, 12}
BOTH = pytest.mark.parametrize("remote", [False, True], ids=["local", "remote"])


def until(condition: Callable[[], object]) -> None:
    while not condition():
        time.sleep(0.001)


class Spoiling:
    """Gives some texts a vector that cannot be used, so many times."""

    def __init__(self, value: float = np.nan, times: float = np.inf) -> None:
        self.value = value
        self.times = times
        self.asked: Counter[str] = Counter()

    def spoil(self, batch: Batch, result: BatchResult) -> BatchResult:
        vectors: Any = result.vectors.astype(np.float64)
        for row, text in enumerate(batch.texts):
            self.asked[text] += 1
            if text in {TEXTS[number] for number in BAD} and self.asked[text] <= self.times:
                vectors[row] = self.value
        return BatchResult(vectors=vectors, usage=result.usage)


class Local(FakeModel):
    def __init__(self, spoiling: Spoiling) -> None:
        super().__init__("small")
        self.spoiling = spoiling

    def embed_batch(self, batch: Batch) -> BatchResult:
        return self.spoiling.spoil(batch, super().embed_batch(batch))


class Remote(RemoteFakeModel):
    def __init__(self, spoiling: Spoiling) -> None:
        super().__init__("small")
        self.spoiling = spoiling

    async def embed_batch(self, batch: Batch) -> BatchResult:
        return self.spoiling.spoil(batch, await super().embed_batch(batch))


def embedder_of(remote: bool, spoiling: Spoiling, **changes: Any) -> Embedder:
    model = Remote(spoiling) if remote else Local(spoiling)
    return Embedder(model).using(**changes)


@pytest.fixture(autouse=True)
def at_once() -> Any:
    with no_backoff():
        yield


EXPECTED = Embedder(FakeModel("small")).embed_documents(TEXTS)
GOOD = [number for number in range(len(TEXTS)) if number not in BAD]


@BOTH
@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300, 0.0])
@pytest.mark.parametrize("max_attempts", [1, 3])
def test_only_the_inputs_themselves_fail(remote: bool, value: float, max_attempts: int) -> None:
    """All others are asked for once; these as often as any failing request, and a local model once."""
    spoiling = Spoiling(value)
    settings: dict[str, Any] = {"errors": "collect", "on_zero_vector": "error"}
    embedder = embedder_of(remote, spoiling, max_attempts=max_attempts, **settings)
    result = embedder.embed(TEXTS, role="document")

    assert set(result.errors) == BAD
    assert all(isinstance(error, InvalidResponseError) for error in result.errors.values())
    assert np.array_equal(result.vectors[GOOD], EXPECTED[GOOD])
    assert {spoiling.asked[TEXTS[number]] for number in GOOD} == {1}
    assert {spoiling.asked[TEXTS[number]] for number in BAD} == {max_attempts if remote else 1}
    assert {error.attempts for error in result.errors.values()} == {max_attempts if remote else 1}


@BOTH
def test_an_error_names_them_and_carries_the_others(remote: bool) -> None:
    """A job that is given up for them keeps what was paid for, in its error and in the cache."""
    spoiling, cache = Spoiling(), MemoryCache()
    embedder = embedder_of(remote, spoiling, cache=cache)
    with pytest.raises(InvalidResponseError, match=r"The batch held inputs 3, 7, 12\.") as caught:
        embedder.embed_documents(TEXTS)

    partial = caught.value.partial
    assert np.flatnonzero(~partial.ok).tolist() == sorted(BAD)
    assert np.array_equal(partial.vectors[GOOD], EXPECTED[GOOD])
    assert len(cache) == len(GOOD)

    spoiling.times = 0
    assert np.array_equal(embedder.embed_documents(TEXTS), EXPECTED)
    assert {spoiling.asked[TEXTS[number]] for number in GOOD} == {1}


def test_one_of_many_is_named() -> None:
    """Also where it was the only one of its request."""
    with pytest.raises(InvalidResponseError, match=r"The batch held input (3|7|12)\."):
        embedder_of(True, Spoiling(), batch_size=1, max_concurrency=1).embed_documents(TEXTS)


def test_only_they_are_asked_for_again() -> None:
    """A server may do better the second time; its good vectors are not paid for twice."""
    spoiling = Spoiling(times=1)
    result = embedder_of(True, spoiling).embed([*TEXTS, TEXTS[3]], role="document")

    assert np.array_equal(result.vectors, np.vstack([EXPECTED, EXPECTED[3]]))
    assert result.requests == 2
    assert spoiling.asked == Counter(TEXTS) + Counter(TEXTS[number] for number in BAD)


@BOTH
def test_zeros_that_were_kept_are_asked_for_again_where_they_are_an_error(remote: bool) -> None:
    """Whoever sets that after a warning would find them in the cache, without an error."""
    spoiling = Spoiling(0.0)
    embedder = embedder_of(remote, spoiling, cache=MemoryCache(), on_zero_vector="allow")
    embedder.embed_documents(TEXTS)
    result = embedder.using(on_zero_vector="error", errors="collect").embed(TEXTS, role="document")

    assert set(result.errors) == BAD
    assert {spoiling.asked[TEXTS[number]] for number in GOOD} == {1}
    assert embedder.embed(TEXTS, role="document").cached == len(TEXTS)


async def test_a_job_that_shares_the_request_takes_what_is_sound() -> None:
    """And asks for the rest itself."""
    gate = threading.Event()

    class Gated(Remote):
        async def embed_batch(self, batch: Batch) -> BatchResult:
            await asyncio.to_thread(gate.wait)
            return await super().embed_batch(batch)

    model = Gated(Spoiling(times=1))
    shared = endpoint_of(model).requests
    jobs = [asyncio.create_task(Embedder(model).aembed(TEXTS, role="document"))]
    await asyncio.to_thread(until, shared.all)
    for number in (0, 3):
        job = Embedder(model).aembed([TEXTS[number]], role="document")
        jobs.append(asyncio.create_task(job))
    await asyncio.to_thread(until, lambda: sum(each.waiters for each in shared.all()) == 3)
    gate.set()
    whole, good, bad = await asyncio.gather(*jobs)

    assert good.requests == 0
    assert np.array_equal(whole.vectors, EXPECTED)
    assert np.array_equal([*good.vectors, *bad.vectors], EXPECTED[[0, 3]])
