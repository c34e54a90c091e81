"""One object per server and account holds all that the process knows of it."""

import asyncio
import gc
import os
from collections import Counter, OrderedDict
from collections.abc import Hashable
from concurrent.futures import ThreadPoolExecutor

import pytest

from embedbridge.contract import Batch, BatchResult, EmbeddingModel
from embedbridge.core import Embedder
from embedbridge.core.remote import endpoint as endpoints
from embedbridge.core.remote.endpoint import KEPT, SECONDS_KEPT, endpoint_of, forget_endpoints
from embedbridge.core.remote.loop import background_loop
from embedbridge.testing import FakeModel, RemoteFakeModel


class OneServer(RemoteFakeModel):
    """Counts who is in flight, by the first letter of the text, and holds until it is opened."""

    def __init__(self, endpoint: Hashable, name: str = "small") -> None:
        super().__init__(name)
        self.asked = 0
        self.inside: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.arrivals: asyncio.Queue[None] = asyncio.Queue()
        self.opened = asyncio.Event()
        self._where = endpoint

    @property
    def endpoint(self) -> Hashable:
        self.asked += 1
        return self._where

    async def embed_batch(self, batch: Batch) -> BatchResult:
        kinds = (batch.texts[0][0], "all")
        for kind in kinds:
            self.inside[kind] += 1
            self.most[kind] = max(self.most[kind], self.inside[kind])
        self.arrivals.put_nowait(None)
        await self.opened.wait()
        for _ in range(3):  # turns of the loop, in which others could be let in wrongly
            await asyncio.sleep(0)
        for kind in kinds:
            self.inside[kind] -= 1
        return self.make_up(batch)


def test_embedders_with_different_limits_share_the_higher_one() -> None:
    """8 and 4 on one endpoint: never more than 8 together, nor more than 4 of the one with 4."""
    model = OneServer("here")
    wide, narrow = (Embedder(model).using(batch_size=1, max_concurrency=n) for n in (8, 4))

    async def both_have_some() -> None:
        while model.inside["n"] < 4:  # noqa: ASYNC110  # turns of the loop, no pause
            await asyncio.sleep(0)
        while model.inside["all"] < 8:  # noqa: ASYNC110
            await asyncio.sleep(0)
        model.opened.set()

    with ThreadPoolExecutor(4) as pool:
        narrow_jobs = [
            pool.submit(narrow.embed_documents, [f"n {job} {n}" for n in range(20)])
            for job in range(2)
        ]
        background_loop().run(model.arrivals.get())
        wide_jobs = [
            pool.submit(wide.embed_documents, [f"w {job} {n}" for n in range(20)])
            for job in range(2)
        ]
        background_loop().run(both_have_some())
        for jobs, kind in ((narrow_jobs, "n"), (wide_jobs, "w")):
            for number, job in enumerate(jobs):
                expected = [f"{kind} {number} {n}" for n in range(20)]
                vectors = Embedder(FakeModel("small")).embed_documents(expected)
                assert (job.result() == vectors).all()

    assert model.most["all"] == 8
    assert model.most["n"] == 4


def test_a_job_finds_its_endpoint_once() -> None:
    """However many inputs and requests: computing an endpoint may cost a digest of credentials."""
    model = OneServer("there")
    background_loop().run(_call(model.opened.set))
    embedder = Embedder(model).using(batch_size=1, requests_per_minute=1000)
    embedder.embed_documents([str(number) for number in range(30)])

    assert model.asked == 1


async def _call(function: object) -> None:
    function()  # type: ignore[operator]


def test_one_endpoint_one_object() -> None:
    """Models of one server and account share it, and no others do; so it is with limiters."""
    first, second, other = OneServer("a"), OneServer("a"), OneServer("b")
    endpoint = endpoint_of(first)

    assert endpoint_of(second) is endpoint
    assert endpoint_of(other) is not endpoint
    assert endpoint.limiter(None, None) is None
    assert endpoint.limiter(10, None) is endpoint.limiter(10, None)
    assert endpoint.limiter(10, None) is not endpoint.limiter(20, None)
    assert endpoint.limiter(10, None) is not endpoint_of(other).limiter(10, None)


@pytest.mark.parametrize("kind", [FakeModel, RemoteFakeModel])
def test_the_endpoint_of_one_model_goes_with_it(kind: type[EmbeddingModel]) -> None:
    """A worker that gets a copy of a model for each task, by pickle, keeps nothing of those that are gone."""
    before = set(endpoints._endpoints)
    for _ in range(20):
        Embedder(kind("small")).embed_documents(["a"])
    gc.collect()

    assert set(endpoints._endpoints) - before == set()


def test_what_was_learned_of_a_server_stays() -> None:
    """Its address and account may come again with the next model."""
    endpoint = endpoint_of(OneServer("stays"))
    gc.collect()

    assert endpoint_of(OneServer("stays")) is endpoint


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No endpoint was asked for lately."""
    monkeypatch.setattr(endpoints, "_latest", OrderedDict())


def known(prefix: str) -> int:
    """How many endpoints of that name there are."""
    gc.collect()
    return sum(str(name).startswith(prefix) for name in list(endpoints._endpoints))


@pytest.mark.usefixtures("alone")
def test_an_endpoint_that_nobody_has_is_forgotten() -> None:
    """A service may make an embedder for each request, with a key of its own each time."""
    for number in range(200):
        endpoint_of(OneServer(f"tenant {number}"))

    assert known("tenant") == KEPT
    assert known("tenant 199") == 1


@pytest.mark.usefixtures("alone")
def test_as_long_as_a_model_lives_its_endpoint_does() -> None:
    """However many others come: its limits and requests in flight are those of all its jobs."""
    model = OneServer("alive")
    endpoint = endpoint_of(model)
    for number in range(200):
        endpoint_of(OneServer(f"other {number}"))

    assert endpoint_of(OneServer("alive")) is endpoint
    assert endpoint_of(model) is endpoint


@pytest.mark.usefixtures("alone")
def test_a_budget_is_not_forgotten_within_its_minute() -> None:
    """Nor is a pause: for two minutes the next embedder finds what the last one spent."""
    now = 1000.0
    for number in range(200):
        endpoint = endpoint_of(OneServer(f"limited {number}"), now=now)
        if number % 2:
            endpoint.limiter(10, None)
        else:
            endpoint.slots.opens = 7.0
    del endpoint

    assert known("limited") == 200
    endpoint_of(OneServer("limited, later"), now=now + SECONDS_KEPT)
    assert known("limited") == KEPT


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_knows_no_endpoint() -> None:
    """What is known belongs to the parent's loop: slots, requests, and minutes that it spent."""
    model = OneServer("forked")
    endpoint = endpoint_of(model)
    limiter = endpoint.limiter(10, None)
    child = os.fork()
    if child == 0:
        anew = endpoint_of(model)
        os._exit(7 if anew is not endpoint and anew.limiter(10, None) is not limiter else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert endpoint_of(model) is endpoint


def test_a_server_can_be_forgotten() -> None:
    """All accounts at one host and port, and nothing else: test servers get used ports again."""
    here, path = OneServer(("h:1", "one")), OneServer(("h:1/v1", "two"))
    other, own = OneServer(("h:10", "one")), OneServer("h:1")
    before = [endpoint_of(model) for model in (here, path, other, own)]
    forget_endpoints("h:1")
    after = [endpoint_of(model) for model in (here, path, other, own)]

    kept = [new is old for new, old in zip(after, before, strict=True)]
    assert kept == [False, False, True, True]
