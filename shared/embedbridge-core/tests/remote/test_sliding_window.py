"""The sliding window: its arithmetic, without any clock."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedbridge.core.remote.sliding_window import Charge, Rate, SlidingWindow

RATES = [Rate(60, requests=6, tokens=50), Rate(5, requests=2)]
BOOKINGS = st.lists(
    st.tuples(st.integers(0, 20), st.integers(0, 4), st.integers(1, 2), st.integers(0, 50)),
    max_size=30,
)
"""Seconds since the one before, how long it lasts, its requests and its tokens."""


def booked(bookings: list[tuple[int, int, int, int]]) -> list[Charge]:
    """All of them, in a window that forgets what it may."""
    window, now, made = SlidingWindow(), 0.0, []
    for gap, lasts, requests, tokens in bookings:
        now += gap
        window.forget(now - 60)
        at = window.first_free(now, RATES, requests, tokens)
        assert at >= now
        made.append(Charge(at, at + lasts, requests, tokens))
        window.charges.append(made[-1])
    return made


@given(BOOKINGS)
def test_no_period_touches_more_than_its_rate(bookings: list[tuple[int, int, int, int]]) -> None:
    """Whenever requests of a charge go out while it lasts: every period of every rate is kept."""
    made = booked(bookings)
    starts = [charge.start for charge in made]

    assert starts == sorted(starts)
    for rate in RATES:
        for end in starts:  # a period that is over its rate still is when it ends with a start
            touched = [c for c in made if c.start <= end and c.end > end - rate.seconds]
            assert rate.allows(sum(c.requests for c in touched), sum(c.tokens for c in touched))


@given(BOOKINGS)
def test_nothing_waits_longer_than_it_must(bookings: list[tuple[int, int, int, int]]) -> None:
    """A second earlier, it comes before another charge, or some period would hold too much."""
    made, now = booked(bookings), 0
    for number, (charge, (gap, *_)) in enumerate(zip(made, bookings, strict=True)):
        now += gap
        earlier, before = charge.start - 1, made[:number]
        if earlier < max([now, *(c.start for c in before)]):
            continue
        assert not all(
            rate.allows(
                charge.requests + sum(c.requests for c in touched),
                charge.tokens + sum(c.tokens for c in touched),
            )
            for rate in RATES
            for touched in [[c for c in before if c.end > earlier - rate.seconds]]
        )


def test_more_than_a_rate_allows_goes_out_alone() -> None:
    """In a period that is empty before it, and that admits nothing after it."""
    window = SlidingWindow([Charge(0, 3, 1, 10)])

    assert window.first_free(1, RATES, 1, 51) == 63
    window.charges.append(Charge(63, 63, 1, 51))
    assert window.first_free(63, RATES, 1, 0) == 123


@pytest.mark.parametrize(
    ("rates", "room"),
    [
        ([], (float("inf"), float("inf"))),
        ([Rate(60, requests=6)], (3, float("inf"))),
        ([Rate(60, tokens=50)], (float("inf"), 20)),
        (RATES, (0, 20)),
    ],
)
def test_room_is_what_all_rates_leave(rates: list[Rate], room: tuple[float, float]) -> None:
    """The least of them, for requests and for tokens."""
    window = SlidingWindow([Charge(0, 0, 1, 10), Charge(9, 9, 2, 20)])

    assert window.room(10, rates) == room
