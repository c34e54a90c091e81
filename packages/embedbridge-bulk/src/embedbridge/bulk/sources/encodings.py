"""Encodings: files of texts that are no UTF-8, of which Arrow says something else."""

from __future__ import annotations

import codecs

from embedbridge.bulk.errors import SourceError
from embedbridge.contract.errors import short_path

START_BYTES = 1024
MARKS = {  # UTF-32 first: its mark begins like that of UTF-16
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


def not_utf8(path: str, start: bytes, failure: Exception) -> SourceError | None:
    """The error for a file of another encoding, where that is what ails it.

    Args:
        path: Where it is.
        start: Its first bytes.
        failure: What reading it has raised.
    """
    encoding = _wide_encoding(start)
    if encoding is None and not (isinstance(failure, UnicodeDecodeError) or "UTF8" in str(failure)):
        return None
    error = SourceError(
        f"{short_path(path)} cannot be read: it is {'not' if encoding is None else f'{encoding}, not'} UTF-8.",
        hint=f"Convert the file: iconv -f {encoding or 'WINDOWS-1252'} -t UTF-8 OLD > NEW; in PowerShell, "
        "Set-Content -Encoding utf8.",
    )
    error.__cause__ = failure
    return error


def _wide_encoding(start: bytes) -> str | None:
    """Which encoding of two or four bytes a file is in, by its mark or by its zeros."""
    for mark, encoding in MARKS.items():
        if start.startswith(mark):
            return encoding
    zeros = start.count(0)
    if zeros * 3 < len(start) or not zeros:
        return None
    order = "BE" if start[0] == 0 else "LE"
    return f"UTF-{32 if zeros * 3 >= len(start) * 2 else 16}{order}"
