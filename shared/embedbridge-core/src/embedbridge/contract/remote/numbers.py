"""Input validation of numbers: what a server wrote as a number, or nothing where it cannot be used.

Python refuses to read more than 4,300 digits, takes digits of all scripts, and computes with numbers
of any size. A server's text must do none of that here: it would turn a refusal into a crash.
"""

from __future__ import annotations

from typing import TypeGuard

MOST = 2**53 - 1
"""The largest whole number that JSON of all languages holds exactly."""
MAX_DIGITS = len(str(MOST))


def is_whole(value: object) -> TypeGuard[int]:
    """Whether a value of JSON is a whole number from 0 on that can be used; `true` is none."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST


def whole_number(value: object) -> int | None:
    """A whole number from 0 on, also as text or as `3.0`, as JSON of some languages has it."""
    if isinstance(value, str):
        is_number = len(value) <= MAX_DIGITS and value.isascii() and value.isdigit()
        value = int(value) if is_number else None
    elif isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if is_whole(value) else None
