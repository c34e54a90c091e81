"""The limiter in a file: real processes, by counts; its clock stands still unless a test moves it."""

import asyncio
import os
import pickle
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from embedbridge.bulk import Columns, EmbedStage, run
from embedbridge.bulk.budget import FileRateLimiter
from embedbridge.bulk.budget import file as file_module
from embedbridge.bulk.budget.leasing import _Request
from embedbridge.contract import (
    ConfigurationError,
    InvalidOptionError,
    ProviderUnavailableError,
    RateLimitedError,
)
from embedbridge.core import Embedder, RateLimiter, Ticket, load_embedder
from embedbridge.testing import FlakyModel, RemoteFakeModel

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")


class Still(FileRateLimiter):
    """Time passes when a test says so."""

    now = 1000.0

    def _now(self) -> float:
        return self.now

    def _later(self) -> None:
        pass

    def admits(self, count: int) -> int:
        """How many of so many requests may go out now."""
        return sum(isinstance(self._ask(_Request(10)), Ticket) for _ in range(count))


PROCESS = f"""
import sys
from embedbridge.bulk.budget import file, FileRateLimiter
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_file import Still
limiter = Still(sys.argv[1], requests_per_minute=100)
limiter._seconds = 0.0  # no leases: what they hold may be missing elsewhere
print(limiter.admits(60), flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "account" / "limit.sqlite"


@pytest.fixture
def limiter(path: Path) -> Still:
    return Still(path, requests_per_minute=100)


def charged(path: Path) -> tuple[int, int]:
    """Requests and tokens in the file."""
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT coalesce(sum(requests), 0), coalesce(sum(tokens), 0) FROM leases"
        requests, tokens = connection.execute(query).fetchone()
    return requests, tokens


@pytest.mark.heavy
def test_processes_have_one_budget(path: Path) -> None:
    """Three at the same time want 180 requests in a minute that has 100: no more than these go out."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, str(path)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    admitted = [int(process.communicate()[0]) for process in processes]

    assert [process.returncode for process in processes] == [0, 0, 0]
    assert sum(admitted) == charged(path)[0] == 100


def test_a_process_that_dies_at_any_write_leaves_the_file_whole(path: Path, limiter: Still) -> None:
    """With `kill -9` in the middle of a transaction: nothing of it counts, and nobody waits for it."""
    assert limiter.admits(3) == 3
    limiter.close()
    code = PROCESS.replace("print(", "file._write = lambda *_: os.kill(os.getpid(), 9)\nprint(")
    done = subprocess.run([sys.executable, "-c", "import os" + code, str(path)], check=False)

    assert done.returncode == -signal.SIGKILL
    assert charged(path) == (3, 30)
    assert limiter.admits(100) == 97


def test_what_a_dead_process_held_is_free_a_minute_later(path: Path, limiter: Still) -> None:
    """Until then it counts: nobody knows whether it went out."""
    dead = Still(path, requests_per_minute=100)
    assert dead.admits(40) == 40  # and it never says that it did not use the rest of its lease

    spent, _ = charged(path)
    assert 40 < spent <= 100
    assert limiter.admits(100) == 100 - spent
    limiter.close()
    Still.now += 65
    try:
        assert limiter.admits(200) == 100
    finally:
        Still.now -= 65


def test_a_pause_is_heard_by_all(path: Path, limiter: Still) -> None:
    """Nobody's next request goes out before it is over."""
    other = Still(path)
    limiter.pause(30)

    assert other._ask(_Request(1)) == pytest.approx(3)  # asks again in between
    other.now += 29
    assert other._ask(_Request(1)) == pytest.approx(1)
    other.now += 1
    assert isinstance(other._ask(_Request(1)), Ticket)


def test_a_clock_that_begins_anew_forgets_nothing(limiter: Still) -> None:
    """After a reboot the minute is still full, and over a minute later."""
    assert limiter.admits(200) == 100
    limiter.now = 5.0
    assert limiter.admits(1) == 0
    limiter.now += 61
    assert limiter.admits(1) == 1


@needs_fork
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_process_does_not_use_the_lease_of_its_parent(limiter: Still) -> None:
    """Both would count it as theirs."""
    limiter.admits(20)
    assert limiter._lease is not None
    left = limiter._lease.requests - limiter._lease.used
    child = os.fork()
    if child == 0:
        os._exit(limiter.admits(100))
    elsewhere = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    spent, _ = charged(limiter.path)

    assert (left > 0, elsewhere > 0) == (True, True)
    assert elsewhere + 20 + left <= spent <= 100


async def test_a_cancelled_wait_leaves_the_queue(path: Path) -> None:
    """Its place is free for others, and nothing is charged for it."""
    limiter = FileRateLimiter(path, requests_per_minute=1)
    await limiter.acquire_async(5)
    waiting = asyncio.create_task(limiter.acquire_async(5))
    while not waiting.done():
        await asyncio.sleep(0)
        with closing(sqlite3.connect(path)) as connection:
            if connection.execute("SELECT count(*) FROM queue").fetchone()[0]:
                waiting.cancel()
    limiter.close()

    assert charged(path) == (1, 5)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM queue").fetchone() == (0,)


async def test_a_ticket_that_comes_too_late_is_given_back(path: Path) -> None:
    """Where the event loop was busy, so that it would share its second with others."""

    class Busy(Still):
        blocked = 1

        def _ask(self, request: Any) -> Any:
            answer = super()._ask(request)
            self.now += self.blocked
            self.blocked = 0
            return answer

    limiter = Busy(path, requests_per_second=1)
    await limiter.acquire_async(7)
    limiter.close()

    assert charged(path) == (1, 7)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT start FROM leases").fetchall() == [(1001.0,)]


def test_a_released_request_is_not_charged(limiter: Still) -> None:
    """Neither of one that was booked alone, nor of one on a lease."""
    for ticket in [limiter.acquire(10) for _ in range(8)]:
        ticket.release()
    limiter.close()

    assert charged(limiter.path) == (0, 0)


def test_the_tokens_that_the_vendor_counted_are_charged(path: Path) -> None:
    """Of all requests of a job, wherever they were planned."""
    limiter = FileRateLimiter(path, requests_per_minute=10_000)
    embedder = Embedder(RemoteFakeModel("small"), limiter=limiter).using(batch_size=1)
    result = embedder.embed([f"text {n}" for n in range(30)], role="document")
    limiter.close()

    assert charged(path) == (30, result.usage.tokens)


def test_retry_after_pauses_all_who_share_the_file(path: Path) -> None:
    """What the server says to one embedder is in the file."""
    model = FlakyModel("small", failures=[RateLimitedError("slow down", retry_after=0.001)])
    Embedder(model, limiter=FileRateLimiter(path)).embed_query("a")

    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT opens > 0 FROM ledger").fetchone() == (1,)


def test_a_stage_takes_it_to_its_workers(path: Path) -> None:
    """By name: both ask one file; a limiter of one process stays, and says so."""
    columns = Columns(text="text")
    limiter = FileRateLimiter(path, requests_per_minute=500)
    stage = EmbedStage("fake:small", columns, limiter=limiter)
    table = pa.table({"text": ["a", "b"]})
    code = "import pickle, sys; stage, table = pickle.load(sys.stdin.buffer); stage(table)"
    sent = pickle.dumps((stage, table))
    subprocess.run([sys.executable, "-c", code], input=sent, check=True)
    stage(table)
    limiter.close()

    assert charged(path)[0] == 2
    assert repr(pickle.loads(sent)[0].embedder.limiter) == repr(limiter)
    with pytest.warns(RuntimeWarning, match="FileRateLimiter"):
        pickle.dumps(EmbedStage("fake:small", columns, limiter=RateLimiter()))


def test_a_job_takes_it(path: Path, tmp_path: Path) -> None:
    """As one of the options of the engine."""
    limiter = FileRateLimiter(path, tokens_per_minute=10**6)
    source = pa.table({"text": [f"text {n}" for n in range(20)]})
    report = run(source, tmp_path / "out", model="fake:small", text="text", limiter=limiter)
    limiter.close()

    assert charged(path) == (report.requests, report.tokens)
    assert load_embedder("fake:small", limiter=limiter).limiter is limiter


def another_program(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE vectors (id)")
        connection.commit()


@pytest.mark.parametrize(
    "make",
    [another_program, Path.mkdir, lambda path: path.write_bytes(b"no database" * 1000)],
    ids=["another program's", "a folder", "no database"],
)
def test_a_file_that_is_something_else_is_left_as_it_is(path: Path, make: Any) -> None:
    """The error names the file."""
    path.parent.mkdir()
    make(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(ConfigurationError, match=r"limit\.sqlite"):
        FileRateLimiter(path).acquire(1)

    assert (path.read_bytes() if path.is_file() else None) == before


def test_a_file_of_an_unknown_user_is_refused(tmp_path: Path, monkeypatch: Any) -> None:
    """Nobody wants a folder of that name in the current one."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match="home directory that does not exist"):
        FileRateLimiter("~no-such-user/limit.sqlite", requests_per_minute=5)

    assert not list(tmp_path.iterdir())


def test_a_file_that_stays_locked_is_an_error(
    limiter: Still, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that the engine tries again, as if the vendor were not there."""
    limiter.admits(1)
    monkeypatch.setattr(file_module, "BUSY_SECONDS", 0)
    with closing(sqlite3.connect(limiter.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ProviderUnavailableError, match="locked"):
            limiter.acquire(1)
    limiter.acquire(1)


@pytest.mark.parametrize("limits", [{"requests_per_minute": 0}, {"tokens_per_minute": -1}])
def test_a_limit_that_admits_nothing_is_refused(path: Path, limits: Any) -> None:
    """It would wait for ever."""
    with pytest.raises(InvalidOptionError, match="admits no request"):
        FileRateLimiter(path, **limits)
