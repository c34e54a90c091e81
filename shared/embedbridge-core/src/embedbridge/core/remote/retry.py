"""Eighth stage: a remote call is made again where that can help, and nowhere else.

This is the only layer that retries; vendors' SDKs are set to none. A local model is never called
again: the same input would fail the same way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import tenacity

from embedbridge.contract.errors import EmbedBridgeError, RateLimitedError, RequestTimeoutError
from embedbridge.core.remote.congestion import CongestionWindow

if TYPE_CHECKING:
    from embedbridge.core.settings import Settings

T = TypeVar("T")

MAX_RETRY_AFTER = 120.0
"""Seconds that a server may ask us to wait; above it, or past the deadline, we fail at once."""

_backoff = tenacity.wait_random_exponential(multiplier=0.5, max=8)  # full jitter


async def with_retries(
    call: Callable[[], Awaitable[T]],
    settings: Settings,
    *,
    window: CongestionWindow | None = None,
    wait_for_turn: Callable[[], Awaitable[None]] | None = None,
) -> tuple[T, int]:
    """The call's answer, and how many requests it took.

    A refusal costs no attempt while the endpoint answers others: then it was one of too many, and
    asks again when the window has a place for it.

    Args:
        call: Makes one request.
        settings: How often, and for how long.
        window: The endpoint's; one of our own if left out.
        wait_for_turn: Awaited before each request. The deadline runs neither meanwhile nor while
            the window is full: a limit of requests per minute may well take longer than any server.

    Raises:
        EmbedBridgeError: The last one, with the number of attempts.
        RequestTimeoutError: The deadline passed over all attempts.
    """
    loop = asyncio.get_running_loop()
    window = window or CongestionWindow()
    answered = window.answered
    attempts, ends = 0, loop.time() + settings.deadline
    clock = asyncio.timeout_at(ends)

    @contextmanager
    def off_the_clock() -> Iterator[None]:
        nonlocal ends
        begun = loop.time()
        if not clock.expired():  # else the task hears of it as soon as it waits for anything
            clock.reschedule(None)
        yield
        ends += loop.time() - begun
        if not clock.expired():
            clock.reschedule(ends)

    async def request() -> T:
        nonlocal attempts
        with off_the_clock():
            place = await window.place()
        with place:
            if wait_for_turn is not None:
                with off_the_clock():
                    await wait_for_turn()
            await window.pause_over(latest=ends)
            attempts += 1
            return await call()

    async def attempt() -> T:
        nonlocal answered
        while True:
            try:
                return await request()
            except RateLimitedError as refusal:
                if refusal.retry_after is not None and refusal.retry_after <= MAX_RETRY_AFTER:
                    window.pause(refusal.retry_after)
                if settings.max_attempts == 1 or not may_succeed(refusal):
                    raise
                with off_the_clock():
                    others_are_answered = await window.progress(since=answered)
                answered = window.answered
                if not others_are_answered:
                    raise

    # It must not know the clock: that knows the task and its answer, and the policy, which knows
    # itself, would keep them until garbage is collected.
    def may_succeed(error: BaseException) -> bool:
        if isinstance(error, RateLimitedError) and error.retry_after is not None:
            return error.retry_after <= min(MAX_RETRY_AFTER, ends - loop.time())
        return isinstance(error, EmbedBridgeError) and error.retryable

    policy = tenacity.AsyncRetrying(
        stop=tenacity.stop_after_attempt(settings.max_attempts),
        wait=_pause,
        retry=tenacity.retry_if_exception(may_succeed),
        reraise=True,
    )
    try:
        async with clock:
            return await policy(attempt), attempts
    except EmbedBridgeError as error:
        error.attempts = attempts
        raise
    except TimeoutError as error:
        if not clock.expired():
            raise
        raise RequestTimeoutError(
            f"No complete answer within {settings.deadline:g} s.",
            hint="Raise the setting `deadline`, or send smaller batches.",
            attempts=attempts,
        ) from error


def _pause(state: tenacity.RetryCallState) -> float:
    """Seconds until the next attempt: a random backoff, unless the server said when to come."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, RateLimitedError) and error.retry_after is not None:
        return 0.0  # the window waits for it, and lets nobody else through either
    return _backoff(state)
