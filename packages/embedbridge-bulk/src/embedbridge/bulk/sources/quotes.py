"""Quotes of CSV and TSV files: whether they are well-formed, which Arrow does not ask.

To Arrow, a cell that begins with a quote goes on to the next one, over any number of lines, and with
what follows that one: a text that only begins with a quote swallows rows, silently.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable
from itertools import chain

import numpy as np
import pyarrow as pa

QUOTE = ord('"')
MOST_BYTES = 1 << 24
"""Of a cell; of a longer one, Arrow says only that it straddles blocks."""


class QuoteCheck:
    """Follows the cells of a file that begin with a quote, as it is read.

    The quote that ends one stands at the end of its cell; those inside it are doubled (RFC 4180).
    A quote inside a cell that begins with something else is one like other characters.

    Args:
        delimiter: Between two cells.
        hold_all: Whether quotes may hold delimiters and line ends.
    """

    def __init__(self, delimiter: bytes, *, hold_all: bool = True) -> None:
        ends = re.escape(delimiter) + rb"\r\n"
        inside = rb'[^"]*' if hold_all else rb'[^"%b]*' % ends
        self._cell = re.compile(
            rb'"(?<=[%b]")%b(?:""%b)*("(?=[%b]))?' % (ends, inside, inside, ends)
        )
        self._hold_all = hold_all
        self._ends = np.zeros(256, bool)
        self._ends[list(delimiter + b"\r\n")] = True
        self._held = b"\n"
        """What is not read to its end: one byte, or that and the beginning of a cell."""
        self._line = 1
        """In which the second byte is."""

    def feed(self, block: bytes) -> None:
        """Go on with the next bytes.

        Raises:
            ArrowInvalid: A cell that begins with a quote goes on behind the closing one.
        """
        if self._held == b"\n" and self._line == 1:
            block = block.removeprefix(codecs.BOM_UTF8)
        data = self._held + block
        kept = self._end_of_pairs(data) or self._end_of_cells(data)
        if len(data) - kept > MOST_BYTES:
            raise self._fault(data, kept + 1, f"has no closing one within {MOST_BYTES >> 20} MB")
        self._line += _lines(data, kept + 1)
        self._held = data[kept:]

    def end(self) -> None:
        """There are no more bytes.

        Raises:
            ArrowInvalid: The last cell begins with a quote, and has no closing one.
        """
        self.feed(b"\n")
        if len(self._held) > 1:
            raise self._fault(self._held, 1, "has no closing one")

    def _end_of_pairs(self, data: bytes) -> int:
        """Where to go on, if all quotes come in pairs that may enclose a cell; 0 where they do not.

        Two such pairs side by side are one cell with a quote inside. Nearly all files are like this, and
        it is found several times as fast as by a look at each cell.
        """
        if data.startswith(b'"') or data.endswith(b'"'):
            return 0
        codes = np.frombuffer(data, np.uint8)
        quotes = np.flatnonzero(codes == QUOTE)
        opening, closing = quotes[::2], quotes[1::2]
        before, behind = codes[opening - 1], codes[closing + 1]
        if not (self._ends[before] | (before == QUOTE)).all():
            return 0
        if not (self._ends[behind] | (behind == QUOTE)).all():
            return 0
        if (
            not self._hold_all
            and (quotes.searchsorted(np.flatnonzero(self._ends[codes])) & 1).any()
        ):
            return 0
        if len(opening) == len(closing):
            return len(data) - 1
        return int(opening[before != QUOTE][-1]) - 1

    def _end_of_cells(self, data: bytes) -> int:
        for cell in self._cell.finditer(data):
            if cell[1] is None:
                if not _is_cut(data, cell.end()):
                    raise self._fault(data, cell.start(), "goes on behind the closing one")
                return cell.start() - 1
        return len(data) - 1

    def _fault(self, data: bytes, at: int, what: str) -> pa.ArrowInvalid:
        line = self._line + _lines(data, at)
        return pa.ArrowInvalid(
            f'in line {line}, a cell begins with a quote and {what} (inside of quotes, "" is one)'
        )


def _is_cut(data: bytes, at: int) -> bool:
    """Whether a cell may go on, or end, with bytes to come."""
    return at == len(data) or (at == len(data) - 1 and data.endswith(b'"'))


def _lines(data: bytes, end: int) -> int:
    """How many lines end before there; the first byte is one of those before."""
    return max(data.count(b"\n", 1, end), data.count(b"\r", 1, end))


def do_quotes_quote(read: Callable[[], Iterable[bytes]], delimiter: bytes) -> bool:
    """Whether quotes quote the cells of a file, or are characters like others: for formats where both occur.

    They quote if each cell that begins with one is well-formed. Delimiters and line ends are inside of
    them unless all lines have as many delimiters: then the lines are rows.

    Args:
        read: Reads the file from its beginning.
        delimiter: Between two cells.
    """
    if _are_well_formed(read(), QuoteCheck(delimiter, hold_all=False)):
        return True
    return _are_well_formed(read(), QuoteCheck(delimiter)) and not _are_lines_rows(
        read(), delimiter
    )


def _are_well_formed(blocks: Iterable[bytes], check: QuoteCheck) -> bool:
    try:
        for block in blocks:
            check.feed(block)
        check.end()
    except pa.ArrowInvalid:
        return False
    return True


def _are_lines_rows(blocks: Iterable[bytes], delimiter: bytes) -> bool:
    """Whether all lines have the same number of delimiters, and some."""
    numbers: set[int] = set()
    begun = b""
    for block in chain(blocks, [b"\n"]):
        *lines, begun = (begun + block).split(b"\n")
        numbers.update(line.count(delimiter) for line in lines if line.strip(b"\r"))
        if len(numbers) > 1:
            return False
    return numbers != {0}
