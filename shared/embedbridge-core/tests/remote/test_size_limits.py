"""What an endpoint takes per request is learned, kept within reason, and unlearned again."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedbridge.contract import (
    Batch,
    BatchResult,
    Limits,
    ModelCard,
    RequestTooLargeError,
    Vectors,
)
from embedbridge.core import Embedder, Settings
from embedbridge.core.remote import size_limits
from embedbridge.core.remote.size_limits import SizeLimit
from embedbridge.testing import FakeModel, RemoteFakeModel

CARD = Limits(max_items=256, max_tokens_per_request=16_384)
GROWING = Limits(max_items=2048, first_items=32)


class Server(RemoteFakeModel):
    """Takes at most so many items, and refuses the requests of these numbers for no reason."""

    def __init__(
        self,
        most: int = 10**9,
        *,
        limits: Limits = CARD,
        odd: dict[int, str] | None = None,
        names: bool = False,
        faster: bool = True,
    ) -> None:
        super().__init__("small")
        self.most, self.limits, self.odd, self.names = most, limits, odd or {}, names
        self.faster = faster
        self.sizes: list[int] = []
        self.refused = 0

    @property
    def card(self) -> ModelCard:
        return replace(super().card, limits=self.limits)

    async def embed_batch(self, batch: Batch) -> BatchResult:
        self.sizes.append(len(batch))
        if len(self.sizes) in self.odd:
            self.refused += 1
            raise RequestTooLargeError("odd", limit=self.odd[len(self.sizes)])
        if len(batch) > self.most:
            self.refused += 1
            error = RequestTooLargeError(f"{len(batch)} > {self.most}", limit="items")
            error.most = self.most if self.names else None
            raise error
        return self.make_up(batch)


def texts(count: int) -> list[str]:
    return [f"text number {number:06}" for number in range(count)]


@cache
def expected(count: int) -> Vectors:
    """Made once for all tests."""
    return Embedder(FakeModel("small")).embed_documents(texts(count))


@pytest.mark.parametrize("limit", ["items", "tokens"])
def test_one_odd_refusal_of_a_few_texts_cripples_nothing(limit: str) -> None:
    """The floor from the card holds, and full batches are back within 20 requests."""
    server = Server(odd={1: limit})
    embedder = Embedder(server, settings=Settings(max_concurrency=1))
    embedder.embed_documents(texts(4))
    server.sizes.clear()
    server.odd.clear()
    embedder.embed_documents([f"{text} again" for text in texts(6000)])

    assert min(server.sizes[:-1]) >= 64
    assert 256 in server.sizes[:20]
    assert server.sizes[-3:-1] == [256, 256]


def test_a_low_limit_is_learned_in_spite_of_the_floor() -> None:
    """Two refusals at the floor go below it, and so does a number in a refusal."""
    for names in (False, True):
        server = Server(5, names=names)
        embedder = Embedder(server, settings=Settings(max_concurrency=1))
        vectors = embedder.embed_documents(texts(400))
        before = server.refused
        embedder.embed_documents([f"{text} again" for text in texts(400)])

        assert np.array_equal(vectors, expected(400))
        assert embedder.learned_limits["items"] <= 5
        assert server.refused - before <= 2


def test_a_number_in_a_refusal_is_believed_at_once() -> None:
    """One refusal is enough."""
    server = Server(10, names=True)
    embedder = Embedder(server, settings=Settings(max_concurrency=1))
    embedder.embed_documents(texts(256))

    assert embedder.learned_limits == {"items": 10}


def test_requests_grow_while_the_server_takes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """From 32 to what one answer may hold, where that is faster; the vectors are the same."""
    monkeypatch.setattr(size_limits, "FASTER", 0.0)  # this server has no latency
    server = Server(limits=GROWING)
    vectors = Embedder(server).embed_documents(texts(10_000))

    assert np.array_equal(vectors, expected(10_000))
    assert server.sizes[0] == 32
    assert max(server.sizes) >= 1024
    assert len(server.sizes) < 313 / 4


@pytest.mark.parametrize("most", [3000, 10**6], ids=["few bytes", "many bytes"])
def test_requests_grow_within_the_bytes_of_a_request(
    monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """A limit of bytes, which models of images have, does not end growth, and is kept."""
    monkeypatch.setattr(size_limits, "FASTER", 0.0)
    server = Server(limits=replace(GROWING, max_bytes_per_request=most))
    vectors = Embedder(server).embed_documents(texts(5000))

    assert np.array_equal(vectors, expected(5000))
    assert 96 <= max(server.sizes) <= most // len(texts(1)[0])
    assert most == 3000 or max(server.sizes) >= 512


@pytest.mark.parametrize("workers", [1, 8])
@pytest.mark.parametrize("names", [False, True], ids=["in no words", "with its number"])
def test_a_server_that_takes_32_gets_few_requests_more(workers: int, names: bool) -> None:
    """At most 5 % more than 32 at a time would need, in one job or in many."""
    server = Server(32, limits=GROWING, names=names)
    embedder = Embedder(server, settings=Settings(max_concurrency=workers))
    vectors = embedder.embed_documents(texts(10_000))

    assert np.array_equal(vectors, expected(10_000))
    assert len(server.sizes) <= 313 * 1.05


@pytest.mark.parametrize("most", [50, 100, 1000])
def test_the_users_ceiling_is_reached_and_holds(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """Requests that grow hold `batch_size` in the end, whatever the size that they began with."""
    monkeypatch.setattr(size_limits, "FASTER", 0.0)  # this server has no latency
    server = Server(limits=GROWING)
    embedder = Embedder(server, settings=Settings(batch_size=most))
    embedder.embed_documents(texts(10_000))
    server.sizes.clear()
    vectors = embedder.embed_documents(texts(10_000))

    assert server.sizes == [most] * (10_000 // most)
    assert np.array_equal(vectors, expected(10_000))


def test_a_server_that_gets_no_faster_is_left_alone() -> None:
    """Larger requests that take as much longer gain nothing."""
    limit = SizeLimit(current=32, floor=8, for_speed=True, patience=1)
    limit.answered(32, seconds=1.0, inputs=32)
    assert limit.next(2048) == 128
    limit.answered(128, seconds=4.0, inputs=128)

    assert limit.current == limit.next(2048) == 32


def test_one_slow_answer_does_not_end_growth() -> None:
    """On a busy machine one may be slow by chance: the larger request is tried again before long."""
    limit = SizeLimit(current=32, floor=8, for_speed=True, patience=2)
    sizes = [answered_by(limit, seconds=9.0 if number == 2 else 0.05) for number in range(20)]

    assert sizes[:12] == [32, 32, 128, *[32] * 8, 128]
    assert max(sizes) >= 512


def test_a_server_that_gets_no_faster_is_rarely_tried() -> None:
    """Of a thousand requests less than one in a hundred is a larger one that gains nothing."""
    limit = SizeLimit(current=32, floor=8, for_speed=True, patience=2)
    sizes = [answered_by(limit, seconds_each=0.01) for _ in range(1000)]

    assert 0 < sum(size > 32 for size in sizes) < 10


def answered_by(limit: SizeLimit, *, seconds: float = 0.0, seconds_each: float = 0.0) -> int:
    """Send the next full request and answer it; returns its size."""
    size = limit.next(2048)
    limit.answered(size, seconds + seconds_each * size, size)
    return size


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 300)), max_size=60), st.integers(1, 64))
def test_a_limit_stays_within_reason(events: list[tuple[bool, int]], floor: int) -> None:
    """Whatever is answered and refused: at least one input, and never more than the ceiling."""
    limit = SizeLimit(current=100, floor=floor)
    for answered, size in events:
        if answered:
            limit.answered(size, 0.01, size)
        else:
            limit.refused(size, None)
        assert 1 <= limit.next(256) <= 256
        assert limit.current >= 1


def test_it_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """In the log, with what to do; and `explain` and the embedder know it."""
    server = Server(100)
    embedder = Embedder(server)
    with caplog.at_level(logging.WARNING, "embedbridge"):
        embedder.embed_documents(texts(1000))
        embedder.embed_documents([f"{text} again" for text in texts(1000)])

    told = [
        record.getMessage()
        for record in caplog.records
        if "refused for its size" in record.getMessage()
    ]
    assert len(told) == 1
    assert "batch_size" in told[0]
    assert embedder.explain("a text", "query").learned_limits == embedder.learned_limits != {}


def test_only_one_request_at_a_time_is_larger_than_what_is_known() -> None:
    """Eight at once would be refused eight times."""
    largest: list[int] = []
    most_at_once: list[int] = []

    class Slow(Server):
        async def embed_batch(self, batch: Batch) -> BatchResult:
            largest.append(len(batch))
            most_at_once.append(sum(size > 32 for size in largest))
            await asyncio.sleep(0)
            try:
                return await super().embed_batch(batch)
            finally:
                largest.remove(len(batch))

    server = Slow(32, limits=GROWING)
    Embedder(server, settings=Settings(max_concurrency=8)).embed_documents(texts(2000))
    assert max(server.sizes) > 32
    assert max(most_at_once) == 1
