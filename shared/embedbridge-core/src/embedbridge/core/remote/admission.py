"""Admission under a rate limiter: first the limiter, then a slot, and no charge older than its request.

Who waits for a limiter holds no slot: others who may send now would wait for it too. But a slot may
have to be waited for as well, and the endpoint may pause meanwhile. A request that went out under the
old charge would be missing in the minute in which it is sent, so the limiter is asked again then.

Of the requests to one endpoint, one at a time asks a limiter: otherwise those behind would have booked
their moments when the first one asks again, and it would be the last one. Those with a lower
`max_concurrency` have a queue of their own, for they may wait for a slot where others find one.
"""

from __future__ import annotations

import asyncio

from embedbridge.core.remote.limit import UNLIMITED, Limiter, Ticket, acquire, is_returnable
from embedbridge.core.remote.slots import Slot, Slots


async def admit(
    slots: Slots,
    max_concurrency: float,
    limiter: Limiter,
    tokens: int,
    *,
    patience: float,
    is_probe: bool = False,
) -> tuple[Slot, Ticket] | None:
    """Wait until one request may go out now; `None` if the endpoint pauses by then.

    Args:
        slots: The endpoint's.
        max_concurrency: How many requests may be in flight.
        limiter: Admits the request.
        tokens: What it charges for it.
        patience: Seconds that a pause may last; the server itself says so if it is longer.
        is_probe: As for `Slots.take`.
    """
    now = asyncio.get_running_loop().time
    async with slots.queue(limiter, max_concurrency):
        if slots.pauses(now() + patience):
            return None
        ticket, slot = await acquire(limiter, tokens), None
        try:
            slot = slots.take_at_once(max_concurrency, is_probe=is_probe)
            if slot is None:
                slot = await slots.take(max_concurrency, is_probe=is_probe)
                if is_returnable(ticket) and not slots.pauses(now() + patience):
                    stale, ticket = ticket, UNLIMITED
                    await stale.release_async()
                    # With the slot: it is one for each queue, and there was room just now.
                    ticket = await acquire(limiter, tokens)
            if not slots.pauses(now() + patience):
                return slot, ticket
        except BaseException:
            await _give_back(slot, ticket)
            raise
        await _give_back(slot, ticket)
        return None


async def _give_back(slot: Slot | None, ticket: Ticket) -> None:
    if slot is not None:
        slot.slots.leave(slot.limit)
    await ticket.release_async()
