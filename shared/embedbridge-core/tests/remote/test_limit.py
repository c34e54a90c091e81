"""The rate limiter, on a virtual clock."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedbridge.core import RateLimiter


class Clock:
    """Time that passes when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@given(
    requests=st.none() | st.integers(1, 6),
    budget=st.none() | st.integers(1, 50),
    arrivals=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=30),
)
def test_no_minute_holds_more_than_allowed(
    requests: int | None, budget: int | None, arrivals: list[tuple[int, int]]
) -> None:
    """Whenever requests come, any 60 seconds hold at most the limits; nobody is overtaken."""
    clock = Clock()
    limiter = RateLimiter(requests_per_minute=requests, tokens_per_minute=budget, clock=clock)
    admitted: list[tuple[float, int]] = []
    for pause, tokens in arrivals:
        clock.now += pause
        admitted.append((limiter.reserve(tokens).at, tokens))

    times = [at for at, _ in admitted]
    assert times == sorted(times)
    for at, tokens in admitted:
        minute = [(other, cost) for other, cost in admitted if at - 60 < other <= at]
        assert requests is None or len(minute) <= requests
        assert (
            budget is None
            or sum(c for _, c in minute) <= budget
            or tokens > budget
            or (any(cost > budget for _, cost in minute))
        )


def test_a_request_over_the_whole_budget_goes_out_alone() -> None:
    """It waits for an empty minute instead of waiting for ever."""
    limiter = RateLimiter(tokens_per_minute=10, clock=Clock())

    assert limiter.reserve(3).at == 1000
    assert limiter.reserve(99).at == 1060
    assert limiter.reserve(1).at == 1120


def test_without_limits_nobody_waits() -> None:
    """No limit means no waiting, however many come."""
    limiter = RateLimiter(clock=Clock())

    assert {limiter.reserve(10**9).at for _ in range(1000)} == {1000.0}


def test_reported_tokens_correct_the_plan() -> None:
    """When the vendor counted fewer tokens, the next request need not wait for the difference."""
    limiter = RateLimiter(tokens_per_minute=100, clock=Clock())
    limiter.reserve(90)
    limiter.correct(planned=90, used=20)

    assert limiter.reserve(80).at == 1000


async def test_a_cancelled_wait_gives_its_place_back() -> None:
    """Who gives up does not delay the others."""
    limiter = RateLimiter(requests_per_minute=1, clock=Clock())
    await limiter.acquire_async(1)
    waiting = asyncio.create_task(limiter.acquire_async(1))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    assert limiter.reserve(1).at == 1060
