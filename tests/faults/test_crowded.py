"""A server that takes 8 requests at once gets 32: the job learns, and nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from embedbridge.contract import (
    BatchFinished,
    Event,
    QuotaExhaustedError,
    RateLimitedError,
    RequestTimeoutError,
    hookimpl,
)
from embedbridge.testing import Fault, FaultServer, faults

from .conftest import Load
from .routes import Route

Right = Callable[..., bool]

WANTED = 32
BORNE = 8
TEXTS = [f"text {number}" for number in range(300)]
CROWDED = faults.crowded(BORNE, seconds=0.005)
FEW = (WANTED - BORNE) + BORNE + len(TEXTS) // 10
"""Refusals: those of the two flights that it takes to find out, and then hardly any."""


def refused(server: FaultServer) -> int:
    server.wait_until_idle()
    return sum(request.status == 429 for request in server.requests)


def test_a_crowded_server(server: FaultServer, load: Load, route: Route, right: Right) -> None:
    """Through every door: all vectors come, in order, and few requests are refused."""
    server.always(CROWDED)
    found = route.through(load(batch_size=1, max_concurrency=WANTED)).documents(TEXTS)

    assert right(found, TEXTS)
    assert refused(server) == len(server.requests) - len(TEXTS)
    assert refused(server) <= FEW


def test_it_may_say_when_to_come_back(
    server: FaultServer, load: Load, route: Route, right: Right
) -> None:
    """The same with `Retry-After`: then nobody asks meanwhile, and all is well as before."""
    server.always(faults.crowded(BORNE, seconds=0.005, retry_after="0.05"))
    found = route.through(load(batch_size=1, max_concurrency=WANTED)).documents(TEXTS)

    assert right(found, TEXTS)
    assert refused(server) <= FEW


class Listener:
    def __init__(self) -> None:
        self.attempts = 0

    @hookimpl
    def embedbridge_event(self, event: Event) -> None:
        if isinstance(event, BatchFinished):
            self.attempts += event.attempts


def test_the_books_are_true(server: FaultServer, load: Load) -> None:
    """Every request is counted as one, in result and events; every text is paid for once."""
    embedder, listener = load(batch_size=1), Listener()
    expected = embedder.embed(TEXTS, role="document").usage
    asked = len(server.requests)
    server.always(CROWDED)
    crowded = embedder.using(max_concurrency=WANTED, listeners=[listener])
    result = crowded.embed(TEXTS, role="document")

    assert refused(server) > 0
    assert result.requests == listener.attempts == len(server.requests) - asked
    assert result.usage == expected


def test_all_jobs_of_the_process_learn_together(
    server: FaultServer, load: Load, right: Right
) -> None:
    """Threads and tasks, two embedders and two models, one endpoint: no more than it bears."""
    server.always(CROWDED)
    small = load(batch_size=1, max_concurrency=WANTED)
    other = load("openai:text-embedding-3-large", batch_size=1, dimensions=8)
    jobs = [[f"{number} {text}" for text in TEXTS[:100]] for number in range(4)]

    async def two() -> list[Any]:
        asked = small.aembed_documents(jobs[0]), other.aembed_documents(jobs[1])
        return list(await asyncio.gather(*asked))

    with ThreadPoolExecutor(2) as pool:
        threads = [
            pool.submit(small.embed_documents, jobs[2]),
            pool.submit(other.embed_documents, jobs[3]),
        ]
        found = [*asyncio.run(two()), *(thread.result() for thread in threads)]

    large = {"model": "text-embedding-3-large", "dimensions": 8}
    assert right(found[0], jobs[0])
    assert right(found[2], jobs[2])
    assert right(found[1], jobs[1], **large)
    assert right(found[3], jobs[3], **large)
    assert refused(server) <= 2 * (WANTED + BORNE)


@pytest.mark.parametrize(
    "fault", [faults.rate_limited(retry_after=None), faults.rate_limited(retry_after="0.02")]
)
def test_a_server_that_refuses_all(
    server: FaultServer, load: Load, route: Route, fault: Fault
) -> None:
    """Nobody is answered, so each batch has its three attempts, and the error is the server's."""
    server.always(fault)
    with pytest.raises(RateLimitedError, match="Rate limit reached") as caught:
        route.through(load(batch_size=1, max_concurrency=WANTED)).documents(TEXTS)

    assert caught.value.attempts == 3
    assert len(server.requests) <= 3 * WANTED


def test_each_input_may_have_its_own_refusal(server: FaultServer, load: Load) -> None:
    """`errors="collect"` ends as well, with three requests per batch."""
    server.always(faults.rate_limited(retry_after=None))
    embedder = load(batch_size=10, max_concurrency=WANTED, errors="collect")
    result = embedder.embed(TEXTS, role="document")

    assert len(result.errors) == len(TEXTS)
    assert {type(error) for error in result.errors.values()} == {RateLimitedError}
    assert len(server.requests) == 3 * len(TEXTS) / 10


def test_an_exhausted_quota_is_no_crowd(server: FaultServer, load: Load, route: Route) -> None:
    """It is also a 429, and yet nothing is asked twice."""
    server.always(faults.quota_exhausted())
    with pytest.raises(QuotaExhaustedError):
        route.through(load(batch_size=1, max_concurrency=WANTED)).documents(TEXTS)

    assert len(server.requests) <= WANTED


def test_a_cancelled_job_leaves_its_places(server: FaultServer, load: Load, right: Right) -> None:
    """Refused, waiting and in flight: when the job goes, the next one finds all places free."""
    embedder = load(batch_size=1, max_concurrency=WANTED)
    server.always(faults.crowded(BORNE, seconds=3600))

    async def give_up() -> None:
        job = asyncio.create_task(embedder.aembed_documents(TEXTS))
        await asyncio.to_thread(server.wait_for, WANTED)
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job

    asyncio.run(give_up())
    server.wait_until_idle()
    server.always(CROWDED)

    assert right(embedder.embed_documents(TEXTS), TEXTS)


def test_the_deadline_ends_it(server: FaultServer, load: Load, route: Route) -> None:
    """Those that are served never end, the others are refused: it is over when time is."""
    server.always(faults.crowded(BORNE, seconds=3600))
    with pytest.raises(RequestTimeoutError):
        route.through(load(batch_size=1, max_concurrency=WANTED, deadline=0.5)).documents(TEXTS)

    assert len(server.requests) <= 2 * WANTED
