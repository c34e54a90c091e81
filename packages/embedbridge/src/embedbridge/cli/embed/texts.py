"""What `embedbridge embed` reads: texts from the command line, or the lines of a file."""

from __future__ import annotations

import codecs
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO

from embedbridge.cli.embed.entry import Entry
from embedbridge.contract.errors import InvalidInputError

STDIN = Path("-")


def text_entry(text: str) -> Entry:
    """A text from the command line."""
    return Entry(text, facts={"text": text})


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
        with self._open() as lines:
            for number, raw in enumerate(lines, start=1):
                source = f"line {number} of {self._name}"
                text = _decode(raw.removeprefix(codecs.BOM_UTF8) if number == 1 else raw, source)
                if self._is_wanted(text):
                    facts: dict[str, str | int] = {"line": number, "text": text}
                    yield Entry(text, facts=facts, id=str(number), source=source)
                else:
                    self.skipped.append(number)

    def count(self) -> int | None:
        """How many texts there are; `None` for stdin and pipes, which can be read only once."""
        if self._path == STDIN or not self._path.is_file():
            return None
        with self._open() as lines:
            return sum(self._is_wanted(line) for line in lines)

    def _open(self) -> AbstractContextManager[IO[bytes]]:
        return nullcontext(sys.stdin.buffer) if self._path == STDIN else self._path.open("rb")

    def _is_wanted(self, text: str | bytes) -> bool:
        return self._keep_empty or bool(text.strip())


def _decode(raw: bytes, source: str) -> str:
    try:
        return raw.rstrip(b"\r\n").decode()
    except UnicodeDecodeError:
        raise InvalidInputError(
            "The text is not UTF-8.", source=source, hint="Convert the file first."
        ) from None
