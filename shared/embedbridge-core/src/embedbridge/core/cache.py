"""Fifth stage and last but one: vectors that were paid for once.

A key is SHA-256 over the fingerprint, role, task, modality and rendered content: a cache can never
answer with another model's, role's, prompt's or width's vector.
"""

from __future__ import annotations

import hashlib
import threading
import warnings
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Protocol

import numpy as np

from embedbridge.contract.errors import InvalidInputError, InvalidOptionError
from embedbridge.contract.inputs import Content, content_digest
from embedbridge.contract.model import LocalEmbeddingModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from embedbridge.contract.batch import Vectors
    from embedbridge.contract.vocabulary import Role, Task
    from embedbridge.core.job import Job


class VectorCache(Protocol):
    """Where vectors are kept. Keys are 64 hexadecimal digits; vectors are float32, shape (d,).

    Called from several threads at once. What it cannot answer is simply not in the mapping.
    """

    def get_many(self, keys: Sequence[str]) -> Mapping[str, NDArray[np.float32]]:
        """The vectors that are known among these keys."""

    def put_many(self, vectors: Mapping[str, NDArray[np.float32]]) -> None:
        """Keep these vectors."""


class MemoryCache:
    """A cache for as long as the process lives, without a limit of size."""

    def __init__(self) -> None:
        self._vectors: dict[str, NDArray[np.float32]] = {}
        self._lock = threading.Lock()

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
    """What users write for a cache: nothing, `True`, a path, or a cache of their own.

    Raises:
        InvalidOptionError: It is none of these.
    """
    if value is None or value is False:
        return None
    if value is True or isinstance(value, str | PathLike):
        from embedbridge.core.disk_cache import DiskCache, default_path

        return DiskCache(default_path() if value is True else value)
    if hasattr(value, "get_many") and hasattr(value, "put_many"):
        return value
    raise InvalidOptionError(
        f"{type(value).__name__} is no cache.",
        hint="Pass True, a path, or an object with get_many and put_many.",
    )


def cache_key(fingerprint: str, role: Role, task: Task | None, content: Content) -> str:
    """The key of one rendered input.

    Raises:
        InvalidImageError: The image's bytes cannot be read.
    """
    # Every part has a fixed length or alphabet, so no two different ones run together alike.
    head = f"{fingerprint}|{role}|{task or ''}|".encode()
    return hashlib.sha256(head + content_digest(content)).hexdigest()


def name_contents(job: Job) -> None:
    """Give every content its key, by which caches and requests in flight know it."""
    order = job.order
    if order.cache is None and isinstance(order.model, LocalEmbeddingModel):
        return  # nobody would ask
    for place, content in enumerate(job.unique):
        try:
            job.keys.append(cache_key(order.fingerprint, order.role, order.task, content))
        except InvalidInputError as error:  # an image that cannot be read
            job.keys.append("")
            job.fail([place], error)


def read_cache(job: Job) -> None:
    """Take what is known already. A cache that fails costs time, never the job."""
    order = job.order
    if order.cache is None:
        return
    try:
        known = order.cache.get_many([key for key in job.keys if key])
    except Exception as error:  # noqa: BLE001  # any store, any failure
        _warn("read", error)
        return
    found = {key: vector for key, vector in known.items() if _is_vector(vector)}
    width = order.final_dimensions or next(map(len, found.values()), 0)
    places = [
        place for place, key in enumerate(job.keys) if key in found and len(found[key]) == width
    ]
    if places:
        vectors = np.stack([found[job.keys[place]] for place in places])
        sound = np.isfinite(vectors).all(axis=1)
        hits = np.array(places, dtype=np.intp)[sound]
        job.store(hits, vectors[sound])
        job.hits[hits] = True
        job.cached = len(hits)


def _is_vector(value: object) -> bool:
    """A store of strangers may hold anything."""
    return isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind == "f"


def write_cache(cache: VectorCache, keys: list[str], vectors: Vectors) -> None:
    """Keep what was paid for. If that fails, the vectors are handed out all the same."""
    try:
        cache.put_many(dict(zip(keys, vectors, strict=True)))
    except Exception as error:  # noqa: BLE001  # any store, any failure
        _warn("written", error)


def _warn(verb: str, error: Exception) -> None:
    warnings.warn(
        f"The cache could not be {verb} ({type(error).__name__}); going on without it.",
        RuntimeWarning,
        stacklevel=4,
    )
