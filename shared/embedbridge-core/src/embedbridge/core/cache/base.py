"""The cache protocol, the in-memory cache, and how a cache key is made.

A key is SHA-256 over the fingerprint, role, task, modality and rendered content: a cache can never
answer with another model's, role's, prompt's or width's vector.
"""

from __future__ import annotations

import hashlib
import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np

from embedbridge.contract.callers import level_of_caller
from embedbridge.contract.errors import InvalidOptionError
from embedbridge.contract.forks import ForkSafeLock

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from embedbridge.contract.vocabulary import Role, Task


class VectorCache(Protocol):
    """Keeps vectors. Keys are 64 hexadecimal digits; vectors are float32, shape (d,).

    Called from several threads at once, and may block: async methods are refused. Keys that it does
    not have are left out of the mapping. Both methods use NumPy arrays: a store that keeps lists or
    bytes makes arrays of them in `get_many`, or else never has a hit, and a warning says so.
    """

    def get_many(self, keys: Sequence[str]) -> Mapping[str, NDArray[np.float32]]:
        """The vectors that are known among these keys."""

    def put_many(self, vectors: Mapping[str, NDArray[np.float32]]) -> None:
        """Keep these vectors."""


class MemoryCache:
    """A cache for as long as the process lives, without a limit of size."""

    def __init__(self) -> None:
        self._vectors: dict[str, NDArray[np.float32]] = {}
        self._lock = ForkSafeLock()

    def get_many(self, keys: Sequence[str]) -> Mapping[str, NDArray[np.float32]]:
        """The vectors that are known among these keys."""
        with self._lock:
            return {key: self._vectors[key] for key in keys if key in self._vectors}

    def put_many(self, vectors: Mapping[str, NDArray[np.float32]]) -> None:
        """Keep copies of these vectors."""
        copies = {key: vector.copy() for key, vector in vectors.items()}
        with self._lock:
            self._vectors.update(copies)

    def __len__(self) -> int:
        return len(self._vectors)


def as_cache(value: object) -> VectorCache | None:
    """The cache for what users write: `None`, `True`, a path, or a cache object.

    Raises:
        InvalidOptionError: It is none of these.
    """
    if value is None or value is False:
        return None
    from embedbridge.core.cache.disk import DiskCache, default_path

    if value is True:
        return DiskCache(default_path())
    if isinstance(value, str | PathLike):
        return DiskCache(value)
    if isinstance(value, Mapping) and set(value) == {"path", "max_bytes"}:  # of `cache_config`
        return DiskCache(value["path"], max_bytes=value["max_bytes"])
    if isinstance(value, type):
        raise InvalidOptionError(
            f"The class {value.__name__} is no cache.", hint=f"Pass {value.__name__}(…)."
        )
    methods = [getattr(value, name, None) for name in ("get_many", "put_many")]
    if any(map(inspect.iscoroutinefunction, methods)):
        raise InvalidOptionError(
            f"{type(value).__name__} is async: no thread would wait for its get_many and put_many.",
            hint="Write them as plain methods, with the sync client of the store; they are called in "
            "threads, and may block.",
        )
    if all(map(callable, methods)):
        return cast("VectorCache", value)
    raise InvalidOptionError(
        f"{type(value).__name__} is no cache.",
        hint="Pass True, a path, or an object with get_many and put_many.",
    )


def cache_config(cache: VectorCache | None) -> dict[str, Any] | None:
    """What stands for a cache in another process: its file; `None` for one that stays here."""
    if cache is None:
        return None
    from embedbridge.core.cache.disk import DiskCache

    if not isinstance(cache, DiskCache):
        return None
    return {"path": str(cache.path), "max_bytes": cache.max_bytes}


def warn_of_cache_left_behind(cache: object) -> None:
    """Say that what travels to another process has no cache there."""
    warnings.warn(
        f"The cache ({type(cache).__name__}) stays in this process: what is made from the pickle or "
        "the configuration has none. A cache in a file travels: cache=True, a path, or DiskCache.",
        RuntimeWarning,
        stacklevel=level_of_caller(),
    )


def cache_keys(fingerprint: str, role: Role, task: Task | None) -> Callable[[bytes], str]:
    """The function that makes the key of a rendered input from the SHA-256 of its content."""
    # Every part has a fixed length or alphabet, so two different heads never give the same bytes.
    head = f"{fingerprint}|{role}|{task or ''}|".encode()

    def key(digest: bytes) -> str:
        return hashlib.sha256(head + digest).hexdigest()

    return key


def cut_key(key: str) -> str:
    """The key of a text of which the model read only a part, from that of the text.

    What is found under it is reported as truncated, like the answer that it is from.
    """
    return hashlib.sha256(f"cut|{key}".encode()).hexdigest()
