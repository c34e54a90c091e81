"""Lazy loading: a model that is read from disk when it is first used, and that survives a fork.

Equal models share what is loaded, see `shared_weights.py`.
The threads of a computing library do not follow into a forked child, where it would wait for them
for ever. What needs them is loaded again in the child; what is on another device raises an error.
"""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from embedbridge.contract.card import ModelCard
from embedbridge.contract.errors import ConfigurationError
from embedbridge.contract.forks import ForkSafeLock, in_forked_child
from embedbridge.contract.local.folder import place_of, source_of
from embedbridge.contract.local.memory import return_freed_memory
from embedbridge.contract.local.shared_weights import SharedWeights, all_shared, share
from embedbridge.contract.model import EmbeddingModel, LocalEmbeddingModel

# One at a time in the whole process: transformers changes torch's default dtype while it loads.
# Reentrant for a signal handler, which would wait for what it interrupted; it is told so instead.
_loading = ForkSafeLock(reentrant=True)
_being_loaded: list[str] = []
"""The name of the model that is being loaded, if one is."""
in_forked_child(_being_loaded.clear)
_of_the_parent: list[Loaded] = []
"""Models that a forked child cannot use. They are kept, for freeing them could wait for threads."""


class Loaded(Protocol):
    """A model in memory, and all that is known about it only then."""

    @property
    def card(self) -> ModelCard:
        """What it can do."""

    @property
    def identity(self) -> Mapping[str, object]:
        """Which weights it has."""

    @property
    def device(self) -> str:
        """Where it computes; it begins with `"cpu"` if that is this machine's processors."""

    def close(self) -> None:
        """Stop what runs beside it. The memory is free when the last reference to it is gone."""

    def after_fork(self) -> bool:
        """Called in a forked child: whether it works there. If not, it is loaded again."""


LoadedT = TypeVar("LoadedT", bound=Loaded)


class LazyModel(LocalEmbeddingModel, Generic[LoadedT]):
    """A local model that is loaded when it is first used, not when it is made.

    A provider says how it is loaded (`_open`) and how one batch is embedded.

    Args:
        name: The model's name.
        options: Fields of the class's `Options`.
    """

    not_in_weights: ClassVar[frozenset[str]] = frozenset({"space"})
    """Options that `_open` does not read: models that differ only in them share what it loads."""

    def __init__(self, name: str, **options: object) -> None:
        super().__init__(name, **options)
        self._place = place_of(name)
        self._held: SharedWeights[LoadedT] | None = None

    @abstractmethod
    def _open(self) -> LoadedT:
        """Find the model and read it.

        Raises:
            ConfigurationError: It cannot be found or loaded.
        """

    @property
    def place(self) -> Path:
        """Where its folder is, if it is one: absolute, for Python may stand elsewhere at first use."""
        return self._place

    def found_at(self, place: str) -> None:
        """Take the folder that this model had where it was made, if it is here as well.

        On another machine it may not be; there, the name is looked up as if it were written there.

        Args:
            place: The `place` of the model that this one is a copy of. It must not be in use yet.
        """
        if (folder := Path(place)).is_dir():
            self._place = folder

    def __reduce__(self) -> tuple[object, ...]:
        return (_restored, (super().__reduce__(), str(self.place)))

    @property
    def card(self) -> ModelCard:
        """What the model can do, as its files say."""
        return self._load().card

    def identity(self) -> Mapping[str, object]:
        """Which weights these are, and every option that changes a vector; never the device."""
        return {**self.options.identity(), **self._load().identity}

    @property
    def has_own_device(self) -> bool:
        """Whether it computes elsewhere than on this machine's processors."""
        return not self._load().device.startswith("cpu")

    @property
    def shared_weights(self) -> SharedWeights[LoadedT]:
        """What equal models of this process share, loaded or not."""
        held = self._held
        if held is None:
            options = {
                name: value for name, value in self.options if name not in self.not_in_weights
            }
            held = self._held = share(self, source_of(self.name, self.place), options)
        return held

    @property
    def weights_edition(self) -> int:
        """Another number each time that the weights are loaded; 0 while they are not."""
        held = self._held
        return 0 if held is None else held.edition

    @property
    def weights_source(self) -> object:
        """Where the weights come from that are loaded, or would be now; see `source_of`."""
        held = self._held
        if held is not None and held.loaded is not None:
            return held.source
        return source_of(self.name, self.place)

    def close(self) -> None:
        """Leave the weights to equal models that are still open; the last one frees them."""
        with _loading:
            held = self._held
            if held is None:
                return
            if held.parent_device is not None:  # the parent's weights are not ours to free
                return
            self._held = None
            loaded = held.release(self)
        if loaded is not None:
            loaded.close()
            on_cuda = loaded.device.startswith("cuda")
            del loaded
            if on_cuda:
                import torch

                torch.cuda.empty_cache()

    def _load(self) -> LoadedT:
        held = self._held
        loaded = None if held is None else held.loaded
        if loaded is not None:  # nearly always, and several times in each job
            return loaded
        shared = self.shared_weights
        loaded = shared.loaded
        if loaded is None:
            if shared.parent_device is not None:
                raise ConfigurationError(
                    f"This process was forked while the model was on {shared.parent_device}, which does "
                    f"not follow into a child.",
                    hint="Start processes with multiprocessing.get_context('spawn'), or load the "
                    "model only in the children.",
                    provider=self.provider,
                    model=self.name,
                )
            with _loading:
                shared = self._up_to_date()
                if shared.loaded is None:
                    shared.loaded = self._opened()
                    return_freed_memory()
                    shared.keep_in_worker()
                loaded = shared.loaded
        return loaded

    def _opened(self) -> LoadedT:
        if _being_loaded:
            raise ConfigurationError(
                f"This thread is loading {_being_loaded[0]!r}, and would wait for itself.",
                hint="In a signal handler, note that the signal came, and embed after what it "
                "interrupted.",
                provider=self.provider,
                model=self.name,
            )
        _being_loaded.append(self.name)
        try:
            return self._open()
        finally:
            _being_loaded.clear()

    def _up_to_date(self) -> SharedWeights[LoadedT]:
        """The shared weights; those of the files as they are now, where they are yet to be read."""
        shared = self.shared_weights
        if shared.loaded is None and shared.source != source_of(self.name, self.place):
            shared.release(self)
            self._held = None
            return self.shared_weights
        return shared


def files_mark(model: EmbeddingModel) -> str | None:
    """Another text as soon as the files of a model in a folder are written anew; none is read.

    For caches of frameworks, which know a model by its name and options alone. It stands for the
    files that the vectors are from: while weights are loaded, for those that they were read from.
    `None` for a model that is in no folder of the user's.
    """
    if not isinstance(model, LocalEmbeddingModel):
        return None
    source = model.weights_source if isinstance(model, LazyModel) else source_of(model.name)
    return None if source == model.name else hashlib.sha256(repr(source).encode()).hexdigest()


def _restored(by_name: tuple[Any, ...], place: str) -> Any:
    make, arguments = by_name
    model = make(*arguments)
    model.found_at(place)
    return model


@in_forked_child
def _leave_to_the_parent() -> None:
    """Let go of what this child cannot compute with: its device or its threads did not follow."""
    for shared in all_shared():
        loaded = shared.loaded
        if loaded is None:
            continue
        if not loaded.device.startswith("cpu"):
            shared.parent_device = loaded.device
        if shared.parent_device is not None or not loaded.after_fork():
            _of_the_parent.append(loaded)
            shared.loaded = None
