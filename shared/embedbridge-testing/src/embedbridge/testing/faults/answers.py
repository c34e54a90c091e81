"""Answers that parse but are wrong, or right in an unusual way."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from embedbridge.testing.faults.exchange import Exchange, Fault
from embedbridge.testing.wires.format import Encoding, Row


def changed(name: str, change: Callable[[list[Row]], object]) -> Fault:
    """The right rows after a change in place: the way to write a fault of one's own."""

    async def play(exchange: Exchange) -> None:
        change(exchange.rows)
        await exchange.answer()

    return Fault(name, play)


def spoiled(
    name: str, spoil: Callable[[Any], object], *, encoding: Encoding | None = None, every: int = 1
) -> Fault:
    """The right rows, each `every`-th written in another way.

    Args:
        name: For the ids of tests.
        spoil: Changes a list of floats, or a string in base64.
        encoding: Write them all as `"float"` or `"base64"`, whatever was asked for.
        every: 2 spoils every second row, the first one included.
    """

    def change(rows: list[Row]) -> None:
        for row in rows[::every]:
            row.encoding = encoding or row.encoding
            row.spoil = spoil

    return changed(name, change)


def shuffled() -> Fault:
    """The last row first; each has the right index."""
    return changed("shuffled", lambda rows: rows.reverse())


def first_missing(*, renumbered: bool = False) -> Fault:
    """The first row is not there; the others keep their numbers, or are numbered anew."""

    def change(rows: list[Row]) -> None:
        del rows[0]
        for number, row in enumerate(rows if renumbered else []):
            row.index = number

    return changed("first-missing" + ("-renumbered" if renumbered else ""), change)


def last_missing() -> Fault:
    """The last row is not there."""
    return changed("last-missing", lambda rows: rows.pop())


def one_extra() -> Fault:
    """One row more than was asked for."""
    return changed("one-extra", lambda rows: rows.append(_copy(rows[0], index=len(rows))))


def duplicate_index(*, in_order: bool = True) -> Fault:
    """Every row says that it is the first; they come in order, or the other way round."""

    def change(rows: list[Row]) -> None:
        if not in_order:
            rows.reverse()
        if len(rows) == 1:
            rows.append(_copy(rows[0], index=0))
        for row in rows:
            row.index = 0

    return changed("duplicate-index" + ("" if in_order else "-and-order"), change)


def index_out_of_range() -> Fault:
    """Numbers that begin at 1."""

    def change(rows: list[Row]) -> None:
        for row in rows:
            row.index += 1

    return changed("index-out-of-range", change)


def wrong_width(*, everywhere: bool = False) -> Fault:
    """The first vector, or each, is half as wide as it should be."""

    def change(rows: list[Row]) -> None:
        for row in rows if everywhere else rows[:1]:
            row.vector = row.vector[: len(row.vector) // 2]

    return changed("wrong-width-" + ("everywhere" if everywhere else "once"), change)


def not_a_number() -> Fault:
    """The first vector holds NaN."""
    return changed("not-a-number", partial(_overwrite, value=np.nan, stop=1))


def infinite() -> Fault:
    """The first vector holds an infinite value."""
    return changed("infinite", partial(_overwrite, value=np.inf, stop=1))


def zeros() -> Fault:
    """The first vector is all zeros."""
    return changed("zeros", partial(_overwrite, value=0.0, stop=None))


def cut_base64() -> Fault:
    """A string whose length is no multiple of four."""
    return spoiled("cut-base64", lambda text: text[:-1], encoding="base64")


def foreign_in_base64() -> Fault:
    """Characters that are none of base64's beside the right ones; a lax decoder skips them."""
    return spoiled("foreign-in-base64", lambda text: f"!!{text}\n*", encoding="base64")


def foreign_for_base64() -> Fault:
    """Foreign characters instead of right ones; a lax decoder gives a shorter vector."""
    return spoiled("foreign-for-base64", lambda text: f"!!!!{text[4:]}", encoding="base64")


def mixed_encodings() -> Fault:
    """Base64 and floats side by side. Odd, and yet a right answer."""
    return spoiled("mixed-encodings", _as_it_is, encoding="float", every=2)


def ignores_base64() -> Fault:
    """Floats, although base64 was asked for. Many servers do so, and it is a right answer."""
    return spoiled("ignores-base64", _as_it_is, encoding="float")


def null_vector() -> Fault:
    """`null` where a vector should be."""
    return spoiled("null-vector", lambda _: None)


def empty_vector() -> Fault:
    """A vector without values."""
    return spoiled("empty-vector", lambda _: [])


def vector_of_strings() -> Fault:
    """Numbers in quotes."""
    return spoiled("vector-of-strings", lambda floats: [str(x) for x in floats], encoding="float")


def no_rows() -> Fault:
    """An empty list of vectors."""
    return changed("no-rows", lambda rows: rows.clear())


def null_rows() -> Fault:
    """`null` where the list of vectors should be."""

    async def play(exchange: Exchange) -> None:
        await exchange.answer(missing=True)

    return Fault("null-rows", play)


def _copy(row: Row, *, index: int) -> Row:
    return Row(index=index, vector=row.vector, encoding=row.encoding, spoil=row.spoil)


def _overwrite(rows: list[Row], *, value: float, stop: int | None) -> None:
    vector = rows[0].vector.copy()
    vector[:stop] = value
    rows[0].vector = vector


def _as_it_is(written: object) -> object:
    return written
