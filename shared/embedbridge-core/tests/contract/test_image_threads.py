"""Threads that prepare images lose none, and keep them in order."""

import os
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from embedbridge.contract import LoadedImage
from embedbridge.contract.local import ImageThreads, usable_processors
from embedbridge.contract.local.image_threads import PIXELS_WORTH_A_THREAD

CORES = usable_processors()


class CountingRecipe:
    """Gives each picture's width, and remembers which threads asked."""

    def __init__(self) -> None:
        self.threads: set[int] = set()
        self.sizes: list[int] = []

    def prepare(self, images: Sequence[Any]) -> dict[str, Any]:
        self.threads.add(threading.get_ident())
        self.sizes.append(len(images))
        return {"pixel_values": np.array([image.width for image in images])}


@pytest.mark.parametrize("count", [1, 2, 7, 33])
@pytest.mark.parametrize("parts", [1, 4])
@pytest.mark.parametrize("height", [1, 10_000], ids=["small", "large"])
def test_every_image_is_prepared_once_and_in_order(count: int, parts: int, height: int) -> None:
    """However images are dealt out to threads and portions, they come back as they were."""
    recipe = CountingRecipe()
    threads = ImageThreads(recipe.prepare)
    images = [
        LoadedImage(pixels=Pillow.new("RGB", (n + 1, height)), described="") for n in range(count)
    ]
    portions = list(threads.prepare(images, parts))
    threads.close()
    threads.close()
    widths = [int(width) for portion in portions for width in portion["pixel_values"]]

    assert widths == list(range(1, count + 1))
    assert len(portions) <= parts
    # Threads of their own only where there is enough to do for two.
    large = sum(widths) * height >= 2 * PIXELS_WORTH_A_THREAD
    assert (threading.get_ident() in recipe.threads) is not (large and CORES > 1)


class WatchedLock:
    """A lock that says when somebody has to wait for it."""

    def __init__(self, waited: threading.Event) -> None:
        self._lock = threading.Lock()
        self._waited = waited

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            self._waited.set()
            self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


@pytest.mark.skipif(CORES < 2, reason="there is one processor, so nothing is shared out")
def test_closing_meanwhile_loses_no_image(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever closes a model while another thread embeds with it ends the threads, and not the call."""
    threads = ImageThreads(CountingRecipe().prepare)
    went_on = threading.Event()  # closing has ended, or waits
    threads._lock = WatchedLock(went_on)  # type: ignore[assignment]
    images = [
        LoadedImage(pixels=Pillow.new("1", (n + 1, PIXELS_WORTH_A_THREAD)), described="")
        for n in range(4)
    ]
    list(threads.prepare(images, 4))
    pid = os.getpid()

    def close() -> None:
        threads.close()
        went_on.set()

    closing = threading.Thread(target=close)

    def close_meanwhile() -> int:
        """Called where the threads are looked up."""
        if not closing.ident:
            closing.start()
            went_on.wait()
        return pid

    monkeypatch.setattr(os, "getpid", close_meanwhile)
    portions = list(threads.prepare(images, 4))
    closing.join()

    assert [int(width) for some in portions for width in some["pixel_values"]] == [1, 2, 3, 4]
