"""Eighth stage: a remote call is made again where that can help, and nowhere else.

This is the only layer that retries; vendors' SDKs are set to none. A local model is never called
again: the same input would fail the same way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import tenacity

from embedbridge.contract.errors import EmbedBridgeError, RateLimitedError, RequestTimeoutError

if TYPE_CHECKING:
    from embedbridge.core.settings import Settings

T = TypeVar("T")

MAX_RETRY_AFTER = 120.0
"""Seconds that a server may ask us to wait; above it, or past the deadline, we fail at once."""

_backoff = tenacity.wait_random_exponential(multiplier=0.5, max=8)  # full jitter


async def with_retries(
    call: Callable[[], Awaitable[T]],
    settings: Settings,
    wait_for_turn: Callable[[], Awaitable[None]] | None = None,
) -> tuple[T, int]:
    """The call's answer, and how many requests it took.

    Args:
        call: Makes one request.
        settings: How often, and for how long.
        wait_for_turn: Awaited before each request; the deadline does not run meanwhile, since a
            limit of requests per minute may well take longer than any server.

    Raises:
        EmbedBridgeError: The last one, with the number of attempts.
        RequestTimeoutError: The deadline passed over all attempts.
    """
    loop = asyncio.get_running_loop()
    attempts, ends = 0, loop.time() + settings.deadline
    clock = asyncio.timeout_at(ends)

    async def attempt() -> T:
        nonlocal attempts, ends
        if wait_for_turn is not None:
            begun = loop.time()
            clock.reschedule(None)
            await wait_for_turn()
            ends += loop.time() - begun
            clock.reschedule(ends)
        attempts += 1
        return await call()

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
    """Seconds until the next attempt: as long as the server says, else a random backoff."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, RateLimitedError) and error.retry_after is not None:
        return error.retry_after
    return _backoff(state)
