"""Content hashes: SHA-256 of what is embedded, equal for equal inputs on every machine."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def text_digest(text: str) -> bytes:
    """Digest of a text; lone surrogates included, so that any `str` has one."""
    return hashlib.sha256(b"text\0" + text.encode("utf-8", "surrogatepass")).digest()


def mixed_digest(parts: Iterable[bytes]) -> bytes:
    """Digest of a mixed input by the digests of its parts in their order."""
    # All have one length, so no two different sequences run together alike.
    return hashlib.sha256(b"mixed\0" + b"".join(parts)).digest()
