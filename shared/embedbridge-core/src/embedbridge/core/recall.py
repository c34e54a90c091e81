"""What the cache knows of a job is not asked again, and what was asked is kept."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from embedbridge.contract.errors import InvalidInputError
from embedbridge.contract.model import LocalEmbeddingModel
from embedbridge.core.cache import cache_key

if TYPE_CHECKING:
    from embedbridge.contract.batch import Vectors
    from embedbridge.core.cache import VectorCache
    from embedbridge.core.job import Job


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
