"""The limiter protocol assumes nothing of one process: here two share a budget, kept in a file.

The minutes are virtual: nothing waits, an admission is written down for its minute. This file is
also the program of the two processes.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from embedbridge.contract import Batch, BatchResult, RateLimitedError, Usage
from embedbridge.core import Embedder, Ticket
from embedbridge.testing import FlakyModel, RemoteFakeModel

pytestmark = pytest.mark.heavy  # each starts processes
PER_MINUTE = 4


class FileLimiter:
    """Admits four requests per minute, over all processes that open the same file."""

    def __init__(self, path: str | Path, process: str) -> None:
        self.path = path
        self.process = process
        with self.books() as books:
            books.execute("CREATE TABLE IF NOT EXISTS pauses (minute INTEGER)")
            books.execute(
                "CREATE TABLE IF NOT EXISTS admissions "
                "(number INTEGER PRIMARY KEY, "
                "minute INTEGER, planned INTEGER, tokens INTEGER, process TEXT)"
            )

    @contextmanager
    def books(self) -> Iterator[sqlite3.Connection]:
        """The file, for one process and thread at a time."""
        with closing(sqlite3.connect(self.path, timeout=60, isolation_level=None)) as books:
            books.execute("BEGIN IMMEDIATE")
            yield books
            books.execute("COMMIT")

    def acquire(self, tokens: int) -> Ticket:
        with self.books() as books:
            (minute,) = books.execute("SELECT coalesce(max(minute), 0) FROM pauses").fetchone()
            while self._admitted(books, minute) >= PER_MINUTE:
                minute += 1
            row = minute, tokens, tokens, self.process
            written = books.execute("INSERT INTO admissions VALUES (NULL, ?, ?, ?, ?)", row)
            return FileTicket(self, written.lastrowid)

    async def acquire_async(self, tokens: int) -> Ticket:
        booking = asyncio.ensure_future(asyncio.to_thread(self.acquire, tokens))
        try:
            return await asyncio.shield(booking)
        except asyncio.CancelledError:
            (await booking).release()
            raise

    def pause(self, seconds: float) -> None:
        """No more requests in this minute: a virtual one is longer than any pause."""
        with self.books() as books:
            books.execute("INSERT INTO pauses SELECT 1 + coalesce(max(minute), 0) FROM admissions")

    @staticmethod
    def _admitted(books: sqlite3.Connection, minute: int) -> int:
        query = "SELECT count(*) FROM admissions WHERE minute = ?"
        return int(books.execute(query, (minute,)).fetchone()[0])


class FileTicket(Ticket):
    """One line of the file."""

    def __init__(self, limiter: FileLimiter, number: int | None) -> None:
        self.limiter = limiter
        self.number = number

    def settle(self, used_tokens: int) -> None:
        with self.limiter.books() as books:
            line = used_tokens, self.number
            books.execute("UPDATE admissions SET tokens = ? WHERE number = ?", line)

    def release(self) -> None:
        with self.limiter.books() as books:
            books.execute("DELETE FROM admissions WHERE number = ?", (self.number,))

    async def settle_async(self, used_tokens: int) -> None:
        await asyncio.to_thread(self.settle, used_tokens)

    async def release_async(self) -> None:
        await asyncio.to_thread(self.release)


class Process:
    """A real process that embeds; it does what it is told, and says when it is done."""

    def __init__(self, name: str) -> None:
        self.running = subprocess.Popen(
            [sys.executable, __file__, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def begin(self, books: Path, requests: int, refusals: int = 0) -> None:
        assert self.running.stdin is not None
        self.running.stdin.write(json.dumps([str(books), requests, refusals]) + "\n")
        self.running.stdin.flush()

    def end(self) -> None:
        assert self.running.stdout is not None
        assert self.running.stdout.readline() == "done\n"

    def do(self, books: Path, requests: int, refusals: int = 0) -> None:
        self.begin(books, requests, refusals)
        self.end()


def main(name: str) -> None:
    """The other side of `Process`: so many requests, of which the first ones are refused."""
    for line in sys.stdin:
        books, requests, refusals = json.loads(line)
        failures = [RateLimitedError("slow down", retry_after=0.001) for _ in range(refusals)]
        embedder = Embedder(FlakyModel(failures=failures), limiter=FileLimiter(books, name))
        embedder.using(batch_size=1).embed_documents([f"{name} {n}" for n in range(requests)])
        sys.stdout.write("done\n")
        sys.stdout.flush()


@pytest.fixture
def books(tmp_path: Path) -> Path:
    return tmp_path / "books.sqlite"


@pytest.fixture(scope="module")
def processes() -> Iterator[tuple[Process, Process]]:
    both = Process("first"), Process("second")
    yield both
    for process in both:
        process.running.communicate()


def admitted(books: Path) -> list[tuple[int, str]]:
    """The minute and the process of each request, in order."""
    with closing(sqlite3.connect(books)) as connection:
        return connection.execute(
            "SELECT minute, process FROM admissions ORDER BY number"
        ).fetchall()


def test_what_one_process_spent_is_gone_for_the_other(
    books: Path, processes: tuple[Process, Process]
) -> None:
    """Of four requests per minute the first takes three, so that one is left for the second."""
    first, second = processes
    first.do(books, 3)
    second.do(books, 3)

    assert admitted(books) == [*[(0, "first")] * 3, (0, "second"), *[(1, "second")] * 2]


def test_both_at_once_spend_one_budget(books: Path, processes: tuple[Process, Process]) -> None:
    """Sixty requests of two processes, several in flight in each: fifteen full minutes."""
    for process in processes:
        process.begin(books, 30)
    for process in processes:
        process.end()
    found = admitted(books)

    assert Counter(minute for minute, _ in found) == dict.fromkeys(range(15), PER_MINUTE)
    assert Counter(process for _, process in found) == {"first": 30, "second": 30}


def test_a_pause_is_heard_in_the_other_process(
    books: Path, processes: tuple[Process, Process]
) -> None:
    """One is told to come back later: the other one asks no more in that minute."""
    first, second = processes
    first.do(books, 1, refusals=1)
    second.do(books, 1)

    assert admitted(books) == [(0, "first"), (1, "first"), (1, "second")]


class CountsItself(RemoteFakeModel):
    """Counts a hundred times the tokens that were planned."""

    async def embed_batch(self, batch: Batch) -> BatchResult:
        return replace(self.make_up(batch), usage=Usage(tokens=100 * batch.tokens))


def test_tickets_are_settled_in_the_file(books: Path) -> None:
    """What the vendor counted is written on the line of its own request, of several in flight."""
    limiter = FileLimiter(books, "here")
    embedder = Embedder(CountsItself(), limiter=limiter).using(batch_size=1)
    embedder.embed_documents(["a word " * number for number in range(1, 9)])
    with limiter.books() as lines:
        charged = lines.execute("SELECT planned, tokens FROM admissions").fetchall()

    assert len({planned for planned, _ in charged}) == 8
    assert all(tokens == 100 * planned for planned, tokens in charged)


async def test_a_released_ticket_leaves_the_file(books: Path) -> None:
    """A place that was not used is free for all processes."""
    limiter = FileLimiter(books, "here")
    tickets = [await limiter.acquire_async(1) for _ in range(PER_MINUTE)]
    await tickets[0].release_async()
    FileLimiter(books, "there").acquire(1)

    assert Counter(admitted(books)) == {(0, "here"): PER_MINUTE - 1, (0, "there"): 1}


if __name__ == "__main__":
    main(*sys.argv[1:])
