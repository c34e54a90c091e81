"""Retries with exponential backoff, in one layer for all vendors.

The retries of vendors' SDKs are turned off. A call is made again only where that can help. A local
model is never called again: the same input would fail the same way.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar

from embedbridge.contract.errors import EmbedBridgeError, RateLimitedError, RequestTimeoutError
from embedbridge.core.remote.admission import admit
from embedbridge.core.remote.limit import UNLIMITED, Limiter, Pausable, Ticket, asking
from embedbridge.core.remote.slots import Slot, Slots

if TYPE_CHECKING:
    from embedbridge.core.settings import Settings

T = TypeVar("T")

MAX_RETRY_AFTER = 120.0
"""Seconds that a server may ask us to wait; above it, or past the deadline, we fail at once."""

FIRST_BACKOFF = 0.5
"""Seconds before the second attempt at most; doubled before each further one."""
MAX_BACKOFF = 8.0
"""Seconds before any attempt at most."""
MOST_DOUBLED = 8
"""How often a wait is doubled: who tries for days has more failures than a power of two has room for."""

Backoff: TypeAlias = Callable[[int], float]
"""Seconds to wait after so many failures."""


def full_jitter(failures: int) -> float:
    """Seconds to wait after so many failures: random, so that not all clients come back at once."""
    return random.uniform(
        0, min(MAX_BACKOFF, FIRST_BACKOFF * 2.0 ** min(failures - 1, MOST_DOUBLED))
    )


async def with_retries(
    call: Callable[[Ticket], Awaitable[T]],
    settings: Settings,
    *,
    spent: int = 0,
    slots: Slots | None = None,
    max_concurrency: float = math.inf,
    limiter: Limiter | None = None,
    tokens: int = 0,
    backoff: Backoff = full_jitter,
    again: bool = True,
    caller: Hashable = None,
) -> tuple[T, int]:
    """The call's answer, and how many requests it took.

    A refusal costs no attempt while the endpoint answers others, or may still do so: then it was one
    of too many, and asks again when there is a slot for it, or when it is its turn to probe.

    Args:
        call: Makes one request, with the ticket that the limiter gave for it.
        settings: How often, and for how long.
        spent: Attempts that were made before, in other requests.
        slots: The endpoint's; of our own if left out.
        max_concurrency: How many requests may be in flight.
        limiter: Asked before each request. The deadline runs neither meanwhile nor while all slots
            are taken: a limit of requests per minute may well take longer than any server.
        tokens: What the limiter charges for one request.
        backoff: Seconds to wait after so many failures.
        again: Whether a failure that may pass is tried again; a refused rate always is.
        caller: Who makes the call. The deadline does not run while a refused request waits behind
            others of the same caller; behind those of others alone, it does.

    Raises:
        EmbedBridgeError: The last one, with the number of requests.
        RequestTimeoutError: The deadline passed over all attempts.
    """
    slots = slots or Slots()
    answered = slots.answered
    clock = asyncio.timeout(settings.deadline)
    requests, failures, is_probe = 0, spent, False
    try:
        async with clock:
            while True:
                try:
                    async with _turn(
                        slots, max_concurrency, limiter, tokens, clock, is_probe=is_probe
                    ) as ticket:
                        requests += 1
                        with slots.sent_by(caller):
                            return await call(ticket), requests
                except EmbedBridgeError as error:
                    if settings.max_attempts == 1 or not _may_succeed(error, _seconds_left(clock)):
                        raise
                    is_probe = False
                    if isinstance(error, RateLimitedError):
                        others = await _others(slots, answered, caller, clock)
                        answered, is_probe = slots.answered, others == "unknown"
                        if others != "refused":
                            continue
                    failures += 1
                    if failures == settings.max_attempts or not (
                        again or isinstance(error, RateLimitedError)
                    ):
                        raise
                    # Where the server said how long to wait, all slots do, and others who were refused
                    # hear of it in this turn of the loop. A server that asks for no time, or for one
                    # that is over, gets the usual one: else all attempts are spent in an instant.
                    await asyncio.sleep(0.0 if error.retry_after else backoff(failures))
    except EmbedBridgeError as error:
        error.attempts = spent + requests
        raise
    except TimeoutError as error:
        if not clock.expired():
            raise
        raise out_of_time(settings.deadline, attempts=spent + requests) from error


def out_of_time(deadline: float, *, attempts: int | None = None) -> RequestTimeoutError:
    """The error of a call whose deadline, in seconds, passed."""
    return RequestTimeoutError(
        f"No complete answer within {deadline:g} s.",
        hint="Raise the setting `deadline`, or send smaller batches.",
        attempts=attempts,
    )


async def _others(
    slots: Slots, since: int, caller: Hashable, clock: asyncio.Timeout
) -> Literal["answered", "refused", "unknown"]:
    """What became of the others in flight when one was refused.

    Waits for the first answer to any of them; it is unknown when this call is to probe before.
    """
    while slots.answered <= since and slots.in_flight:
        if slots.take_probe(refused=True):
            return "unknown"
        with _stopped(clock) if slots.has_one_of(caller) else nullcontext():
            await slots.news()
    return "answered" if slots.answered > since else "refused"


@asynccontextmanager
async def _turn(
    slots: Slots,
    max_concurrency: float,
    limiter: Limiter | None,
    tokens: int,
    clock: asyncio.Timeout,
    *,
    is_probe: bool,
) -> AsyncIterator[Ticket]:
    """Wait until one request may go out, and note whether it was refused."""
    slot, ticket = await _admitted(
        slots, max_concurrency, limiter, tokens, clock, is_probe=is_probe
    )
    with slot:
        try:
            if limiter is None:
                await slots.pause_over(_latest(clock))
            yield ticket
        except EmbedBridgeError as error:
            if error.retry_after is not None and error.retry_after <= MAX_RETRY_AFTER:
                slots.pause(error.retry_after)
                if isinstance(limiter, Pausable):
                    with asking(limiter):
                        await asyncio.to_thread(limiter.pause, error.retry_after)
            if error.never_sent:
                await ticket.release_async()
            raise


async def _admitted(
    slots: Slots,
    max_concurrency: float,
    limiter: Limiter | None,
    tokens: int,
    clock: asyncio.Timeout,
    *,
    is_probe: bool,
) -> tuple[Slot, Ticket]:
    """A slot and a ticket. Waiting for them does not count, a pause of the server does."""
    if limiter is None:
        with _stopped(clock):
            return await slots.take(max_concurrency, is_probe=is_probe), UNLIMITED
    while True:
        await slots.pause_over(_latest(clock))
        patience = _seconds_left(clock)
        with _stopped(clock):
            admitted = await admit(
                slots, max_concurrency, limiter, tokens, patience=patience, is_probe=is_probe
            )
        if admitted is not None:
            return admitted


@contextmanager
def _stopped(clock: asyncio.Timeout) -> Iterator[None]:
    """Stop the clock for a while."""
    left = _seconds_left(clock)
    if not clock.expired():  # else the task hears of it as soon as it waits for anything
        clock.reschedule(None)
    try:
        yield
    finally:
        if not clock.expired():
            clock.reschedule(asyncio.get_running_loop().time() + left)


def _latest(clock: asyncio.Timeout) -> float:
    """The deadline on the loop's clock."""
    return asyncio.get_running_loop().time() + _seconds_left(clock)


def _seconds_left(clock: asyncio.Timeout) -> float:
    ends = clock.when()
    assert ends is not None  # noqa: S101  # `_stopped` is never nested
    return ends - asyncio.get_running_loop().time()


def _may_succeed(error: EmbedBridgeError, seconds_left: float) -> bool:
    """Whether the same request may be answered within the time that is left."""
    wait = error.retry_after or 0.0
    return error.retryable and wait <= min(MAX_RETRY_AFTER, seconds_left)
