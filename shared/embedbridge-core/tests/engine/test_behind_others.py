"""A job waits for the requests of other jobs no longer than its own settings say. Time is virtual here."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Literal

import pytest

from embedbridge.contract import Batch, BatchResult, RateLimitedError, RequestTimeoutError
from embedbridge.core import Embedder, EmbeddingResult, RateLimiter
from embedbridge.core.engine.pipeline import prepare
from embedbridge.core.engine.remote_driver import embed_remotely
from embedbridge.core.engine.scatter import scatter
from embedbridge.testing import RemoteFakeModel
from embedbridge.testing.virtual_time import JumpingLoop

SLOW = 100.0


class SlowModel(RemoteFakeModel):
    """Answers each text after a while of its own."""

    def __init__(self) -> None:
        super().__init__("small")
        self.seconds: dict[str, float] = {}
        """By text; an answer comes at once where it is left out."""
        self.refusals: dict[str, list[RateLimitedError]] = {}
        self.sent: list[tuple[float, tuple[str, ...]]] = []

    async def embed_batch(self, batch: Batch) -> BatchResult:
        self.sent.append((now(), tuple(batch.texts)))
        await asyncio.sleep(0.01)
        for text in batch.texts:
            if self.refusals.get(text):
                raise self.refusals[text].pop()
        await asyncio.sleep(max(self.seconds.get(text, 0.0) for text in batch.texts))
        return self.make_up(batch)


def now() -> float:
    return asyncio.get_running_loop().time()


async def embed(embedder: Embedder, texts: list[str]) -> EmbeddingResult:
    """As `aembed` does, on this loop."""
    job, planned = prepare(embedder._spec("document", None, progress=False), texts)
    await embed_remotely(job, planned)
    return scatter(job)


def run(story: Callable[[SlowModel, Embedder], Coroutine[Any, Any, None]]) -> None:
    model = SlowModel()
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        runner.run(story(model, Embedder(model).using(deadline=1000)))


async def begin(embedder: Embedder, texts: list[str]) -> asyncio.Task[EmbeddingResult]:
    """Begin a job, and let its first requests go out."""
    task = asyncio.create_task(embed(embedder, texts))
    await asyncio.sleep(0.1)
    return task


def test_a_refused_job_waits_for_the_server_and_not_for_another_job() -> None:
    """Its deadline runs meanwhile; that of a job which waits for its own requests does not."""

    async def story(model: SlowModel, embedder: Embedder) -> None:
        model.seconds = {"slow": SLOW}
        model.refusals = {
            "query": [RateLimitedError("slow down", retry_after=1.0)],
            "never": [RateLimitedError("slow down") for _ in range(99)],
            "own": [RateLimitedError("slow down") for _ in range(10)],
        }
        bulk = await begin(embedder, ["slow"])
        begun = now()
        await embed(embedder.using(deadline=3), ["query"])
        assert now() - begun < 1.5
        with pytest.raises(RequestTimeoutError):
            await embed(embedder.using(deadline=3), ["never"])
        assert now() - begun < 5
        assert not bulk.done()
        await bulk
        result = await embed(embedder.using(deadline=SLOW + 5, batch_size=1), ["slow", "own"])
        assert result.ok.all()

    run(story)


@pytest.mark.parametrize("errors", ["raise", "collect"])
def test_who_joins_a_request_has_a_deadline_of_its_own(errors: Literal["raise", "collect"]) -> None:
    """It passes for this job alone: the request lives on, for the job that made it."""

    async def story(model: SlowModel, embedder: Embedder) -> None:
        model.seconds = {"slow": SLOW}
        bulk = await begin(embedder, ["slow"])
        begun, hasty = now(), embedder.using(deadline=2, errors=errors)
        if errors == "raise":
            with pytest.raises(RequestTimeoutError, match="within 2 s"):
                await embed(hasty, ["slow"])
        else:
            result = await embed(hasty, ["slow", "quick"])
            assert {n: type(e) for n, e in result.errors.items()} == {0: RequestTimeoutError}
            assert result.ok.tolist() == [False, True]
        assert now() - begun == pytest.approx(2)
        assert (await bulk).ok.all()
        assert sum("slow" in texts for _, texts in model.sent) == 1

    run(story)


def test_a_text_in_the_queue_of_a_limiter_is_asked_for_by_who_has_none() -> None:
    """One request per minute for the other job: nobody else waits for that, nor sends it twice."""

    async def story(model: SlowModel, embedder: Embedder) -> None:
        limiter = RateLimiter(requests_per_minute=1, clock=asyncio.get_running_loop().time)
        limited = Embedder(model, limiter=limiter).using(deadline=1000, batch_size=1)
        bulk = await begin(limited, ["a", "b", "c"])
        begun = now()
        assert (await embed(embedder.using(deadline=2), ["c"])).ok.all()
        assert now() - begun < 1
        # Whoever waits for the same limiter does share the request, however long that takes.
        joined = await begin(limited, ["b"])
        assert (await joined).ok.all()
        assert now() == pytest.approx(60, abs=1)
        assert (await bulk).ok.all()
        assert sum("b" in texts for _, texts in model.sent) == 1

    run(story)


def test_the_wait_for_a_limiter_is_on_nobodys_clock() -> None:
    """Two jobs with a deadline of 5 s share a request that a limiter lets out after a minute."""

    async def story(model: SlowModel, embedder: Embedder) -> None:
        limiter = RateLimiter(requests_per_minute=1, clock=asyncio.get_running_loop().time)
        limited = Embedder(model, limiter=limiter).using(deadline=5)
        await embed(limited, ["a"])
        jobs = [await begin(limited, ["b"]) for _ in range(2)]
        assert all(result.ok.all() for result in await asyncio.gather(*jobs))
        assert [texts for _, texts in model.sent] == [("a",), ("b",)]
        model.seconds = {"c": 4.0}
        jobs = [await begin(limited, ["c"]) for _ in range(2)]
        assert all(result.ok.all() for result in await asyncio.gather(*jobs))

    run(story)
