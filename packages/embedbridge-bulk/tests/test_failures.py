"""Errors of contents: each has its own, and a different one is held once."""

import tracemalloc

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from embedbridge.bulk.failures import Failure, Failures
from embedbridge.bulk.seen import NOWHERE

MANY = 100_000
failures_of = st.lists(st.builds(Failure, st.sampled_from("abc"), st.booleans()))


@given(st.lists(failures_of), st.lists(st.integers(0, 1 << 31)))
def test_a_number_says_which_error_it_is(windows: list[list[Failure]], places: list[int]) -> None:
    """However often each comes; no place of a vector is one, nor is that of no vector."""
    failures = Failures()
    numbers = [failures.numbers(window) for window in windows]
    others = np.array([*places, NOWHERE], np.uint32)

    assert [[failures[int(one)] for one in some] for some in numbers] == windows
    assert all(failures.are_in(some).all() for some in numbers)
    assert not failures.are_in(others).any()


def test_equal_errors_take_no_room() -> None:
    """A content that failed takes what one with a vector does: its place."""
    failures = Failures()
    tracemalloc.start()
    for _ in range(MANY // 100):
        failures.numbers([Failure("InvalidInputError: Empty." + "x" * 300, False)] * 100)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert held < MANY
