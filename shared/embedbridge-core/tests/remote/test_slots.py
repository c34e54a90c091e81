"""The semaphore of an endpoint: callers with different limits, and waiters who leave."""

import asyncio
import math
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from embedbridge.core.remote.slots import Slots

limits = st.sampled_from([1.0, 2.0, 4.0, 8.0, math.inf])


@given(
    callers=st.lists(st.tuples(limits, st.integers(0, 5), st.booleans()), max_size=40),
    size=st.sampled_from([1.0, 3.5, 6.0, math.inf]),
)
def test_no_limit_is_broken_and_nobody_is_forgotten(
    callers: list[tuple[float, int, bool]], size: float
) -> None:
    """For each limit: so many with it or a lower one at most. All who stay get a slot, in order."""
    slots = Slots()
    slots.window.size = size
    inside: Counter[float] = Counter()
    served: list[int] = []

    async def caller(number: int, limit: float, turns: int) -> None:
        slot = await slots.take(limit)
        served.append(number)
        inside[limit] += 1
        try:
            for each in inside:
                assert sum(count for other, count in inside.items() if other <= each) <= each
            assert inside.total() <= slots.in_flight <= size
            for _ in range(turns):
                await asyncio.sleep(0)
        finally:
            inside[limit] -= 1
            slots.leave(slot.limit)

    async def all_of_them() -> None:
        tasks = [
            asyncio.create_task(caller(number, limit, turns))
            for number, (limit, turns, _) in enumerate(callers)
        ]
        await asyncio.sleep(0)
        for task, (_, turns, leaves) in zip(tasks, callers, strict=True):
            if leaves:
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            assert result is None or isinstance(result, asyncio.CancelledError)

    asyncio.run(all_of_them())

    assert slots.in_flight == 0
    staying = {number for number, (_, _, leaves) in enumerate(callers) if not leaves}
    assert staying <= set(served)
    for each in {limit for limit, _, _ in callers}:
        of_one_limit = [number for number in served if callers[number][0] == each]
        assert of_one_limit == sorted(of_one_limit)


async def test_a_low_limit_does_not_hold_up_the_others() -> None:
    """Who may have one slot only waits for it; who may have four passes by."""
    slots = Slots()
    await slots.take(1)
    waiting = asyncio.create_task(slots.take(1))
    await asyncio.sleep(0)
    others = [await slots.take(4) for _ in range(3)]

    assert slots.in_flight == 4
    assert not waiting.done()
    slots.leave(4)
    await asyncio.sleep(0)
    assert not waiting.done()
    slots.leave(1)
    assert (await waiting).limit == 1
    assert len(others) == 3
