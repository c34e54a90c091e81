"""The protocol of rate limiters: a request is admitted with a ticket, and settles it afterwards.

Nothing here assumes that all who share a budget live in one process: a limiter may keep its books
in a file or on a server, and be asked by several machines.
"""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

from embedbridge.contract.callers import level_of_caller
from embedbridge.contract.errors import EmbedBridgeError, InvalidOptionError, short_repr

if TYPE_CHECKING:
    from embedbridge.contract.card import Limits
    from embedbridge.core.notices import Notices


class Ticket:
    """The admission of one request, charged with the tokens that were planned for it.

    A ticket that is neither settled nor released stays charged as planned: the request may have
    arrived. This class itself takes nothing back; limiters derive their own from it.
    """

    __slots__ = ()

    def settle(self, used_tokens: int) -> None:
        """Charge the tokens that the vendor counted in place of those that were planned."""

    def release(self) -> None:
        """Give the admission back: the request was never sent."""

    async def settle_async(self, used_tokens: int) -> None:
        """The same on an event loop; for limiters that have to wait for their books."""
        self.settle(used_tokens)

    async def release_async(self) -> None:
        """The same on an event loop."""
        self.release()


class Limiter(Protocol):
    """Admits requests at the pace that a vendor allows.

    It is asked once per request, after the cache and the removal of duplicates, with the tokens
    that are planned for it; again, where the request has to wait for something else afterwards, and
    the ticket before is released. A limiter that also has `pause(seconds)` hears how long the server
    wants no requests (`Retry-After`), and can tell others who share the budget. One that has a
    number `tokens_per_minute` is asked for no more than that at once, unless one input has more.
    """

    def acquire(self, tokens: int) -> Ticket:
        """Wait until one request of so many tokens may go out."""

    async def acquire_async(self, tokens: int) -> Ticket:
        """The same for an event loop; a cancelled wait leaves nothing charged."""


@runtime_checkable
class Pausable(Protocol):
    """A limiter that hears of `Retry-After`."""

    def pause(self, seconds: float) -> None:
        """The server wants no request for so long; called in a thread, and may block."""


@runtime_checkable
class Portable(Protocol):
    """A limiter that other processes may have too: a pickle of it asks the same books."""

    books: str
    """Which file or server has the books."""


def tokens_per_minute(limiter: object) -> int | None:
    """Tokens that a limiter admits per minute, by its attribute of this name; `None` if it has none."""
    most = getattr(limiter, "tokens_per_minute", None)
    return most if type(most) is int and most > 0 else None


def limits_within(limits: Limits, *limiters: object) -> Limits:
    """A card's limits, with no more tokens in a request than each of these admits per minute.

    A server would refuse such a request for ever, however empty the minute is.

    Args:
        limits: The card's.
        limiters: Whatever may have a number `tokens_per_minute`: limiters, the settings, or `None`.
    """
    for limiter in limiters:
        most = tokens_per_minute(limiter)
        if most is not None and most < (limits.max_tokens_per_request or math.inf):
            limits = replace(limits, max_tokens_per_request=most)
    return limits


UNLIMITED = Ticket()
"""The ticket of a request that nothing limits."""


def as_limiter(value: object) -> Limiter | None:
    """The limiter that a user passed, looked at before the first job asks it.

    Raises:
        InvalidOptionError: It lacks one of the two methods, or cannot be called from sync code.
    """
    if value is None:
        return None
    methods = [getattr(value, name, None) for name in ("acquire", "acquire_async")]
    if isinstance(value, type) or not all(map(callable, methods)):
        raise InvalidOptionError(
            f"{_described(value)} is no limiter.",
            hint="Pass a RateLimiter(…), or an object with acquire(tokens) and acquire_async(tokens); "
            "for numbers there are requests_per_minute and tokens_per_minute.",
        )
    if inspect.iscoroutinefunction(methods[0]):
        raise InvalidOptionError(
            f"acquire of {_described(value)} is async: sync code would not wait for it.",
            hint="Name it acquire_async, and give acquire code that waits.",
        )
    return cast("Limiter", value)


def _described(value: object) -> str:
    return f"The class {value.__name__}" if isinstance(value, type) else type(value).__name__


async def acquire(limiter: Limiter | None, tokens: int) -> Ticket:
    """Wait until one request of so many tokens may go out, if anything limits it."""
    if limiter is None:
        return UNLIMITED
    with asking(limiter):
        return _as_ticket(await limiter.acquire_async(tokens), limiter)


def acquire_blocking(limiter: Limiter, tokens: int) -> Ticket:
    """The same in a thread that may wait."""
    with asking(limiter):
        return _as_ticket(limiter.acquire(tokens), limiter)


@contextmanager
def asking(limiter: object) -> Iterator[None]:
    """Within, what a limiter raises is its own failure, and not taken for the model's.

    Raises:
        EmbedBridgeError: With what it raised as its cause; one of ours stays as it is.
    """
    try:
        yield
    except EmbedBridgeError:
        raise
    except Exception as error:  # any limiter, any failure
        raise EmbedBridgeError(
            f"The limiter ({type(limiter).__name__}) failed with {type(error).__name__}: "
            f"{short_repr(str(error))}",
            hint="The cause is attached (`__cause__`).",
        ) from error


def _as_ticket(value: object, limiter: object) -> Ticket:
    """The ticket that a limiter gave: looked at before the request, since it is needed after it."""
    if not value:  # a user's own may return nothing
        return UNLIMITED
    named = ("settle", "release", "settle_async", "release_async")
    if isinstance(value, Ticket) or all(callable(getattr(value, name, None)) for name in named):
        return cast("Ticket", value)
    raise InvalidOptionError(
        f"The limiter ({type(limiter).__name__}) returned {type(value).__name__}, which is no ticket.",
        hint="Return nothing, or an object of a class derived from embedbridge.core.Ticket.",
    )


async def settle(ticket: Ticket, used_tokens: int, notices: Notices) -> None:
    """Charge what a request used; the books may be in a file, so it waits without a slot."""
    try:
        await ticket.settle_async(used_tokens)
    except Exception as error:  # noqa: BLE001  # a user's own; the answer is paid for
        notices.add(
            RuntimeWarning,
            f"The limiter could not settle a request ({type(error).__name__}), which stays "
            "charged as planned.",
        )


def is_returnable(ticket: Ticket) -> bool:
    """Whether a limiter takes this ticket back; a token bucket, for one, does not."""
    parts: tuple[Ticket, ...] = getattr(ticket, "parts", ())
    if parts:
        return all(map(is_returnable, parts))
    kind = type(ticket)  # a user's own need not have all methods
    return (
        getattr(kind, "release", Ticket.release) is not Ticket.release
        or getattr(kind, "release_async", Ticket.release_async) is not Ticket.release_async
    )


def portable_limiter(limiter: Limiter | None) -> Limiter | None:
    """The limiter that travels to another process with an embedder; one that cannot says so."""
    if limiter is None or isinstance(limiter, Portable):
        return limiter
    warnings.warn(
        f"The limiter ({type(limiter).__name__}) stays in this process: what is made from the pickle "
        "has none. FileRateLimiter and RayRateLimiter of embedbridge-bulk travel.",
        RuntimeWarning,
        stacklevel=level_of_caller(),
    )
    return None
