"""What was paid for once is not paid for again, and no wrong vector is ever answered."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from embedbridge.contract import (
    Batch,
    BatchResult,
    Image,
    InvalidOptionError,
    Mixed,
    ProviderUnavailableError,
)
from embedbridge.contract.digests import text_digest
from embedbridge.core import Embedder, MemoryCache
from embedbridge.core.cache.base import cache_keys
from embedbridge.testing import FakeModel, RecordingModel, RemoteFakeModel, tiny_png

Entries = Mapping[str, NDArray[np.float32]]
TEXTS = [f"text {number}" for number in range(10)]
IMAGE = Image.from_bytes(tiny_png())


def job(model: Any, value: Any = "a", role: Any = "document", task: Any = None) -> Any:
    """One way to ask for one vector."""
    return model, value, role, task


ASKED: dict[str, Any] = {
    "document": job(FakeModel("small")),
    "query": job(FakeModel("small"), role="query"),
    "task": job(FakeModel("small"), task="clustering"),
    "other task": job(FakeModel("small"), task="similarity"),
    "query with a task": job(FakeModel("small"), role="query", task="clustering"),
    "other text": job(FakeModel("small"), "b"),
    "other model": job(FakeModel("owner/other")),
    "other seed": job(FakeModel("small", seed=1)),
    "other width": job(FakeModel("small", dimensions=4)),
    "normalised": job(FakeModel("small", normalize=True)),
    "prompt": job(FakeModel("small", document_prompt="a")),
    "prompt of the other role": job(FakeModel("small", query_prompt="a")),
    "text with the prompt in it": job(FakeModel("small"), "aa"),
    "empty prompt": job(FakeModel("small", document_prompt="")),
    "image": job(FakeModel("small"), IMAGE),
    "other image": job(FakeModel("small"), Image.from_bytes(tiny_png(0))),
    "mixed": job(FakeModel("small"), Mixed("a")),
    "mixed with an image": job(FakeModel("small"), Mixed("a", IMAGE)),
    "mixed the other way round": job(FakeModel("small"), Mixed(IMAGE, "a")),
    "text that looks like a key": job(FakeModel("small"), "a|document|"),
}


class LoggedCache(MemoryCache):
    """Remembers the keys it was asked for and given."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.given: list[str] = []

    def get_many(self, keys: Sequence[str]) -> Entries:
        self.asked += keys
        return super().get_many(keys)

    def put_many(self, vectors: Entries) -> None:
        self.given += vectors
        super().put_many(vectors)


def keys_of(asked: Any) -> set[str]:
    model, value, role, task = asked
    cache = LoggedCache()
    Embedder(model, cache=cache).embed([value], role=role, task=task)
    assert cache.asked
    return {*cache.asked, *cache.given}


def test_no_two_ways_to_ask_share_a_key() -> None:
    """Model, role, task, width, prompt, modality and content, each against each other."""
    keys = {name: keys_of(asked) for name, asked in ASKED.items()}
    shared = [(one, two) for one, two in combinations(keys, 2) if keys[one] & keys[two]]

    assert shared == []


def test_a_key_is_64_hexadecimal_digits() -> None:
    """256 bits: no two inputs ever share one by chance."""
    key = cache_keys("f" * 64, "query", None)(text_digest("a"))

    assert len(key) == 64
    assert int(key, 16) >= 0


@pytest.fixture(params=["local", "remote"])
def model(request: pytest.FixtureRequest) -> Any:
    """A model of either kind that remembers what it was asked."""
    return RecordingModel("small") if request.param == "local" else RemoteRecordingModel("small")


class RemoteRecordingModel(RemoteFakeModel):
    def __init__(self, name: str = "small", *, fail_at: int = 0, **options: Any) -> None:
        super().__init__(name, **options)
        self.batches: list[Any] = []
        self.fail_at = fail_at

    @property
    def seen(self) -> list[Any]:
        return [content for batch in self.batches for content in batch.inputs]

    async def embed_batch(self, batch: Any) -> Any:
        self.batches.append(batch)
        if len(self.batches) == self.fail_at:
            raise ProviderUnavailableError("down")
        return self.make_up(batch)


def test_a_rerun_pays_for_nothing(model: Any) -> None:
    """All vectors come from the cache, equal to the last bit, and the result says so."""
    embedder = Embedder(model, cache=MemoryCache())
    first = embedder.embed([*TEXTS, TEXTS[0]], role="document")
    model.batches.clear()
    second = embedder.embed([*TEXTS, TEXTS[0]], role="document")

    assert np.array_equal(first.vectors, second.vectors)
    assert model.batches == []
    assert (first.cached, second.cached, second.requests) == (0, len(TEXTS), 0)
    assert second.usage.tokens == 0


def test_only_what_is_missing_is_paid_for(model: Any) -> None:
    """Old and new inputs in one job, in any order."""
    embedder = Embedder(model, cache=MemoryCache())
    embedder.embed_documents(TEXTS[::2])
    model.batches.clear()
    result = embedder.embed(TEXTS, role="document")

    assert sorted(model.seen) == TEXTS[1::2]
    assert result.cached == 5
    assert np.array_equal(result.vectors, Embedder(FakeModel("small")).embed_documents(TEXTS))


def test_what_was_paid_for_survives_a_failure() -> None:
    """Every batch is kept when it arrives: the next run asks for the rest only."""
    cache = MemoryCache()
    broken = RemoteRecordingModel(fail_at=3)
    once = Embedder(broken, cache=cache).using(batch_size=2, max_concurrency=1, max_attempts=1)
    with pytest.raises(ProviderUnavailableError):
        once.embed_documents(TEXTS)
    again = RemoteRecordingModel()
    Embedder(again, cache=cache).embed_documents(TEXTS)

    assert len(again.seen) == len(TEXTS) - 4


def test_two_embedders_share_a_cache_without_mixing(model: Any) -> None:
    """Each finds its own vectors."""
    cache = MemoryCache()
    one, two = Embedder(model, cache=cache), Embedder(FakeModel("small", seed=9), cache=cache)
    ones, twos = one.embed_documents(TEXTS), two.embed_documents(TEXTS)

    assert np.array_equal(one.embed_documents(TEXTS), ones)
    assert np.array_equal(two.embed_documents(TEXTS), twos)
    assert not np.array_equal(ones, twos)


class BrokenCache:
    """Fails at what it is told to fail at."""

    def __init__(self, *fails: str) -> None:
        self.fails = fails

    def get_many(self, keys: Sequence[str]) -> Entries:
        if "get" in self.fails:
            raise OSError("disk gone")
        return {}

    def put_many(self, vectors: Entries) -> None:
        if "put" in self.fails:
            raise MemoryError


@pytest.mark.parametrize(("fails", "verb"), [("get", "read"), ("put", "written")])
def test_a_failing_cache_costs_a_warning_and_no_vector(model: Any, fails: str, verb: str) -> None:
    """Whatever the store raises, the vectors are handed out."""
    embedder = Embedder(model, cache=BrokenCache(fails))
    with pytest.warns(RuntimeWarning, match=f"could not be {verb}"):
        vectors = embedder.embed_documents(TEXTS)

    assert np.array_equal(vectors, Embedder(FakeModel("small")).embed_documents(TEXTS))


class LyingCache:
    """Answers every key with the same thing, and keeps nothing."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def get_many(self, keys: Sequence[str]) -> Entries:
        return dict.fromkeys(keys, self.answer)

    def put_many(self, vectors: Entries) -> None:
        pass


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(np.ones(5, np.float32), id="wrong width"),
        pytest.param(np.full(8, np.nan, np.float32), id="NaN"),
        pytest.param(np.full(8, np.inf, np.float32), id="infinite"),
        pytest.param(None, id="None"),
    ],
)
def test_an_entry_that_cannot_be_right_is_a_miss(model: Any, answer: Any) -> None:
    """A store of strangers may hold anything; the model is asked again."""
    result = Embedder(model, cache=LyingCache(answer)).embed(TEXTS, role="document")

    assert result.cached == 0
    assert np.array_equal(result.vectors, Embedder(FakeModel("small")).embed_documents(TEXTS))


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        pytest.param([1.0] * 8, "list", id="a list"),
        pytest.param(b"12345678" * 4, "bytes", id="bytes"),
        pytest.param(np.float32(1), "float32", id="a number"),
        pytest.param(np.ones(8, np.int64), r"ndarray of int64 and shape \(8,\)", id="integers"),
        pytest.param(np.ones((1, 8), np.float32), r"ndarray .* shape \(1, 8\)", id="wrong shape"),
        pytest.param(np.array(["a"] * 8), "ndarray of <U1", id="texts"),
    ],
)
def test_a_store_that_holds_no_vectors_says_so(model: Any, answer: Any, kind: str) -> None:
    """A store that gives what it made of a vector never has a hit: all is paid for again each time."""
    embedder = Embedder(model, cache=LyingCache(answer))
    with pytest.warns(
        RuntimeWarning, match=rf"read \(get_many returned {kind}.*, no 1-D arrays of floats\)"
    ) as caught:
        result = embedder.embed([*TEXTS, "long " * 1000], role="document")

    assert len(caught) == 1
    assert result.cached == 0
    assert np.array_equal(result.vectors[:-1], Embedder(FakeModel("small")).embed_documents(TEXTS))


def test_one_entry_of_something_else_is_a_miss(model: Any) -> None:
    """Where others are vectors, the store knows how to give them: nobody is told."""
    cache = MemoryCache()
    embedder = Embedder(model, cache=cache)
    embedder.embed(TEXTS, role="document")
    cache._vectors[next(iter(cache._vectors))] = "something else"  # type: ignore[assignment]

    assert embedder.embed(TEXTS, role="document").cached == len(TEXTS) - 1


def test_numbers_that_are_large_but_finite_are_a_hit(model: Any) -> None:
    """Their sum is infinite, they are not."""
    cache = LyingCache(np.full(8, 3e38, np.float32))
    result = Embedder(model, cache=cache).embed(TEXTS, role="document")

    assert result.cached == len(TEXTS)
    assert np.all(result.vectors == np.float32(3e38))


def test_an_entry_of_other_keys_is_ignored(model: Any) -> None:
    """A store may answer more than it was asked."""

    class Talkative(LyingCache):
        def get_many(self, keys: Sequence[str]) -> Entries:
            return {"0" * 64: self.answer}

    cache = Talkative(np.ones(8, np.float32))

    assert Embedder(model, cache=cache).embed(TEXTS, role="document").cached == 0


def test_a_cache_keeps_copies(model: Any) -> None:
    """What a caller does to its vectors does not reach the cache, nor the other way round."""
    embedder = Embedder(model, cache=MemoryCache())
    first = embedder.embed_documents(TEXTS)
    kept = first.copy()
    first[:] = 0
    second = embedder.embed_documents(TEXTS)
    second[:] = 0

    assert np.array_equal(embedder.embed_documents(TEXTS), kept)


def test_nothing_wrong_is_kept(model: Any) -> None:
    """Only finished vectors of good inputs have an entry."""
    cache = MemoryCache()
    Embedder(model, cache=cache).using(errors="collect").embed(["a", "", "a", None], role="query")  # type: ignore[list-item]

    assert len(cache) == 1


def test_shortened_vectors_are_kept_short() -> None:
    """The entry is what the caller gets, not what the model made."""
    cache = MemoryCache()
    embedder = Embedder(FakeModel("small", dimensions=3), cache=cache)
    first = embedder.embed_documents(TEXTS)

    assert np.array_equal(embedder.embed_documents(TEXTS), first)
    assert embedder.embed(TEXTS, role="document").cached == len(TEXTS)


def test_many_threads_use_one_cache(model: Any) -> None:
    """Concurrent jobs on the same texts all get the right vectors."""
    embedder = Embedder(model, cache=MemoryCache()).using(batch_size=2)
    expected = Embedder(FakeModel("small")).embed_documents(TEXTS)
    start = threading.Barrier(8)
    right: list[bool] = []

    def run() -> None:
        start.wait()
        right.append(np.array_equal(embedder.embed_documents(TEXTS), expected))

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert right == [True] * 8


def test_an_unreadable_image_fails_alone(model: Any, tmp_path: Any) -> None:
    """The key of an image needs its bytes; a missing file costs that input only."""
    embedder = Embedder(model, cache=MemoryCache()).using(errors="collect")
    images = [IMAGE, Image.from_path(tmp_path / "missing.png"), IMAGE]
    result = embedder.embed(images, role="document")

    assert list(result.errors) == [1]
    assert np.array_equal(result[0], result[2])


def test_a_text_that_a_local_model_cuts_is_paid_for_once() -> None:
    """Also where the model says itself that it read only a part."""

    class Cutting(RecordingModel):
        def embed_batch(self, batch: Batch) -> BatchResult:
            return replace(super().embed_batch(batch), truncated=[True] * len(batch))

    embedder = Embedder(Cutting(), cache=MemoryCache())
    embedder.embed_documents(["a", "b"])

    assert embedder.embed(["a", "b"], role="document").cached == 2


@pytest.mark.parametrize("value", [MemoryCache, 5, object()])
def test_what_is_no_cache_is_refused_at_once(value: Any) -> None:
    """A class has the methods, and would fail with the first vector."""
    with pytest.raises(InvalidOptionError, match="is no cache"):
        Embedder(FakeModel("small"), cache=value)


class AnsweringCache:
    """A store of a user's own that does what no cache does."""

    def __init__(self, *, get: Callable[[], Any], put: Callable[[], Any] = lambda: None) -> None:
        self._get, self._put = get, put

    def get_many(self, keys: Sequence[str]) -> Any:
        return self._get()

    def put_many(self, vectors: Entries) -> Any:
        return self._put()


async def nothing() -> dict[str, Any]:
    """What an async client returns before anybody waits for it."""
    return {}


class FailingEntries(dict[str, Any]):
    """Reads its server only when it is asked."""

    def get(self, *_: Any) -> Any:
        raise OSError("gone")


@pytest.mark.parametrize(
    ("store", "said"),
    [
        pytest.param({"get": lambda: None}, "read .get_many returned NoneType", id="None"),
        pytest.param({"get": list}, "read .get_many returned list", id="a list"),
        pytest.param({"get": nothing}, "read .it is async", id="async reading"),
        pytest.param({"get": FailingEntries}, "read .OSError", id="a mapping that fails"),
        pytest.param({"get": dict, "put": nothing}, "written .it is async", id="async writing"),
    ],
)
def test_a_store_that_answers_something_else_is_a_store_that_fails(
    model: Any, store: dict[str, Any], said: str
) -> None:
    """It costs time and a warning that says what it did; the model is not to blame."""
    embedder = Embedder(model, cache=AnsweringCache(**store))
    with pytest.warns(RuntimeWarning, match=f"could not be {said}") as caught:
        vectors = embedder.embed_documents(TEXTS)

    assert len(caught) == 1
    assert np.array_equal(vectors, Embedder(FakeModel("small")).embed_documents(TEXTS))


class AsyncCache:
    """The client of a store, as async code has it."""

    async def get_many(self, keys: Sequence[str]) -> Entries:
        return {}

    async def put_many(self, vectors: Entries) -> None:
        pass


class HalfCache:
    """Its second method is none."""

    put_many = 5

    def get_many(self, keys: Sequence[str]) -> Entries:
        return {}


@pytest.mark.parametrize(
    ("cache", "said"),
    [(AsyncCache(), "AsyncCache is async.*plain methods"), (HalfCache(), "HalfCache is no cache")],
)
def test_what_cannot_be_a_cache_is_refused_at_once(cache: Any, said: str) -> None:
    """Not by the first job, and with what to do about it."""
    with pytest.raises(InvalidOptionError, match=said):
        Embedder(FakeModel("small"), cache=cache)
