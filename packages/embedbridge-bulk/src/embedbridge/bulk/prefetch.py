"""Prefetching: an iterator runs ahead in a thread of its own, by a bounded number of items."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
_END = object()


@contextmanager
def prefetched(source: Iterable[T], ahead: int) -> Iterator[Iterator[T]]:
    """Iterate over `source` in a thread, at most `ahead` items before the consumer.

    What it raises, the consumer gets. When the block is left, the thread has ended.
    """
    items: queue.Queue[object] = queue.Queue(ahead)
    stopped = threading.Event()
    failure: list[BaseException] = []

    def read() -> None:
        try:
            for item in source:
                items.put(item)
                if stopped.is_set():
                    return
        except BaseException as error:  # noqa: BLE001  # the consumer raises it
            failure.append(error)
        finally:
            if not stopped.is_set():
                items.put(_END)

    def consumed() -> Iterator[T]:
        while (item := items.get()) is not _END:
            yield item  # type: ignore[misc]  # what is not the end is an item
        if failure:
            raise failure[0]

    thread = threading.Thread(target=read, name="embedbridge-bulk-reader", daemon=True)
    thread.start()
    try:
        yield consumed()
    finally:
        stopped.set()
        while thread.is_alive():  # it may wait for room
            try:
                items.get(timeout=0.05)
            except queue.Empty:
                continue
        thread.join()
