"""Request coalescing: concurrent callers that ask for the same thing share one request."""

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from embedbridge.contract import Batch, BatchResult, Image, ProviderUnavailableError, Usage
from embedbridge.core import Embedder, Settings, UsageMeter
from embedbridge.core.engine.pipeline import prepare
from embedbridge.core.engine.remote_driver import embed_remotely
from embedbridge.core.engine.scatter import scatter
from embedbridge.core.remote.endpoint import endpoint_of
from embedbridge.core.remote.loop import background_loop
from embedbridge.testing import FakeModel, RemoteFakeModel, tiny_png


class GatedModel(RemoteFakeModel):
    """Answers when the gate is opened, and remembers what it was asked."""

    def __init__(self, name: str = "small") -> None:
        super().__init__(name)
        self.batches: list[list[str]] = []
        self.cancelled = 0
        self.fail: Callable[[Batch], bool] = lambda batch: False
        self._arrived: asyncio.Queue[None] = asyncio.Queue()
        self._gate = asyncio.Event()

    async def embed_batch(self, batch: Batch) -> BatchResult:
        self.batches.append(list(batch.texts))
        self._arrived.put_nowait(None)
        try:
            await self._gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.fail(batch):
            raise ProviderUnavailableError("down")
        return self.make_up(batch)

    async def arrived(self) -> None:
        """Wait, on the caller's loop, until one more request has arrived."""
        await asyncio.wrap_future(background_loop().start(self._arrived.get()))

    async def open(self) -> None:
        async def set_gate() -> None:
            self._gate.set()

        await asyncio.wrap_future(background_loop().start(set_gate()))


@pytest.fixture
def model() -> GatedModel:
    return GatedModel()


@pytest.fixture
def embedder(model: GatedModel) -> Embedder:
    return Embedder(model, settings=Settings(max_attempts=1))


EXPECTED = Embedder(FakeModel("small"))


async def test_callers_of_the_same_moment_share_a_request(
    model: GatedModel, embedder: Embedder
) -> None:
    """Two jobs that advance step by step with each other find each other all the same."""
    jobs = [prepare(embedder._spec("document", None, progress=False), ["a"]) for _ in range(2)]

    async def both() -> None:
        await asyncio.gather(*(embed_remotely(job, planned) for job, planned in jobs))

    work = background_loop().start(both())
    await model.arrived()
    await model.open()
    await asyncio.wrap_future(work)

    assert model.batches == [["a"]]
    for job, _ in jobs:
        assert np.array_equal(scatter(job).vectors, EXPECTED.embed_documents(["a"]))


async def all_wait(model: GatedModel, waiters: int) -> None:
    """Wait until so many callers wait for the one request that there is."""

    async def look() -> None:
        # Nobody sets an event when a caller joins, hence the look at every turn of the loop.
        (request,) = endpoint_of(model).requests.all()
        while request.waiters != waiters:  # noqa: ASYNC110
            await asyncio.sleep(0)  # one turn of the loop, not a pause

    await asyncio.wrap_future(background_loop().start(look()))


async def until_worked_off() -> None:
    """Let the background loop do everything that is due: it keeps the order."""
    for _ in range(5):
        await asyncio.wrap_future(background_loop().start(asyncio.sleep(0)))


async def test_the_same_question_is_asked_once(model: GatedModel, embedder: Embedder) -> None:
    """Ten callers, one request, ten right answers."""
    first = asyncio.create_task(embedder.aembed_query("why?"))
    await model.arrived()
    others = [asyncio.create_task(embedder.aembed_query("why?")) for _ in range(9)]
    await all_wait(model, 10)
    await model.open()
    answers = await asyncio.gather(first, *others)

    assert model.batches == [["why?"]]
    assert all(np.array_equal(answer, EXPECTED.embed_query("why?")) for answer in answers)


async def test_only_what_is_missing_is_asked(model: GatedModel, embedder: Embedder) -> None:
    """A job whose inputs are partly in flight asks for the others alone, and keeps its order."""
    first = asyncio.create_task(embedder.aembed_documents(["a", "b"]))
    await model.arrived()
    second = asyncio.create_task(embedder.aembed_documents(["c", "b", "d"]))
    await model.arrived()
    await model.open()

    assert np.array_equal(await second, EXPECTED.embed_documents(["c", "b", "d"]))
    assert np.array_equal(await first, EXPECTED.embed_documents(["a", "b"]))
    assert sorted(model.batches[1]) == ["c", "d"]


async def test_one_waiter_leaving_does_not_cancel_the_others(
    model: GatedModel, embedder: Embedder
) -> None:
    """Even the caller who asked first may give up; who still waits gets the answer."""
    first = asyncio.create_task(embedder.aembed_documents(["a"]))
    await model.arrived()
    second = asyncio.create_task(embedder.aembed_documents(["a", "b"]))
    await model.arrived()  # its own request for b: it is waiting for a by now
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    await until_worked_off()
    await model.open()

    assert np.array_equal(await second, EXPECTED.embed_documents(["a", "b"]))
    assert model.batches == [["a"], ["b"]]
    assert model.cancelled == 0


async def test_who_takes_the_answer_counts_what_it_cost(
    model: GatedModel, embedder: Embedder
) -> None:
    """If the caller who asked first gives up, the vector was paid for all the same."""
    meter = UsageMeter()
    metered = embedder.using(listeners=[meter])
    expected = EXPECTED.embed(["a", "b"], role="document").usage
    first = asyncio.create_task(metered.aembed_documents(["a", "b"]))
    await model.arrived()
    second = asyncio.create_task(metered.aembed_documents(["a"]))
    await all_wait(model, 2)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    await until_worked_off()
    await model.open()
    await second

    assert (meter.totals.usage, meter.totals.requests) == (expected, 1)


@pytest.mark.parametrize("asked", ["a", Image.from_bytes(tiny_png())], ids=["text", "image"])
async def test_a_shared_request_is_counted_once(asked: Any) -> None:
    """Its tokens and its images, by the caller who asked first."""

    class WaitsForTwo(RemoteFakeModel):
        async def embed_batch(self, batch: Batch) -> BatchResult:
            (request,) = endpoint_of(self).requests.all()
            while request.waiters < 2:  # noqa: ASYNC110  # one turn of the loop, not a pause
                await asyncio.sleep(0)
            return self.make_up(batch)

    meter = UsageMeter()
    embedder = Embedder(WaitsForTwo("small"), listeners=[meter])
    results = await asyncio.gather(*(embedder.aembed([asked], role="document") for _ in range(2)))
    usages = [result.usage for result in results]

    assert sorted(usages, key=str) == sorted(
        [Usage(), EXPECTED.embed([asked], role="document").usage], key=str
    )
    assert meter.totals.usage == usages[0] + usages[1]


async def test_the_last_waiter_leaving_cancels_the_request(
    model: GatedModel, embedder: Embedder
) -> None:
    """Nobody pays for an answer that nobody wants."""
    only = asyncio.create_task(embedder.aembed_documents(["a"]))
    await model.arrived()
    only.cancel()
    with pytest.raises(asyncio.CancelledError):
        await only
    await until_worked_off()

    assert model.cancelled == 1


async def test_a_failed_request_of_others_is_asked_again(
    model: GatedModel, embedder: Embedder
) -> None:
    """What failed for another job may have failed for an input that is not ours."""
    model.fail = lambda batch: "poison" in batch.texts
    first = asyncio.create_task(embedder.aembed_documents(["good", "poison"]))
    await model.arrived()
    second = asyncio.create_task(embedder.aembed_documents(["good", "mine"]))
    await model.arrived()
    await model.open()
    with pytest.raises(ProviderUnavailableError):
        await first

    assert np.array_equal(await second, EXPECTED.embed_documents(["good", "mine"]))
    assert model.batches[2] == ["good"]


async def test_queries_and_documents_are_different_questions(
    model: GatedModel, embedder: Embedder
) -> None:
    """The role is part of what is asked."""
    query = asyncio.create_task(embedder.aembed_query("a"))
    await model.arrived()
    document = asyncio.create_task(embedder.aembed_documents(["a"]))
    await model.arrived()
    await model.open()

    assert np.array_equal(await query, EXPECTED.embed_query("a"))
    assert np.array_equal((await document)[0], EXPECTED.embed_documents(["a"])[0])
