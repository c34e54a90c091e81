"""Lazy image loading: the images of one batch are decoded just before it is embedded.

A job is never decoded whole. Each image has two cache keys: that of its encoded bytes is cheap;
that of its pixels finds the same picture in a file of another format or name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from embedbridge.contract.errors import InvalidInputError
from embedbridge.contract.loaded import Loaded, loaded_digest
from embedbridge.core import images
from embedbridge.core.engine.cache_stage import keys_for, recall, takes_zeros, write_cache
from embedbridge.core.engine.job_events import announce_batch
from embedbridge.core.engine.planned import Planned

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from embedbridge.core.engine.job import Job
    from embedbridge.core.images.decode_pool import Opened


@dataclass(slots=True, kw_only=True)
class LoadedBatch:
    """What became of one planned batch."""

    planned: Planned
    """What the model must be asked, with its inputs decoded."""
    rest: Planned | None = None
    """What did not fit into memory with it."""
    keys: dict[int, str] = field(default_factory=dict)
    """By place, the cache key of the pixels."""
    aliases: dict[int, str] = field(default_factory=dict)
    """By place, the cache key of the encoded bytes."""
    known: dict[int, NDArray[np.float32]] = field(default_factory=dict)
    """By place, vectors that the cache had under another file's name."""
    failed: dict[int, InvalidInputError] = field(default_factory=dict)
    """By place, what is wrong with an image."""


def open_images(job: Job, planned: Planned) -> list[Opened]:
    """Read the images of a batch, as many of the first ones as may be decoded at once."""
    contents = [job.unique[place] for place in planned.places.tolist()]
    return images.open_within(
        contents, job.spec.image_rules, job.spec.card.limits.max_pixels_per_request
    )


def load_images(job: Job, planned: Planned, opened: Sequence[Opened] | None = None) -> LoadedBatch:
    """Decode the images of a batch; changes nothing of the job, so it may run ahead of it.

    Args:
        job: The job of the images.
        planned: Which of them.
        opened: What `open_images` found, where that is known already.
    """
    spec = job.spec
    key = keys_for(spec)
    found = LoadedBatch(planned=planned)
    if opened is None:
        opened = open_images(job, planned)
    taken, rest = planned.split(len(opened), job.tokens)
    found.rest = rest
    loaded: list[Loaded] = []
    wanted: list[bool] = []
    for place, one, content in zip(
        taken.places.tolist(), opened, images.decode_all(opened), strict=True
    ):
        wanted.append(not isinstance(content, InvalidInputError))
        if isinstance(content, InvalidInputError):
            found.failed[place] = content
            continue
        loaded.append(content)
        if job.keys is None:
            continue  # no key is needed, and hashing pixels takes as long as decoding them
        found.keys[place] = key(loaded_digest(content))
        if spec.cache is None:
            continue
        assert not isinstance(one, InvalidInputError)  # noqa: S101  # it was decoded
        found.aliases[place] = key(one.digest())
    found.planned = replace(taken.only(wanted), loaded=loaded)
    _look_up(job, found)
    return found


def _look_up(job: Job, found: LoadedBatch) -> None:
    """Pictures that are known from another file need no model, and get a second name."""
    cache = job.spec.cache
    if cache is None or not found.keys:
        return
    places = list(found.keys)
    keys, width = list(found.keys.values()), job.spec.final_dimensions
    notices = job.spec.notices
    numbers, vectors = recall(cache, keys, width, notices, zeros=takes_zeros(job.spec))
    if not len(numbers):
        return
    found.known = {places[n]: vector for n, vector in zip(numbers.tolist(), vectors, strict=True)}
    write_cache(cache, [(found.aliases[place],) for place in found.known], vectors, notices)
    found.planned = found.planned.only(
        [place not in found.known for place in found.planned.places.tolist()]
    )


def admit(job: Job, found: LoadedBatch) -> list[Planned]:
    """Take the outcome of `load_images` into the job.

    Returns:
        What the model must be asked now, if anything, and what is left for later.

    Raises:
        InvalidInputError: An image is bad, unless errors are collected.
    """
    released = _released(job, found)
    if job.keys is not None:
        for place, key in found.keys.items():
            job.keys[place] = key
    job.aliases.update(found.aliases)
    _leave_out_copies(job, found)
    for place, error in found.failed.items():
        announce_batch(job, _without_model(found, [place]), error=error)
        job.fail([place], error)
    if found.known:
        hits = _without_model(found, list(found.known))
        job.store(hits.places, np.stack(list(found.known.values())))
        job.cached += len(hits)
        announce_batch(job, hits)
    batches = [batch for batch in (found.planned, found.rest) if batch is not None and len(batch)]
    # One by one: together they might be more than a batch may hold.
    return [*batches, *(_alone(job, found, place) for place in released)]


def _alone(job: Job, found: LoadedBatch, place: int) -> Planned:
    places = np.array([place], dtype=np.intp)
    tokens = int(job.tokens.of(places)[0])
    return Planned(places=places, modality=found.planned.modality, tokens=tokens)


def _released(job: Job, found: LoadedBatch) -> list[int]:
    """What had the bytes of a file that is broken, or another one by now: it is loaded for itself.

    So each broken file is named by its own error, and nothing gets the vector of what is not in it.
    """
    released: list[int] = []
    if job.keys is not None and job.copies:
        for place in (*found.failed, *found.keys):
            if found.aliases.get(place) != job.keys[place]:
                released += job.copies.give_up(place)
    return released


def _leave_out_copies(job: Job, found: LoadedBatch) -> None:
    """Of what is the same picture, the first one stays; it may be in a batch that was loaded before."""
    firsts = {place: job.copies.first_with(key, place) for place, key in found.keys.items()}
    copies = {place: first for place, first in firsts.items() if place != first}
    if not copies:
        return
    # Who is still to come to its end speaks for its copies then.
    late = [place for place, first in copies.items() if job.done[first]]
    if late:
        announce_batch(job, _without_model(found, late))
    for place, first in copies.items():
        if first in job.failed:
            announce_batch(job, _without_model(found, [place]), error=job.failed[first])
        job.copies.add(place, first)
    found.known = {place: row for place, row in found.known.items() if place not in copies}
    found.planned = found.planned.only(
        [place not in copies for place in found.planned.places.tolist()]
    )


def _without_model(found: LoadedBatch, places: list[int]) -> Planned:
    """Contents of a batch that are settled before the model is asked."""
    return Planned(places=np.array(places, np.intp), modality=found.planned.modality, tokens=0)
