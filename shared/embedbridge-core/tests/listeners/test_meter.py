"""The meter adds up what its embedders did."""

from concurrent.futures import ThreadPoolExecutor

from embedbridge.contract import RateLimitedError
from embedbridge.core import Embedder, MemoryCache, UsageMeter
from embedbridge.testing import FakeModel, FlakyModel


def test_totals_are_the_sum_of_the_jobs() -> None:
    """Tokens, requests, inputs and cache hits of all embedders that share a meter."""
    meter = UsageMeter()
    one = Embedder(FakeModel("small"), listeners=[meter], cache=MemoryCache())
    two = Embedder(FakeModel("text"), listeners=[meter])
    results = [
        one.embed(["a", "b"], role="document"),
        one.embed(["a", "c"], role="document"),
        two.embed(["d"], role="query"),
    ]

    totals = meter.totals
    assert totals.usage.tokens == sum(result.usage.tokens for result in results)
    assert totals.requests == sum(result.requests for result in results) == 3
    assert (totals.jobs, totals.inputs, totals.cached, totals.failed) == (3, 5, 1, 0)


def test_retries_are_counted() -> None:
    """Two failures before the answer are three requests, two of them retries."""
    meter = UsageMeter()
    failures = [RateLimitedError("slow", retry_after=0.0) for _ in range(2)]
    Embedder(FlakyModel("small", failures=failures), listeners=[meter]).embed_query("a")

    assert (meter.totals.requests, meter.totals.retries) == (3, 2)


def test_threads_lose_no_count() -> None:
    """A thousand jobs from eight threads are a thousand jobs."""
    meter = UsageMeter()
    embedder = Embedder(FakeModel("small"), listeners=[meter])
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(embedder.embed_query, map(str, range(1000))))

    assert (meter.totals.jobs, meter.totals.inputs) == (1000, 1000)
