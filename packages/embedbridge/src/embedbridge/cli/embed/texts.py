"""Text input: texts from the command line, or the lines of a file, for `embedbridge embed`."""

from __future__ import annotations

import codecs
import io
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import count
from pathlib import Path
from typing import IO, TextIO

from embedbridge.cli.embed.entry import Entry
from embedbridge.contract.errors import InvalidInputError

STDIN = Path("-")


def text_entries(texts: Iterable[str]) -> Iterator[Entry]:
    """The texts of the command line."""
    for position, text in enumerate(texts):
        yield Entry(text, position, facts={"text": text})


class Lines:
    """The texts of a file, one per line, without holding it in memory.

    Args:
        path: The file; `-` is stdin.
        keep_empty: Hand out lines of nothing but white space too, instead of skipping them.
    """

    def __init__(self, path: Path, *, keep_empty: bool) -> None:
        self._path = path
        self._name = "stdin" if path == STDIN else str(path)
        self._keep_empty = keep_empty
        self.skipped: list[int] = []
        """Numbers of the lines that were left out so far."""

    def __iter__(self) -> Iterator[Entry]:
        positions = count()
        with self._open() as lines:
            for number, raw in enumerate(lines, start=1):
                source = f"line {number} of {self._name}"
                text = _decode(raw.removeprefix(codecs.BOM_UTF8) if number == 1 else raw, source)
                if self._is_wanted(text):
                    facts: dict[str, str | int] = {"line": number, "text": text}
                    yield Entry(text, next(positions), facts, id=str(number), source=source)
                else:
                    self.skipped.append(number)

    def count(self) -> int | None:
        """How many texts there are; `None` for stdin and pipes, which can be read only once."""
        if self._path == STDIN or not self._path.is_file():
            return None
        with self._open() as lines:
            return sum(self._is_wanted(line) for line in lines)

    def _open(self) -> AbstractContextManager[IO[bytes]]:
        if self._path != STDIN:
            return self._path.open("rb")
        stdin: TextIO | None = sys.stdin  # Python leaves it out if it was closed before the start
        return nullcontext(io.BytesIO() if stdin is None else stdin.buffer)

    def _is_wanted(self, text: str | bytes) -> bool:
        return self._keep_empty or bool(text.strip())


def _decode(raw: bytes, source: str) -> str:
    if encoding := _wide_encoding(raw):
        raise InvalidInputError(
            f"The text is {encoding}, not UTF-8.",
            source=source,
            hint=f"Convert the file: iconv -f {encoding} -t UTF-8 OLD > NEW; in PowerShell, "
            "Set-Content -Encoding utf8.",
        )
    try:
        return raw.rstrip(b"\r\n").decode()
    except UnicodeDecodeError:
        raise InvalidInputError(
            "The text is not UTF-8.",
            source=source,
            hint="Convert the file first, as with iconv -f WINDOWS-1252 -t UTF-8 OLD > NEW.",
        ) from None


def _wide_encoding(raw: bytes) -> str | None:
    """Which encoding of two or four bytes a line is in, by its mark or by its zeros.

    Without a mark, English in UTF-16 is valid UTF-8 with a zero behind each letter: it must not be
    embedded as that.
    """
    if raw.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "UTF-32"
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "UTF-16"
    zeros = raw.count(0)
    if zeros * 3 >= len(raw) > 1:
        wide = zeros * 3 >= len(raw) * 2
        first_is_zero = raw[0] == 0
        return f"UTF-{32 if wide else 16}{'BE' if first_is_zero else 'LE'}"
    return None
