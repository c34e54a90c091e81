"""Seventh stage: the images of one batch are decoded, in threads, just before they are embedded.

A job is never decoded whole. Of each image two keys are known: one of its encoded bytes, which is
cheap, and one of its pixels, by which the same picture is found in whatever file it comes.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING

from embedbridge.contract.digests import mixed_digest, text_digest
from embedbridge.contract.errors import InvalidInputError
from embedbridge.contract.image import Image
from embedbridge.contract.inputs import Content, Mixed
from embedbridge.contract.loaded import Loaded, LoadedImage, LoadedMixed, loaded_digest
from embedbridge.core.decode import OpenedImage, open_image
from embedbridge.core.recall import key_of, recall, write_cache

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from embedbridge.core.image_rules import ImageRules
    from embedbridge.core.job import Job
    from embedbridge.core.planned import Planned

MAX_PIXELS_IN_MEMORY = 64_000_000
"""Pixels that one batch decodes at most, 3 bytes each, where the card sets no limit."""
AHEAD = 8
"""Images that are opened before they are known to fit into memory with the others."""
MAX_THREADS = 8
"""Decoding scales with cores, and more of these would only fill the memory sooner."""


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


def load_images(job: Job, planned: Planned) -> LoadedBatch:
    """Decode the images of a batch; changes nothing of the job, so it may run ahead of it."""
    order, rules = job.order, job.order.image_rules
    contents = [job.unique[place] for place in planned.places.tolist()]
    found = LoadedBatch(planned=planned)
    opened = _open_within(contents, rules, order.card.limits.max_pixels_per_request)
    taken, rest = planned.split(len(opened))
    found.rest = rest
    futures = [_decoders().submit(_decode, one) for one in opened]
    loaded: list[Loaded] = []
    wanted: list[bool] = []
    for place, one, future in zip(taken.places.tolist(), opened, futures, strict=True):
        content = future.result()
        wanted.append(not isinstance(content, InvalidInputError))
        if isinstance(content, InvalidInputError):
            found.failed[place] = content
            continue
        loaded.append(content)
        if not job.keys:
            continue  # nobody asks: hashing pixels takes as long as decoding them
        found.keys[place] = key_of(order, loaded_digest(content))
        if order.cache is None:
            continue
        assert not isinstance(one, InvalidInputError)  # noqa: S101  # it was decoded
        found.aliases[place] = key_of(order, one.digest())
    found.planned = replace(taken.only(wanted), loaded=loaded)
    _look_up(job, found)
    return found


def admit(job: Job, found: LoadedBatch) -> list[Planned]:
    """Take the outcome of `load_images` into the job.

    Returns:
        What the model must be asked now, if anything, and what is left for later.

    Raises:
        InvalidInputError: An image is bad, unless errors are collected.
    """
    for place, key in found.keys.items():
        job.keys[place] = key
    job.aliases.update(found.aliases)
    for place, error in found.failed.items():
        job.refuse(place, found.planned.modality, error)
    if found.known:
        job.recall(found.known, found.planned.modality)
    return [batch for batch in (found.planned, found.rest) if batch is not None and len(batch)]


class ReadAhead:
    """Decodes the next batch of a job while the model computes the present one."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._ahead: tuple[Planned, Future[LoadedBatch]] | None = None

    def take(self, planned: Planned, following: Planned | None) -> LoadedBatch:
        """The batch that is due, decoded; the one after it is begun."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead[0] is planned:
            found = ahead[1].result()
        else:
            found = load_images(self._job, planned)
        if following is not None and following.needs_loading:
            self._ahead = (following, loading_threads().submit(load_images, self._job, following))
        return found


# Opening and decoding.


class _OpenedMixed:
    """Texts and opened images in reading order."""

    def __init__(self, parts: Sequence[str | OpenedImage]) -> None:
        self._parts = parts

    @property
    def pixels(self) -> int:
        return sum(_pixels(part) for part in self._parts if not isinstance(part, str))

    def digest(self) -> bytes:
        parts = self._parts
        return mixed_digest(
            text_digest(part) if isinstance(part, str) else part.digest() for part in parts
        )

    def decode(self) -> LoadedMixed:
        return LoadedMixed(
            tuple(part if isinstance(part, str) else part.decode() for part in self._parts)
        )


_Opened = OpenedImage | _OpenedMixed | InvalidInputError


def _open(content: Content, rules: ImageRules) -> _Opened:
    try:
        if isinstance(content, Image):
            return open_image(content, rules)
        assert isinstance(content, Mixed)  # noqa: S101  # texts have a modality of their own
        return _OpenedMixed(
            [part if isinstance(part, str) else open_image(part, rules) for part in content.parts]
        )
    except InvalidInputError as error:
        return error


def _open_within(
    contents: Sequence[Content], rules: ImageRules, max_pixels: int | None
) -> list[_Opened]:
    """The first contents, opened: as many as may be decoded at once, and one at least."""
    most = MAX_PIXELS_IN_MEMORY if max_pixels is None else max_pixels
    total = 0
    opened: list[_Opened] = []
    for one in _open_ahead(contents, rules):
        total += _pixels(one)
        if opened and total > most:
            break
        opened.append(one)
    return opened


def _open_ahead(contents: Sequence[Content], rules: ImageRules) -> Iterator[_Opened]:
    """The contents, opened in order and a few of them at once: files are read, URLs fetched."""
    waiting: deque[Future[_Opened]] = deque()
    for content in contents:
        waiting.append(_decoders().submit(_open, content, rules))
        if len(waiting) == AHEAD:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _pixels(one: _Opened) -> int:
    if isinstance(one, InvalidInputError):
        return 0
    if isinstance(one, _OpenedMixed):
        return one.pixels
    width, height = one.size
    return width * height


def _decode(one: _Opened) -> LoadedImage | LoadedMixed | InvalidInputError:
    if isinstance(one, InvalidInputError):
        return one
    try:
        return one.decode()
    except InvalidInputError as error:
        return error


def _look_up(job: Job, found: LoadedBatch) -> None:
    """Pictures that are known from another file need no model, and get a second name."""
    cache = job.order.cache
    if cache is None or not found.keys:
        return
    places = list(found.keys)
    numbers, vectors = recall(cache, list(found.keys.values()), job.order.final_dimensions)
    if not len(numbers):
        return
    found.known = {places[n]: vector for n, vector in zip(numbers.tolist(), vectors, strict=True)}
    write_cache(cache, [(found.aliases[place],) for place in found.known], vectors)
    found.planned = found.planned.only(
        [place not in found.known for place in found.planned.places.tolist()]
    )


# Threads.


@cache
def _decoders() -> ThreadPoolExecutor:
    """Threads that open and decode one image each, and wait for nothing else."""
    threads = min(os.cpu_count() or 1, MAX_THREADS)
    return ThreadPoolExecutor(threads, thread_name_prefix="embedbridge-decode")


@cache
def loading_threads() -> ThreadPoolExecutor:
    """Threads that load one batch each; apart from the decoders, for which they wait."""
    return ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="embedbridge-load")


def _after_fork_in_child() -> None:
    _decoders.cache_clear()
    loading_threads.cache_clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
