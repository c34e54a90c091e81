"""Calls are made again where that can help, as often as allowed, and never after the deadline.

Time is virtual here.
"""

import asyncio
import gc
import itertools
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from embedbridge.contract import (
    AuthenticationError,
    ConfigurationError,
    EmbedBridgeError,
    InvalidInputError,
    InvalidResponseError,
    ProviderUnavailableError,
    QuotaExhaustedError,
    RateLimitedError,
    RequestTimeoutError,
    RequestTooLargeError,
)
from embedbridge.core import Embedder, Settings, Ticket
from embedbridge.core.remote.retry import (
    MAX_BACKOFF,
    MAX_RETRY_AFTER,
    full_jitter,
    with_retries,
)
from embedbridge.core.remote.slots import Slots
from embedbridge.testing import FlakyModel
from embedbridge.testing.virtual_time import JumpingLoop


class Server:
    """Fails with these errors, one per request, and then answers; notes when it was asked."""

    def __init__(self, *failures: BaseException, seconds: float = 0.0) -> None:
        self.failures = list(failures)
        self.seconds = seconds
        self.asked_at: list[float] = []

    async def __call__(self, ticket: Ticket) -> str:
        self.asked_at.append(asyncio.get_running_loop().time())
        if self.seconds:
            await asyncio.sleep(self.seconds)
        if self.failures:
            raise self.failures.pop(0)
        return "answer"


def run(call: Callable[[Ticket], Awaitable[str]], **settings: Any) -> tuple[str, int]:
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(with_retries(call, Settings(**settings)))


RETRYABLE = [
    ProviderUnavailableError("down"),
    RateLimitedError("slow down"),
    RequestTimeoutError("late"),
    InvalidResponseError("short"),
]
FINAL = [
    AuthenticationError("key"),
    QuotaExhaustedError("money"),
    InvalidInputError("bad"),
    RequestTooLargeError("much"),
    ConfigurationError("wrong"),
    EmbedBridgeError("whatever"),
    ValueError("a bug"),
    KeyError("a bug"),
    TimeoutError("of somebody else"),
]


@pytest.mark.parametrize("error", RETRYABLE, ids=lambda error: type(error).__name__)
def test_what_may_succeed_is_tried_again(error: EmbedBridgeError) -> None:
    """Two failures and an answer are three requests."""
    server = Server(error, error)

    assert run(server) == ("answer", 3)


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_attempts_are_counted_and_bounded(attempts: int) -> None:
    """Never more than allowed; the error says how many there were."""
    server = Server(*[ProviderUnavailableError("down") for _ in range(9)])
    with pytest.raises(ProviderUnavailableError) as caught:
        run(server, max_attempts=attempts)

    assert len(server.asked_at) == attempts
    assert caught.value.attempts == attempts


@pytest.mark.parametrize("error", FINAL, ids=lambda error: type(error).__name__)
def test_what_cannot_succeed_is_tried_once(error: Exception) -> None:
    """A refused key, an empty account, a bad input or a bug stays as it is."""
    server = Server(error, error)
    with pytest.raises(type(error)) as caught:
        run(server)

    assert caught.value is error
    assert len(server.asked_at) == 1


def test_cancelling_is_not_a_failure() -> None:
    """A cancelled call is not made again."""
    server = Server(asyncio.CancelledError())
    with pytest.raises(asyncio.CancelledError):
        run(server)

    assert len(server.asked_at) == 1


@pytest.mark.parametrize("seconds", [0.25, 7, MAX_RETRY_AFTER])
def test_the_server_says_how_long_to_wait(seconds: float) -> None:
    """Exactly as long as it asks, up to two minutes."""
    server = Server(RateLimitedError("slow down", retry_after=seconds))
    run(server, deadline=1000)

    assert server.asked_at == [0, pytest.approx(seconds)]


@pytest.mark.parametrize("error", RETRYABLE, ids=lambda error: type(error).__name__)
def test_no_time_at_all_is_the_usual_backoff(error: EmbedBridgeError) -> None:
    """`Retry-After: 0`, or a date that is over, must not spend all attempts in an instant."""
    server = Server(*[waiting(type(error), 0.0) for _ in range(2)])
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        runner.run(with_retries(server, Settings(), backoff=lambda failures: 3.0 * failures))

    assert server.asked_at == pytest.approx([0, 3, 9])


def waiting(kind: type[EmbedBridgeError], seconds: float) -> EmbedBridgeError:
    error = kind("not now")
    error.set_wait(seconds)
    return error


MAY_PASS = [type(error) for error in RETRYABLE]


@pytest.mark.parametrize("kind", MAY_PASS)
def test_any_error_that_may_pass_may_name_the_time(kind: type[EmbedBridgeError]) -> None:
    """Then it is waited for, also by requests that were not refused; or it comes at once."""
    slots = Slots()
    server, other = Server(waiting(kind, 30)), Server()

    async def both() -> None:
        first = asyncio.create_task(with_retries(server, Settings(), slots=slots))
        await asyncio.sleep(1)
        await with_retries(other, Settings(), slots=slots)
        await first

    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        runner.run(both())
    assert server.asked_at == pytest.approx([0, 30])
    assert other.asked_at == pytest.approx([30])

    late = Server(waiting(kind, 3600))
    with pytest.raises(kind):
        run(late)
    assert late.asked_at == [0]


@pytest.mark.parametrize("kind", MAY_PASS)
def test_an_error_that_was_said_to_stay_is_final(kind: type[EmbedBridgeError]) -> None:
    """The server knows better than its status."""
    error = waiting(kind, 1)
    error.retryable = False
    server = Server(error)
    with pytest.raises(kind):
        run(server)

    assert server.asked_at == [0]


@pytest.mark.parametrize("seconds", [MAX_RETRY_AFTER + 1, 3600, float("inf")])
def test_nobody_waits_for_an_hour(seconds: float) -> None:
    """Above two minutes the call fails at once, and the error says when to come back."""
    server = Server(RateLimitedError("slow down", retry_after=seconds))
    with pytest.raises(RateLimitedError) as caught:
        run(server, deadline=10_000)

    assert server.asked_at == [0]
    assert caught.value.retry_after == seconds


def test_a_wait_past_the_deadline_is_not_begun() -> None:
    """The server's own error comes at once, instead of a timeout later."""
    server = Server(
        RateLimitedError("slow down", retry_after=6), RateLimitedError("slow down", retry_after=6)
    )
    with pytest.raises(RateLimitedError) as caught:
        run(server, deadline=10)

    assert server.asked_at == [0, pytest.approx(6)]
    assert caught.value.attempts == 2


def test_a_silent_server_meets_the_deadline() -> None:
    """One deadline over all attempts; the error is a builtin `TimeoutError`, too."""
    server = Server(ProviderUnavailableError("down"), seconds=7)
    with pytest.raises(TimeoutError, match="within 10 s") as caught:
        run(server, deadline=10)

    assert isinstance(caught.value, RequestTimeoutError)
    assert caught.value.attempts == len(server.asked_at) == 2


def test_waiting_for_a_turn_is_not_on_the_clock() -> None:
    """Three requests per minute are slower than any deadline, and yet all of them get their turn."""
    server = Server(ProviderUnavailableError("down"), ProviderUnavailableError("down"), seconds=1)
    turns: list[float] = []

    class SlowLimiter:
        def acquire(self, tokens: int) -> Ticket:
            raise AssertionError

        async def acquire_async(self, tokens: int) -> Ticket:
            await asyncio.sleep(60)
            turns.append(asyncio.get_running_loop().time())
            return Ticket()

    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        answer, attempts = runner.run(
            with_retries(server, Settings(deadline=30), limiter=SlowLimiter())
        )
    assert (answer, attempts) == ("answer", 3)
    assert server.asked_at == turns

    silent = Server(seconds=31)
    with (
        asyncio.Runner(loop_factory=JumpingLoop) as runner,
        pytest.raises(RequestTimeoutError, match="within 30 s"),
    ):
        runner.run(with_retries(silent, Settings(deadline=30), limiter=SlowLimiter()))


def test_a_limiter_may_fail_for_a_while() -> None:
    """A limiter on a server of its own may be unreachable: it is asked again, like the vendor."""
    failures = [ProviderUnavailableError("the limiter is down") for _ in range(2)]
    server = Server(seconds=1)

    class FlakyLimiter:
        def acquire(self, tokens: int) -> Ticket:
            raise AssertionError

        async def acquire_async(self, tokens: int) -> Ticket:
            if failures:
                raise failures.pop()
            return Ticket()

    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        call = with_retries(server, Settings(), limiter=FlakyLimiter())
        assert runner.run(call) == ("answer", 1)


def test_backoff_grows_is_random_and_has_an_end() -> None:
    """Full jitter: anything from nothing to twice the last bound, at most 8 seconds."""
    gaps: list[list[float]] = []
    for _ in range(30):
        server = Server(*[ProviderUnavailableError("down") for _ in range(8)])
        run(server, max_attempts=9, deadline=1000)
        times = server.asked_at
        gaps.append([later - earlier for earlier, later in itertools.pairwise(times)])
    most = [max(column) for column in zip(*gaps, strict=True)]
    bounds = [0.5, 1, 2, 4, 8, 8, 8, 8]

    assert all(
        0 <= gap <= bound + 1e-6 for row in gaps for gap, bound in zip(row, bounds, strict=True)
    )
    assert all(value > bound / 3 for value, bound in zip(most, bounds, strict=True))
    assert len({row[0] for row in gaps}) == len(gaps)


def test_another_backoff_may_take_its_place() -> None:
    """It is asked after each failure that counts, with the number of failures so far."""
    server = Server(*[ProviderUnavailableError("down") for _ in range(3)])
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        runner.run(with_retries(server, Settings(max_attempts=4), backoff=lambda n: 10.0 * n))

    assert server.asked_at == pytest.approx([0, 10, 30, 60])


def test_an_answer_is_gone_as_soon_as_it_is_used() -> None:
    """Nothing about its request knows itself and it: no megabytes wait for the garbage collector."""

    class Answer:
        """What a weak reference can be made to."""

    async def call(ticket: Ticket) -> Answer:
        return Answer()

    async def ask() -> weakref.ref[Answer]:
        answer, _ = await asyncio.create_task(with_retries(call, Settings()))
        return weakref.ref(answer)

    gc.disable()
    try:
        assert asyncio.run(ask())() is None
    finally:
        gc.enable()


def test_a_job_counts_every_request() -> None:
    """Retries are in the result's figure, and the answer is right."""
    model = FlakyModel(failures=[RateLimitedError("slow down", retry_after=0.001)] * 2)
    result = Embedder(model).embed(["a"], role="query")

    assert (result.requests, model.requests) == (3, 3)


def test_a_job_names_its_attempts() -> None:
    """The error that reaches the caller says how often it was tried, and where."""
    failures = [RateLimitedError("slow down", retry_after=0.001) for _ in range(9)]
    with pytest.raises(RateLimitedError, match=r"\[fake:small\] \(3 attempts\)"):
        Embedder(FlakyModel(failures=failures)).embed_query("a")


def test_a_job_meets_its_deadline() -> None:
    """A request that hangs ends with the setting, and the model sees its cancellation."""
    model = FlakyModel()
    model.delay = 3600
    embedder = Embedder(model, settings=Settings(deadline=0.01))

    with pytest.raises(RequestTimeoutError, match=r"within 0\.01 s"):
        embedder.embed_query("a")


def test_a_backoff_has_an_end() -> None:
    """Who tries for days waits no longer each time, and meets no number that is too large."""
    assert all(0 <= full_jitter(failures) <= MAX_BACKOFF for failures in (1, 8, 1100, 10**6))
