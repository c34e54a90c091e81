"""Shared weights: equal models of one process are loaded once, and freed with the last of them.

Frameworks copy models: a worker of LlamaIndex's `IngestionPipeline` unpickles one for each batch of
nodes. Models are equal if class, files and options are; what only the engine reads does not count.
"""

from __future__ import annotations

import itertools
import multiprocessing
from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar
from weakref import WeakSet

from embedbridge.contract.forks import ForkSafeLock

LoadedT = TypeVar("LoadedT")

_lock = ForkSafeLock()
_all: WeakSet[SharedWeights[Any]] = WeakSet()
_editions = itertools.count(1)
_last_used: list[SharedWeights[Any]] = []
"""In a worker process: the weights that stay when no model is left. Each task brings a copy of its
model along and drops it in the end; the next task would load it again."""


class SharedWeights(Generic[LoadedT]):
    """What equal models share: the loaded model, as soon as one of them needs it.

    Args:
        kind: The class of the models.
        source: Where they come from, see `source_of`.
        options: Their options, without what only the engine reads.
    """

    def __init__(self, kind: type, source: object, options: Mapping[str, object]) -> None:
        self._of = (kind, source, dict(options))
        self._models: WeakSet[Any] = WeakSet()
        self._loaded: LoadedT | None = None
        self.edition = 0
        """Another number for each loading in this process; 0 while nothing is loaded."""
        self.parent_device: str | None = None
        """In a forked child: the device on which the parent's weights are, if they stay there."""

    @property
    def source(self) -> object:
        """Where they come from; what is loaded is from there."""
        return self._of[1]

    @property
    def loaded(self) -> LoadedT | None:
        """In memory; `None` before the first use."""
        return self._loaded

    @loaded.setter
    def loaded(self, loaded: LoadedT | None) -> None:
        self._loaded = loaded
        self.edition = 0 if loaded is None else next(_editions)

    def keep_in_worker(self) -> None:
        """Keep what was just loaded for the next task, if this is a worker process."""
        if multiprocessing.parent_process() is not None:
            _last_used[:] = [self]

    def release(self, model: object) -> LoadedT | None:
        """Let one model go. Gives what is to be closed, if it was the last one (reference counting)."""
        with _lock:
            self._models.discard(model)
            if self._models:
                return None
            loaded, self.loaded = self.loaded, None
            return loaded


def share(model: object, source: object, options: Mapping[str, object]) -> SharedWeights[Any]:
    """The one object for a model and all that are equal to it."""
    wanted = (type(model), source, dict(options))
    with _lock:
        found = next((one for one in _all if one._of == wanted), None)  # noqa: SLF001  # our own
        if found is None:
            found = SharedWeights(*wanted)
            _all.add(found)
        found._models.add(model)  # noqa: SLF001
        return found


def all_shared() -> Iterator[SharedWeights[Any]]:
    """The shared weights of this process, loaded or not."""
    return iter(list(_all))
