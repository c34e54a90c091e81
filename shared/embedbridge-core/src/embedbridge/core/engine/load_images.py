"""Seventh stage: the images of one batch are decoded, in threads, just before they are embedded.

A job is never decoded whole. Of each image two keys are known: one of its encoded bytes, which is
cheap, and one of its pixels, by which the same picture is found in whatever file it comes.
"""

from __future__ import annotations

import itertools
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
from embedbridge.contract.model import LocalEmbeddingModel
from embedbridge.core.engine.cache_stage import keys_for, recall, write_cache
from embedbridge.core.images.decode import OpenedImage, open_image

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from embedbridge.core.engine.job import Job
    from embedbridge.core.engine.planned import Planned
    from embedbridge.core.images.rules import ImageRules

MAX_PIXELS_IN_MEMORY = 64_000_000
"""Pixels that one batch decodes at most, 3 bytes each, where the card sets no limit."""
AHEAD = 8
"""Images that are fetched before they are known to fit into memory with the others."""
PIXELS_WORTH_A_THREAD = 100_000
"""Small images are decoded together: handing each to another thread would take as long again."""
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


def open_images(job: Job, planned: Planned) -> list[_Opened]:
    """Read the images of a batch, as many of the first ones as may be decoded at once."""
    contents = [job.unique[place] for place in planned.places.tolist()]
    most = job.spec.card.limits.max_pixels_per_request
    return _open_within(contents, job.spec.image_rules, most)


def load_images(job: Job, planned: Planned, opened: Sequence[_Opened] | None = None) -> LoadedBatch:
    """Decode the images of a batch; changes nothing of the job, so it may run ahead of it.

    Args:
        job: Whose images they are.
        planned: Which of them.
        opened: What `open_images` found, where that is known already.
    """
    spec = job.spec
    key = keys_for(spec)
    found = LoadedBatch(planned=planned)
    if opened is None:
        opened = open_images(job, planned)
    taken, rest = planned.split(len(opened))
    found.rest = rest
    loaded: list[Loaded] = []
    wanted: list[bool] = []
    for place, one, content in zip(taken.places.tolist(), opened, _decode_all(opened), strict=True):
        wanted.append(not isinstance(content, InvalidInputError))
        if isinstance(content, InvalidInputError):
            found.failed[place] = content
            continue
        loaded.append(content)
        if not job.keys:
            continue  # nobody asks: hashing pixels takes as long as decoding them
        found.keys[place] = key(loaded_digest(content))
        if spec.cache is None:
            continue
        assert not isinstance(one, InvalidInputError)  # noqa: S101  # it was decoded
        found.aliases[place] = key(one.digest())
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
    """Sees to the next batch of a job while the model computes the present one.

    It is decoded, if the model computes on a device of its own. One that computes on the same
    processors would lose more by that than is won: then only URLs are fetched.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        model = job.spec.model
        self._decodes = isinstance(model, LocalEmbeddingModel) and model.has_own_device
        self._ahead: tuple[Planned, Future[LoadedBatch] | Future[list[_Opened]]] | None = None

    def take(self, planned: Planned, following: Planned | None) -> LoadedBatch:
        """The batch that is due, decoded; the one after it is begun."""
        ahead, self._ahead = self._ahead, None
        found = ahead[1].result() if ahead is not None and ahead[0] is planned else None
        if not isinstance(found, LoadedBatch):
            found = load_images(self._job, planned, found)
        if following is not None and following.needs_loading:
            self._begin(following)
        return found

    def _begin(self, following: Planned) -> None:
        begun: Future[LoadedBatch] | Future[list[_Opened]]
        if self._decodes:
            begun = loading_threads().submit(load_images, self._job, following)
        elif any(is_fetched(self._job.unique[place]) for place in following.places.tolist()):
            begun = loading_threads().submit(open_images, self._job, following)
        else:
            return
        self._ahead = (following, begun)


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
    """The contents, opened in order; a few URLs are fetched at once.

    What lies on this machine is opened here: another thread would take as long to be woken.
    """
    ahead: deque[Future[_Opened]] = deque()
    coming = iter(content for content in contents if is_fetched(content))
    for content in contents:
        if not is_fetched(content):
            yield _open(content, rules)
            continue
        for url in itertools.islice(coming, AHEAD - len(ahead)):
            ahead.append(_decoders().submit(_open, url, rules))
        yield ahead.popleft().result()


def is_fetched(content: Content) -> bool:
    """Whether something of it comes from the network."""
    parts = content.parts if isinstance(content, Mixed) else (content,)
    return any(isinstance(part, Image) and part.kind == "url" for part in parts)


def _pixels(one: _Opened) -> int:
    if isinstance(one, InvalidInputError):
        return 0
    if isinstance(one, _OpenedMixed):
        return one.pixels
    width, height = one.size
    return width * height


def _decode_all(opened: Sequence[_Opened]) -> list[LoadedImage | LoadedMixed | InvalidInputError]:
    """All of them decoded, in several threads where that is faster."""
    total = sum(map(_pixels, opened))
    count = total // PIXELS_WORTH_A_THREAD
    if count < 2:
        return list(map(_decode, opened))
    portions: list[list[_Opened]] = [[]]
    pixels = 0
    for one in opened:
        if pixels * count >= total * len(portions):
            portions.append([])
        portions[-1].append(one)
        pixels += _pixels(one)
    futures = [_decoders().submit(list, map(_decode, portion)) for portion in portions]
    return [content for future in futures for content in future.result()]


def _decode(one: _Opened) -> LoadedImage | LoadedMixed | InvalidInputError:
    if isinstance(one, InvalidInputError):
        return one
    try:
        return one.decode()
    except InvalidInputError as error:
        return error


def _look_up(job: Job, found: LoadedBatch) -> None:
    """Pictures that are known from another file need no model, and get a second name."""
    cache = job.spec.cache
    if cache is None or not found.keys:
        return
    places = list(found.keys)
    numbers, vectors = recall(cache, list(found.keys.values()), job.spec.final_dimensions)
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
