"""Cache keys, cache read and cache write: a vector that was paid for is not computed again.

A cache that fails costs time, never the job.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeGuard, cast

import numpy as np

from embedbridge.contract.digests import mixed_digest, text_digest
from embedbridge.contract.errors import InvalidInputError
from embedbridge.contract.image import Image
from embedbridge.contract.inputs import Content
from embedbridge.contract.model import LocalEmbeddingModel
from embedbridge.contract.signals import let_handlers_raise
from embedbridge.contract.vectors import zero_rows
from embedbridge.core import images
from embedbridge.core.cache.base import cache_keys, cut_key
from embedbridge.core.engine.fit import SHORTEST_CUT
from embedbridge.core.notices import Notices

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from embedbridge.contract.batch import Vectors
    from embedbridge.core.cache.base import VectorCache
    from embedbridge.core.engine.job import Job
    from embedbridge.core.engine.job_spec import JobSpec
    from embedbridge.core.images.rules import ImageRules


def assign_cache_keys(job: Job) -> None:
    """Give every content its key, under which caches and shared requests know it.

    An image gets its key here only if a cache can be asked for it, and only from its encoded bytes;
    the stage `load` adds the one of its pixels. Images of equal bytes need one vector: all but the
    first are its copies, and have no key.
    """
    spec = job.spec
    if spec.cache is None and isinstance(spec.model, LocalEmbeddingModel):
        return  # neither a cache nor another request could be asked
    key = keys_for(spec)
    keys: list[str | None] = []
    files: dict[bytes, int] = {}
    for place, content in enumerate(job.unique):
        digest = None
        try:
            if isinstance(content, str):
                digest = text_digest(content)
            elif spec.cache is not None and place not in job.failed:
                digest = digest_early(content, spec.image_rules)
                if digest is not None and (first := files.setdefault(digest, place)) != place:
                    job.copies.add(place, first)
                    digest = None
        except InvalidInputError as error:  # an image that cannot be read
            job.fail([place], error)
        keys.append(None if digest is None else key(digest))
    job.keys = keys


def keys_for(spec: JobSpec) -> Callable[[bytes], str]:
    """The function that makes the key of a rendered content from its digest."""
    return cache_keys(spec.fingerprint, spec.role, spec.task)


def digest_early(content: Content, rules: ImageRules) -> bytes | None:
    """SHA-256 of a content, without decoding it; `None` for an image that must be fetched first.

    Raises:
        InvalidImageError: It cannot be read, or its header breaks the rules.
    """
    if isinstance(content, str):
        return text_digest(content)
    if isinstance(content, Image):
        return None if content.kind == "url" else images.open_image(content, rules).digest()
    parts = [digest_early(part, rules) for part in content.parts]
    known = [part for part in parts if part is not None]
    return mixed_digest(known) if len(known) == len(parts) else None


def read_cache(job: Job) -> None:
    """Take from the cache the vectors that it has, also those of texts that had to be cut."""
    spec = job.spec
    if spec.cache is None or job.keys is None:
        return
    keys = list(filter(None, job.keys))
    named = np.arange(len(keys))
    if len(keys) < len(job.keys):  # some images have no key yet
        named = np.flatnonzero([key is not None for key in job.keys])
    _take(job, named, keys)
    # Where a text that is too long is an error, the server is to say so again.
    if spec.settings.on_too_long == "truncate" and not isinstance(spec.model, LocalEmbeddingModel):
        places = [n for n in named[~job.done[named]].tolist() if _may_have_been_cut(job.unique[n])]
        cut = [cut_key(cast("str", job.keys[place])) for place in places]
        _take(job, np.array(places, dtype=np.intp), cut, truncated=True)


def _take(
    job: Job, places: NDArray[np.intp], keys: Sequence[str], *, truncated: bool = False
) -> None:
    """Take the vectors of some places, one key each."""
    cache, width = job.spec.cache, job.spec.final_dimensions
    if cache is None or not keys:
        return
    if width is None and job.vectors is not None:
        width = job.vectors.shape[1]
    zeros = takes_zeros(job.spec)
    found, vectors = recall(cache, keys, width, job.spec.notices, zeros=zeros)
    if len(found):
        hits = places[found]
        job.store(hits, vectors)
        job.truncated[hits] |= truncated
        job.cached += len(hits)


def takes_zeros(spec: JobSpec) -> bool:
    """Whether vectors of zeros that others keep are taken.

    Where they are an error, the model is to answer again: they may be from before that was set.
    """
    return spec.settings.on_zero_vector != "error"


def _may_have_been_cut(content: Content) -> bool:
    return isinstance(content, str) and len(content) > SHORTEST_CUT


def recall(
    cache: VectorCache,
    keys: Sequence[str],
    dimensions: int | None,
    notices: Notices,
    *,
    zeros: bool,
) -> tuple[NDArray[np.intp], Vectors]:
    """The valid vectors that a cache has, all of one width, and the numbers of their keys.

    Args:
        cache: The cache.
        keys: Of what is wanted.
        dimensions: The width that is wanted; `None` if it is not known.
        notices: Hears of a cache that fails, or answers with something else than vectors.
        zeros: Whether a vector of zeros is valid, see `takes_zeros`.
    """
    rows: dict[int, NDArray[np.float32]] = {}
    with _failing_costs_time(notices, "read"):
        known = _answered(cache.get_many(keys))
        if not isinstance(known, Mapping):
            raise _NoAnswerError(f"get_many returned {type(known).__name__}, no mapping")
        values = list(map(known.get, keys))
        rows = {n: row for n, row in enumerate(values) if _is_vector(row)}
        others = () if rows else [value for value in values if value is not None]
        if others:  # one entry may be anybody's; a store of such never has a hit
            raise _NoAnswerError(f"get_many returned {_kind(others[0])}, no 1-D arrays of floats")
    width = dimensions or len(next(iter(rows.values()), ()))
    rows = {n: row for n, row in rows.items() if len(row) == width}
    if not rows:
        return np.empty(0, np.intp), np.empty((0, width), np.float32)
    vectors = np.concatenate(list(rows.values())).reshape(len(rows), width)
    places = np.array(list(rows), dtype=np.intp)
    if not zeros and (left_out := zero_rows(vectors)).any():
        places, vectors = places[~left_out], vectors[~left_out]
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(vectors.sum()):  # then each number is; most often one look is enough
            return places, vectors
    sound = np.isfinite(vectors).all(axis=1)
    return places[sound], vectors[sound]


def _is_vector(value: object) -> TypeGuard[NDArray[np.float32]]:
    """Whether it is a vector at all: a cache written by others may hold anything."""
    return isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind == "f"


def _kind(value: object) -> str:
    """What a store holds, for messages: the type, and of arrays what is wrong about them."""
    name = type(value).__name__
    if isinstance(value, np.ndarray):
        return f"{name} of {value.dtype} and shape {value.shape}"
    return name


def write_cache(
    cache: VectorCache, names: Sequence[Sequence[str]], vectors: Vectors, notices: Notices
) -> None:
    """Keep finished vectors. If that fails, the caller gets them all the same.

    Args:
        cache: Where they are kept.
        names: The keys of each vector: one, or for an image two, of its pixels and of its file.
        vectors: Shape (len(names), dimensions).
        notices: Hears of a cache that fails.
    """
    rows = zip(names, vectors, strict=True)
    with _failing_costs_time(notices, "written"):
        put: Callable[..., object] = cache.put_many
        _answered(put({key: vector for keys, vector in rows for key in keys}))


class _NoAnswerError(TypeError):
    """A store does not do what caches do."""


def _answered(value: object) -> object:
    """What a store answered; code that would still have to be awaited is no answer."""
    if inspect.isawaitable(value):
        if inspect.iscoroutine(value):
            value.close()  # Python would warn that it was never awaited
        raise _NoAnswerError(f"it is async, and returned {type(value).__name__}")
    return value


@contextmanager
def _failing_costs_time(notices: Notices, verb: str) -> Iterator[None]:
    """Within, whatever a store raises becomes a notice; so does what it warns of itself."""
    try:
        with notices.heard():
            yield
    except Warning as warning:  # which a filter made an error
        notices.add(RuntimeWarning, str(warning))
    except Exception as error:  # noqa: BLE001  # any store, any failure
        let_handlers_raise(error)
        what = str(error) if isinstance(error, _NoAnswerError) else type(error).__name__
        notices.add(RuntimeWarning, f"The cache could not be {verb} ({what}); going on without it.")
