"""One budget for the workers of a real Ray cluster."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pytest

from embedbridge.bulk import Columns, EmbedStage
from embedbridge.bulk.budget import RayRateLimiter
from embedbridge.bulk.budget.leasing import _Request
from embedbridge.bulk.budget.ledger import LONGEST, Ledger, valid_for
from embedbridge.testing import FaultServer, faults

ray = pytest.importorskip("ray")
pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own
KEYS = {"OPENAI_API_KEY": "sk-for-tests"}
"""Each worker has its own in its environment: no secret travels."""
WORKERS = 4


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"  # else Ray warns in each worker
    ray.init(
        address="local", num_cpus=WORKERS, include_dashboard=False, runtime_env={"env_vars": KEYS}
    )
    yield
    ray.shutdown()


class Worker:
    """An actor that embeds tables with a stage."""

    def __init__(self, stage: EmbedStage) -> None:
        self.stage = stage

    def embed(self, numbers: range) -> int:
        table = self.stage(pa.table({"text": [f"text {number}" for number in numbers]}))
        return int(table.column("vector").null_count)


def workers(server: FaultServer, limiter: RayRateLimiter) -> list[Any]:
    """Actors with the same stage."""
    stage = EmbedStage(
        "openai:text-embedding-3-small",
        Columns(text="text"),
        base_url=server.url,
        api_key=KEYS["OPENAI_API_KEY"],
        dimensions=8,
        batch_size=1,
        limiter=limiter,
    )
    kind = ray.remote(Worker)
    return [kind.options(num_cpus=1).remote(stage) for _ in range(WORKERS)]


def embed(actors: list[Any], count: int) -> None:
    """All at the same time, and all without an error."""
    parts = [range(number, count, WORKERS) for number in range(WORKERS)]
    jobs = [actor.embed.remote(part) for actor, part in zip(actors, parts, strict=True)]
    assert sum(ray.get(jobs)) == 0


def in_ledger(limiter: RayRateLimiter, look: Callable[[Ledger], Any]) -> Any:
    """Something of the ledger in the actor."""
    return ray.get(limiter._actor.__ray_call__.remote(lambda actor: look(actor._ledger)))


def most_in_a_second(moments: list[float]) -> int:
    return max(sum(0 <= other - moment < 1 for other in moments) for moment in moments)


def test_no_second_holds_more_than_ten() -> None:
    """Four workers send 300 requests; what a busy machine makes of them on their way is only shown."""
    limiter = RayRateLimiter("ten a second", requests_per_second=10)
    with FaultServer(dimensions=8) as server:
        embed(workers(server, limiter), 300)
        came = sorted(request.began for request in server.requests)
    limiter.acquire(1)
    granted = in_ledger(
        limiter, lambda ledger: [one.start for one in ledger.leases for _ in range(one.requests)]
    )
    limiter.remove()

    seconds, most = came[-1] - came[0], most_in_a_second(came)
    print(f"\n{len(came)} requests in {seconds:.1f} s, at most {most} came in a second")  # noqa: T201
    assert len(came) == 300
    assert 0 < most_in_a_second(granted) <= 10  # of the last minute


def test_retry_after_pauses_all_workers() -> None:
    """What the server says to one is kept by the others, as soon as their lease is over."""
    limiter = RayRateLimiter("pause", requests_per_minute=100_000)
    with FaultServer(dimensions=8) as server:
        actors = workers(server, limiter)
        embed(actors, 40)
        before = len(server.requests)
        server.play(faults.rate_limited(retry_after="8"))
        embed(actors, 40)
        refused = server.requests[before]
        later = [one.began - refused.began for one in server.requests[before + 1 :]]
    limiter.remove()

    assert refused.status == 429
    assert not [moment for moment in later if valid_for([]) + 0.5 < moment < 7.5]
    assert max(later) >= 7.5


def test_a_dead_worker_and_a_dead_actor_lose_no_limit() -> None:
    """The worker's requests stay charged; the actor forgets all, and so waits for a minute."""
    limiter = RayRateLimiter("deaths", requests_per_minute=50)
    with FaultServer(dimensions=8) as server:
        actors = workers(server, limiter)
        embed(actors, 20)
        ray.kill(actors[0])
        limiter._seconds = 0.0  # no leases
        admitted = sum(not isinstance(limiter._ask(_Request(1)), float) for _ in range(50))
        assert 0 < admitted <= 50 - 20

    pid = ray.get(limiter._actor.__ray_call__.remote(lambda _: os.getpid()))
    os.kill(pid, 9)
    assert isinstance(limiter._ask(_Request(1)), float)
    closed = in_ledger(limiter, lambda ledger: ledger.opens - ledger.seen)
    limiter.remove()
    assert LONGEST - 30 < closed <= LONGEST + 1
