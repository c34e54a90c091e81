"""Windows side by side: all requests in flight until the last, in bounded number, none after the end."""

import asyncio
import threading
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from embedbridge.bulk import estimate
from embedbridge.bulk.windows import ClosedError, Windows
from embedbridge.contract import Limits
from embedbridge.core import Embedder, Settings
from embedbridge.testing import FakeModel, RemoteFakeModel

REQUEST, CONCURRENCY = 8, 8


class Full(RemoteFakeModel):
    """Answers when as many requests wait for it as may, or the last one does."""

    def __init__(self, requests: Any) -> None:
        super().__init__("small")
        self.left, self.waiting = requests, 0
        self.flight = asyncio.Event()

    async def embed_batch(self, batch: Any) -> Any:
        self.left -= 1
        self.waiting += 1
        if self.waiting == CONCURRENCY or not self.left:
            self.flight.set()
            self.flight, self.waiting = asyncio.Event(), 0
        else:
            await self.flight.wait()
        return await super().embed_batch(batch)


class Wide(RemoteFakeModel):
    """Takes any number of texts, and answers with large vectors."""

    @property
    def card(self) -> Any:
        return replace(super().card, dimensions=4096, limits=Limits(max_items=None))

    async def embed_batch(self, batch: Any) -> Any:
        answer = await super().embed_batch(batch)
        vectors = np.zeros((len(batch), 4096), np.float32)
        vectors[:, : answer.vectors.shape[1]] = answer.vectors
        return replace(answer, vectors=vectors)


def remote(**settings: Any) -> Any:
    chosen = Settings(**{"batch_size": REQUEST, "max_concurrency": CONCURRENCY, **settings})
    return Embedder(RemoteFakeModel("small"), settings=chosen)


@pytest.mark.parametrize("window", [1, 64, 512])
def test_all_requests_are_in_flight_until_the_last(
    job: Any, out: Any, expected: Any, window: Any
) -> None:
    """Where a chunk holds fewer requests than may be in flight, and where a window ends with one."""
    source = pa.table({"id": range(1024), "text": [f"text {n}" for n in range(1024)]})
    model = Full(requests=1024 // REQUEST)
    settings = Settings(batch_size=REQUEST, max_concurrency=CONCURRENCY, window=window)
    embedder = Embedder(model, settings=settings)
    report = job(source, model=embedder, part_bytes=1 << 13)  # two requests a chunk; may hang here

    assert model.left == 0
    assert report.requests == 1024 // REQUEST
    assert out().column("vector").to_pylist() == expected(source.column("text").to_pylist())


@pytest.mark.parametrize("kind", [RemoteFakeModel, FakeModel])
@pytest.mark.parametrize("repeated", [0, 3])
def test_the_end_of_a_chunk_cuts_no_request(
    job: Any, out: Any, expected: Any, kind: Any, repeated: Any
) -> None:
    """Nor do repeats: what is new in several chunks goes out together."""
    texts = [f"text {n - n % 4 if repeated and n % 4 < repeated else n}" for n in range(1000)]
    settings = Settings(batch_size=25, window=50)
    source = pa.table({"id": range(1000), "text": texts})
    report = job(source, model=Embedder(kind("small"), settings=settings), part_bytes=1 << 13)

    assert report.requests == len(set(texts)) / 25
    assert out().column("vector").to_pylist() == expected(texts)


@pytest.mark.parametrize(
    ("settings", "size"),
    [
        ({}, 4096),
        ({"window": 1}, 64),
        ({"window": 100}, 96),
        ({"batch_size": 100, "window": 1}, 256),
        ({"max_concurrency": 32, "window": 1}, 256),
    ],
)
def test_a_window_is_whole_requests_that_fill_the_wire(settings: Any, size: Any) -> None:
    """As many as may be in flight at once, or what the setting allows."""
    windows = Windows.of(remote(**settings), "text", "document")
    windows.close()

    assert windows.size == size


def test_wide_vectors_are_waited_for_in_bounded_number() -> None:
    """An answer is never larger than the engine lets it be, whatever the server takes."""
    windows = Windows.of(Embedder(Wide("small"), settings=Settings(window=1)), "text", "document")
    windows.close()

    assert windows.size == 8 * 128


@pytest.mark.parametrize(
    ("settings", "requests"),
    [({}, 8), ({"batch_size": 300}, 4), ({"requests_per_minute": 10**6}, 1)],
)
def test_an_estimate_counts_the_requests_that_are_made(
    job: Any, tmp_path: Any, settings: Any, requests: Any
) -> None:
    """It asks the engine how many contents go into one: by the setting, or by the answer's size."""
    source = pa.table({"id": range(1000), "text": [f"text {n}" for n in range(1000)]})
    embedder = Embedder(Wide("small"), settings=Settings(**settings))
    found = estimate(source, tmp_path / "out", model=embedder, text="text", id="id")
    report = job(source, model=embedder, part_bytes=1 << 26)

    assert found.requests == report.requests == requests


def test_windows_begin_in_order_while_there_is_room() -> None:
    """One more as soon as fewer are unanswered than a window holds."""
    windows = Windows.of(remote(window=1), "text", "document")
    began: list[Any] = []
    steps = [threading.Event() for _ in range(4)]
    begun = [threading.Semaphore(0) for _ in range(4)]

    def work(number: Any, answered: Any) -> None:
        began.append(number)
        begun[number].release()
        steps[number].wait()
        answered(1)

    for number in range(4):
        windows.submit(partial(work, number), 64)
    begun[0].acquire()
    alone = list(began)
    for number in range(3):
        steps[number].set()  # one of its contents is answered: there is room for the next
        begun[number + 1].acquire()
    steps[3].set()
    windows.close()

    assert alone == [0]
    assert began == [0, 1, 2, 3]


def test_windows_begin_in_order_whichever_thread_is_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that took up a later window waits for the one that took up an earlier one."""
    windows = Windows.of(remote(window=1), "text", "document")
    began: list[int] = []
    later = threading.Event()
    enter = windows._enter

    def held(count: int, number: int) -> None:
        if number == 0:  # its thread is late
            later.wait()
        elif number == 3:
            later.set()
        enter(count, number)

    def work(number: int, answered: Any) -> None:
        began.append(number)
        answered(64)

    monkeypatch.setattr(windows, "_enter", held)
    for future in [windows.submit(partial(work, number), 64) for number in range(4)]:
        future.result()
    windows.close()

    assert began == [0, 1, 2, 3]


def test_nothing_begins_after_the_end() -> None:
    """What waits for room is given up, and what is under way hears of it."""
    windows = Windows.of(remote(window=1), "text", "document")
    begun, ended = threading.Event(), threading.Event()

    def work(answered: Any) -> None:
        begun.set()
        ended.wait()
        answered(64)

    futures = [windows.submit(work, 64) for _ in range(20)]
    begun.wait()
    closing = threading.Thread(target=windows.close)
    closing.start()
    while not any(future.cancelled() for future in futures):  # it has begun to close
        pass
    ended.set()
    closing.join()
    errors = [type(future.exception()) for future in futures if not future.cancelled()]

    assert set(errors) == {ClosedError}
    assert len(errors) < len(futures)
