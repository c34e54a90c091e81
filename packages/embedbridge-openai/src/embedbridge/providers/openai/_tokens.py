"""Counts tokens exactly where tiktoken and its encoding file are on this disk; never downloads.

tiktoken fetches a file that it misses, so it is only asked once the file was seen to be there and
sound. Source of the names and the digest: tiktoken's `load.py` and `tiktoken_ext/openai_public.py`.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tiktoken

ENCODING = "cl100k_base"
"""Of all of OpenAI's embedding models of today."""
SOURCE = "https://openaipublic.blob.core.windows.net/encodings/cl100k_base.tiktoken"
SHA256 = "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"


def count_tokens(texts: Sequence[str]) -> list[int] | None:
    """Tokens of each text, or `None` where they cannot be counted without a download."""
    path = _cached_file()
    encoding = _encoding(path, _version_of(path)) if path is not None else None
    if encoding is None:
        return None
    # The server reads what looks like a special token as the text that it is.
    return [len(tokens) for tokens in encoding.encode_ordinary_batch(list(texts))]


def _cached_file() -> Path | None:
    """Where tiktoken keeps the file, if it is there."""
    folder = os.environ.get("TIKTOKEN_CACHE_DIR", os.environ.get("DATA_GYM_CACHE_DIR"))
    if folder is None:
        folder = str(Path(tempfile.gettempdir(), "data-gym-cache"))
    if not folder:
        return None  # set to nothing, which tells tiktoken to keep no files
    path = Path(folder, hashlib.sha1(SOURCE.encode(), usedforsecurity=False).hexdigest())
    return path if path.is_file() else None


def _version_of(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size


@lru_cache(maxsize=4)
def _encoding(path: Path, _version: tuple[int, int]) -> tiktoken.Encoding | None:
    """The encoding, unless the file is not what it should be: tiktoken would fetch it anew."""
    if importlib.util.find_spec("tiktoken") is None:
        return None
    if hashlib.sha256(path.read_bytes()).hexdigest() != SHA256:
        return None
    import tiktoken

    return tiktoken.get_encoding(ENCODING)
