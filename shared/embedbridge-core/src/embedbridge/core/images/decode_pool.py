"""The decode pool: images are opened and decoded in threads, no more at once than fit into memory.

To open is to read a file or fetch a URL and to check it; to decode is to make its pixels.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeAlias

from embedbridge.contract.digests import mixed_digest, text_digest
from embedbridge.contract.errors import InvalidInputError
from embedbridge.contract.forks import once_per_process
from embedbridge.contract.image import Image
from embedbridge.contract.inputs import Content, Mixed, parts_of
from embedbridge.contract.loaded import LoadedImage, LoadedMixed
from embedbridge.contract.local import usable_processors
from embedbridge.contract.thread_pool import ThreadPool
from embedbridge.core.images.decode import OpenedImage, open_image

if TYPE_CHECKING:
    from embedbridge.core.images.rules import ImageRules

MAX_PIXELS_IN_MEMORY = 64_000_000
"""Pixels that one batch decodes at most, 3 bytes each, where the card sets no limit."""
AHEAD = 8
"""Images that are fetched before they are known to fit into memory with the others."""
PIXELS_WORTH_A_THREAD = 100_000
"""Small images are decoded together: handing each to another thread would take as long again."""
MAX_THREADS = 8
"""Decoding scales with cores, and more of these would only fill the memory sooner."""


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


Opened: TypeAlias = OpenedImage | _OpenedMixed | InvalidInputError
"""An opened content, or what is wrong with it."""


def _open(content: Content, rules: ImageRules) -> Opened:
    try:
        if isinstance(content, Image):
            return open_image(content, rules)
        assert isinstance(content, Mixed)  # noqa: S101  # texts have a modality of their own
        return _OpenedMixed(
            [part if isinstance(part, str) else open_image(part, rules) for part in content.parts]
        )
    except InvalidInputError as error:
        return error


def open_within(
    contents: Sequence[Content], rules: ImageRules, max_pixels: int | None
) -> list[Opened]:
    """The first contents, opened: as many as may be decoded at once, and one at least."""
    most = MAX_PIXELS_IN_MEMORY if max_pixels is None else max_pixels
    total = 0
    opened: list[Opened] = []
    for one in _open_ahead(contents, rules):
        total += _pixels(one)
        if opened and total > most:
            break
        opened.append(one)
    return opened


def _open_ahead(contents: Sequence[Content], rules: ImageRules) -> Iterator[Opened]:
    """The contents, opened in order; a few URLs are fetched at once.

    What lies on this machine is opened here: another thread would take as long to be woken.
    """
    ahead: deque[Future[Opened]] = deque()
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
    return any(isinstance(part, Image) and part.kind == "url" for part in parts_of(content))


def _pixels(one: Opened) -> int:
    if isinstance(one, InvalidInputError):
        return 0
    if isinstance(one, _OpenedMixed):
        return one.pixels
    width, height = one.size
    return width * height


def decode_all(opened: Sequence[Opened]) -> list[LoadedImage | LoadedMixed | InvalidInputError]:
    """All of them decoded, in several threads where that is faster."""
    total = sum(map(_pixels, opened))
    count = total // PIXELS_WORTH_A_THREAD
    if count < 2:
        return list(map(_decode, opened))
    portions: list[list[Opened]] = [[]]
    pixels = 0
    for one in opened:
        if pixels * count >= total * len(portions):
            portions.append([])
        portions[-1].append(one)
        pixels += _pixels(one)
    futures = [_decoders().submit(list, map(_decode, portion)) for portion in portions]
    return [content for future in futures for content in future.result()]


def _decode(one: Opened) -> LoadedImage | LoadedMixed | InvalidInputError:
    if isinstance(one, InvalidInputError):
        return one
    try:
        return one.decode()
    except InvalidInputError as error:
        return error


@once_per_process
def _decoders() -> ThreadPool:
    """Threads that open and decode one image each, and wait for nothing else."""
    return ThreadPool(min(usable_processors(), MAX_THREADS), "embedbridge-decode")
