"""The meter adds up what its embedders did."""

import contextlib
import io
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import PIL.Image
import pytest

from embedbridge.contract import (
    AuthenticationError,
    Batch,
    BatchResult,
    EmbedBridgeError,
    Image,
    InvalidInputError,
    RateLimitedError,
)
from embedbridge.core import Embedder, MemoryCache, Settings, UsageMeter
from embedbridge.testing import FakeModel, FlakyModel, RemoteFakeModel, tiny_png


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


def test_a_picture_that_the_cache_knows_from_another_file_counts() -> None:
    """It is found only when it is decoded, after the job has begun."""
    meter = UsageMeter()
    embedder = Embedder(FakeModel("small"), listeners=[meter], cache=MemoryCache())
    png = tiny_png(1, 2, 3)
    bitmap = io.BytesIO()
    PIL.Image.open(io.BytesIO(png)).save(bitmap, "BMP")
    embedder.embed_images([Image.from_bytes(png)])
    result = embedder.embed([Image.from_bytes(bitmap.getvalue())], role="document")

    assert result.cached == meter.totals.cached == 1


@pytest.mark.parametrize("errors", ["raise", "collect"])
def test_inputs_that_were_never_sent_were_not_retried(errors: Any) -> None:
    """A search that ends because all are refused leaves pieces that no request was made for."""

    class Refuses(RemoteFakeModel):
        async def embed_batch(self, batch: Batch) -> BatchResult:
            raise InvalidInputError("It is malformed.")

    meter = UsageMeter()
    embedder = Embedder(Refuses("small"), settings=Settings(errors=errors), listeners=[meter])
    with contextlib.suppress(EmbedBridgeError):
        embedder.embed_documents(f"text {number}" for number in range(100))

    assert meter.totals.requests > 0
    assert meter.totals.retries == 0


@pytest.mark.parametrize("kind", [FakeModel, RemoteFakeModel])
def test_what_an_aborted_job_never_embedded_has_failed(kind: type[FakeModel]) -> None:
    """The second of four batches fails: three inputs have no vector, whichever driver it was."""

    def answer(batch: Batch) -> BatchResult:
        if "b" in batch.inputs:
            raise AuthenticationError("refused")
        return FakeModel("small").make_up(batch)

    meter, model = UsageMeter(), kind("small")
    model.make_up = answer  # type: ignore[method-assign]
    settings = Settings(batch_size=1, max_concurrency=1)
    with pytest.raises(AuthenticationError):
        Embedder(model, settings=settings, listeners=[meter]).embed_documents(["a", "b", "c", "d"])

    assert (meter.totals.failed, meter.totals.jobs) == (3, 1)


def test_threads_lose_no_count() -> None:
    """A thousand jobs from eight threads are a thousand jobs."""
    meter = UsageMeter()
    embedder = Embedder(FakeModel("small"), listeners=[meter])
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(embedder.embed_query, map(str, range(1000))))

    assert (meter.totals.jobs, meter.totals.inputs) == (1000, 1000)
