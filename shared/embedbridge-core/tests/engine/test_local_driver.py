"""A local model has one lock, and whoever holds it serves those who wait."""

import asyncio
import gc
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from embedbridge.contract import (
    Batch,
    BatchResult,
    ConfigurationError,
    EmbedBridgeError,
    InvalidInputError,
    ModelCard,
)
from embedbridge.core import Embedder
from embedbridge.core.engine.local_driver import local_driver
from embedbridge.testing import FakeModel, RemoteFakeModel

EXPECTED = Embedder(FakeModel("small"))


class GatedModel(FakeModel):
    """Its first call waits until the gate is opened, so that a queue can form behind it."""

    def __init__(self, **limits: Any) -> None:
        super().__init__("small")
        self.limits = limits
        self.calls: list[list[str]] = []
        self.entered, self.gate = threading.Event(), threading.Event()
        self.react: Callable[[Batch], BatchResult | None] = lambda batch: None
        self._inside = threading.Lock()

    @property
    def card(self) -> ModelCard:
        card = super().card
        return replace(card, limits=replace(card.limits, **self.limits))

    def embed_batch(self, batch: Batch) -> BatchResult:
        assert self._inside.acquire(blocking=False), "called from two threads at once"
        try:
            self.calls.append(batch.texts)
            if len(self.calls) == 1:
                self.entered.set()
                self.gate.wait()
            return self.react(batch) or self.make_up(batch)
        finally:
            self._inside.release()


class Queue:
    """Callers in threads of their own, who stand in line in the order in which they came."""

    def __init__(self, model: GatedModel) -> None:
        self.model = model
        self.embedder = Embedder(model)
        self._pool = ThreadPoolExecutor(20)
        self._first = self._pool.submit(self.embedder.embed_query, "first")
        model.entered.wait()
        self._standing = 0

    def add(self, work: Callable[[], Any]) -> "Future[Any]":
        """Start one more caller, and wait until it stands in line."""
        future = self._pool.submit(work)
        self._standing += 1
        until(lambda: len(local_driver(self.model)._waiting) == self._standing)
        return future

    def query(self, text: str, **settings: Any) -> "Future[Any]":
        embedder = self.embedder.using(**settings)
        return self.add(lambda: embedder.embed_query(text))

    def release(self) -> None:
        """Let the first call return, and wait for everybody."""
        self.model.gate.set()
        self._first.result()
        self._pool.shutdown(wait=True)


def until(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.001)


def test_queries_that_wait_are_computed_in_one_call() -> None:
    """Five callers behind a busy model: exactly one more call, in the order in which they came."""
    queue = Queue(GatedModel())
    futures = [queue.query(text) for text in "abcde"]
    queue.release()

    assert queue.model.calls == [["first"], ["a", "b", "c", "d", "e"]]
    for text, future in zip("abcde", futures, strict=True):
        assert np.array_equal(future.result(), EXPECTED.embed_query(text))


def test_a_lone_query_waits_for_nobody() -> None:
    """No window: it is computed at once, alone, in the caller's own thread."""
    threads = []

    class Noting(FakeModel):
        def embed_batch(self, batch: Batch) -> BatchResult:
            threads.append(threading.current_thread())
            return super().embed_batch(batch)

    Embedder(Noting("small")).embed_query("a")

    assert threads == [threading.current_thread()]


@pytest.mark.parametrize(
    ("limits", "sizes"),
    [
        ({"max_items": 2}, [1, 2, 2, 1]),
        ({"max_items": 1}, [1, 1, 1, 1, 1, 1]),
        ({"max_tokens_per_request": 18}, [1, 3, 2]),
        ({"max_items_by_modality": {"text": 4}}, [1, 4, 1]),
    ],
    ids=["items", "no merging at all", "tokens", "items of the modality"],
)
def test_a_merged_call_keeps_the_limits(limits: dict[str, Any], sizes: list[int]) -> None:
    """What the model takes in one call holds for the callers' inputs together."""
    queue = Queue(GatedModel(**limits))
    for text in "abcde":
        queue.query(text)
    tokens = local_driver(queue.model)._waiting[0].batch.tokens
    queue.release()

    assert tokens in (5, 6) or "max_tokens_per_request" not in limits
    assert [len(call) for call in queue.model.calls] == sizes


def test_a_merged_call_keeps_the_users_batch_size() -> None:
    """Who asked for small calls because memory is short gets small calls."""
    queue = Queue(GatedModel())
    for text in "abcde":
        queue.query(text, batch_size=2)
    queue.release()

    assert [len(call) for call in queue.model.calls] == [1, 2, 2, 1]


def test_a_merged_call_counts_its_padding() -> None:
    """A long text beside short ones costs its length times their number."""
    model = GatedModel(max_tokens_per_request=500, pads=True)
    queue = Queue(model)
    queue.query("word " * 200)
    for text in "abcde":
        queue.query(text)
    queue.release()

    assert [len(call) for call in model.calls] == [1, 1, 5]


def test_other_kinds_of_requests_are_not_merged_and_nobody_is_overtaken() -> None:
    """Queries, documents and queries again are three calls, in that order."""
    queue = Queue(GatedModel())
    queue.query("a")
    queue.query("b")
    queue.add(lambda: queue.embedder.embed_documents(["c"]))
    queue.query("d")
    queue.release()

    assert queue.model.calls == [["first"], ["a", "b"], ["c"], ["d"]]


def test_a_bad_member_of_a_merged_call_fails_alone() -> None:
    """It gets its own error, about its own input; the others get their vectors."""

    def poison(batch: Batch) -> BatchResult | None:
        if "poison" in batch.texts:
            raise InvalidInputError("It is poison.", index=batch.texts.index("poison"))
        return None

    queue = Queue(GatedModel())
    queue.model.react = poison
    good, bad, last = (queue.query(text) for text in ("a", "poison", "b"))
    queue.release()

    assert np.array_equal(good.result(), EXPECTED.embed_query("a"))
    assert np.array_equal(last.result(), EXPECTED.embed_query("b"))
    with pytest.raises(InvalidInputError, match="Input 0: It is poison"):
        bad.result()


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda batch: BatchResult(vectors=np.ones((1, 8), np.float32)), id="too few"),
        pytest.param(lambda batch: BatchResult(vectors=np.float32(1)), id="a number"),  # type: ignore[arg-type]
        pytest.param(lambda batch: BatchResult(vectors=None), id="nothing"),  # type: ignore[arg-type]
        pytest.param(lambda batch: "nonsense", id="no answer at all"),
        pytest.param(
            lambda batch: BatchResult(vectors=np.ones((3, 8), np.float32), truncated=[True]),
            id="flags for one",
        ),
    ],
)
def test_a_merged_answer_that_cannot_be_shared_out_is_asked_again(answer: Any) -> None:
    """Each request is then computed alone; nobody gets a neighbour's vector, or none."""
    queue = Queue(GatedModel())
    queue.model.react = lambda batch: answer(batch) if len(batch) > 1 else None
    futures = [queue.query(text) for text in "abc"]
    queue.release()

    assert queue.model.calls == [["first"], ["a", "b", "c"], ["a"], ["b"], ["c"]]
    for text, future in zip("abc", futures, strict=True):
        assert np.array_equal(future.result(), EXPECTED.embed_query(text))


def test_a_model_that_answers_nothing_is_told_so() -> None:
    """The error names what is wrong with the model, not with the engine."""

    class Forgetful(FakeModel):
        def embed_batch(self, batch: Batch) -> BatchResult:
            return None  # type: ignore[return-value]  # that is the point

    with pytest.raises(EmbedBridgeError, match="NoneType, not a BatchResult"):
        Embedder(Forgetful("small")).embed_query("a")


def test_flags_of_a_merged_answer_go_to_their_requests() -> None:
    """Who was cut is told so, and nobody else."""
    queue = Queue(GatedModel())
    inner = queue.model.make_up
    queue.model.react = lambda batch: replace(
        inner(batch), truncated=[text == "b" for text in batch.texts]
    )
    futures = [
        queue.add(lambda text=text: queue.embedder.embed([text], role="query"))  # type: ignore[misc]
        for text in "abc"
    ]
    queue.release()

    assert [future.result().truncated.tolist() for future in futures] == [[False], [True], [False]]


def test_ctrl_c_in_the_thread_that_serves_does_not_hang_the_others() -> None:
    """The interrupt ends that caller only; those who wait are served by the next."""
    queue = Queue(GatedModel())

    def interrupt_once(batch: Batch) -> BatchResult | None:
        if len(queue.model.calls) == 2:
            raise KeyboardInterrupt
        return None

    queue.model.react = interrupt_once
    futures = [queue.query(text) for text in "abc"]
    queue.release()
    outcomes = [future.exception() for future in futures]

    assert [type(error) for error in outcomes].count(KeyboardInterrupt) == 1
    for text, future in zip("abc", futures, strict=True):
        if future.exception() is None:
            assert np.array_equal(future.result(), EXPECTED.embed_query(text))
    assert EXPECTED.embed_query("d").tolist() == queue.embedder.embed_query("d").tolist()


def test_a_query_does_not_wait_for_the_end_of_a_bulk_job() -> None:
    """It is served between two batches of the job."""
    model = GatedModel(max_items=1)
    bulk = ThreadPoolExecutor(1).submit(Embedder(model).embed_documents, ["1", "2", "3", "4"])
    model.entered.wait()
    query = ThreadPoolExecutor(1).submit(Embedder(model).embed_query, "why?")
    until(lambda: len(local_driver(model)._waiting) == 1)
    model.gate.set()
    query.result()

    assert np.array_equal(bulk.result(), EXPECTED.embed_documents(["1", "2", "3", "4"]))
    assert model.calls.index(["why?"]) == 1


def test_many_threads_get_what_one_would() -> None:
    """Sixteen threads on one model, merged as chance will have it: every vector is right."""
    model = GatedModel()
    model.gate.set()
    embedders = [Embedder(model), Embedder(model).using(batch_size=3)]

    def work(number: int) -> bool:
        embedder = embedders[number % 2]
        texts = [f"{number}-{step}" for step in range(20)]
        queries = np.stack([embedder.embed_query(text) for text in texts])
        documents = embedder.embed_documents(texts)
        return np.array_equal(queries, EXPECTED.embed_queries(texts)) and np.array_equal(
            documents, EXPECTED.embed_documents(texts)
        )

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(work, range(16)))


def wait_for_others(model: GatedModel) -> None:
    """Until there are requests that can be merged."""
    while len(local_driver(model)._waiting) < 2:
        time.sleep(0.001)


async def test_more_async_callers_than_threads_all_get_their_vectors() -> None:
    """A hundred at once; the event loop goes on meanwhile."""
    model = GatedModel()
    embedder = Embedder(model)
    texts = [f"text {number}" for number in range(100)]
    tasks = [asyncio.create_task(embedder.aembed_query(text)) for text in texts]
    await asyncio.to_thread(model.entered.wait)
    await asyncio.to_thread(wait_for_others, model)
    model.gate.set()  # this line runs: the loop is not blocked while the model computes

    assert np.array_equal(await asyncio.gather(*tasks), EXPECTED.embed_queries(texts))
    assert len(model.calls) < 100


async def test_a_cancelled_async_job_stops_between_two_batches() -> None:
    """Nobody computes for hours what nobody wants any more."""
    model = GatedModel(max_items=1)
    task = asyncio.create_task(Embedder(model).aembed_documents([str(n) for n in range(50)]))
    await asyncio.to_thread(model.entered.wait)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    model.gate.set()
    await asyncio.to_thread(Embedder(model).embed_query, "why?")

    assert len(model.calls) <= 3


def test_a_model_that_nobody_holds_is_freed() -> None:
    """Gigabytes of weights do not stay because the engine once called them."""
    model = FakeModel("small")
    Embedder(model).embed_query("a")
    gone = weakref.ref(model)
    del model
    gc.collect()

    assert gone() is None


def test_a_model_that_cannot_be_loaded_fails_for_its_own_caller() -> None:
    """It is loaded before its request waits: who serves the queue cannot meet the error of another."""
    serving = []

    class Equal(FakeModel):
        @property
        def shared_weights(self) -> object:
            return shared

    class Broken(Equal):
        @property
        def card(self) -> ModelCard:
            serving.append(local_driver(self)._server)
            raise ConfigurationError("The folder is gone.")

    shared = FakeModel("small")
    broken, good = Broken("small"), Equal("small")
    batch = Batch(inputs=["text"], modality="text", role="query")
    with pytest.raises(ConfigurationError, match="gone"):
        local_driver(broken).call(broken, batch)

    assert serving == [None]
    assert local_driver(good) is local_driver(broken)
    assert local_driver(good).call(good, batch).vectors.shape == (1, 8)


@pytest.mark.parametrize("model", [FakeModel, RemoteFakeModel])
def test_without_asyncio_an_async_method_says_what_to_do(model: type[FakeModel]) -> None:
    """Trio takes a coroutine's steps itself, and answers nothing that asyncio waits for."""
    step = Embedder(model("small")).aembed_query("a text")
    with pytest.raises(ConfigurationError, match=r"asyncio.*trio\.to_thread"):
        step.send(None)
