"""A model that is read from disk when it is first used."""

from __future__ import annotations

import os
import threading
from abc import abstractmethod
from collections.abc import Mapping
from typing import Generic, Protocol, TypeVar

from embedbridge.contract.card import ModelCard
from embedbridge.contract.model import LocalEmbeddingModel

# One at a time in the whole process: transformers changes torch's default dtype while it loads.
_loading = threading.Lock()


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
        """Where it computes."""

    def close(self) -> None:
        """Stop what runs beside it. The memory is free when nobody holds this object any more."""


LoadedT = TypeVar("LoadedT", bound=Loaded)


class LazyModel(LocalEmbeddingModel, Generic[LoadedT]):
    """A local model that is loaded when it is first used, not when it is made.

    A provider says how it is loaded (`_open`) and how one batch is embedded.

    Args:
        name: The model's name.
        options: Fields of the class's `Options`.
    """

    def __init__(self, name: str, **options: object) -> None:
        super().__init__(name, **options)
        self._loaded: LoadedT | None = None

    @abstractmethod
    def _open(self) -> LoadedT:
        """Find the model and read it.

        Raises:
            ConfigurationError: It cannot be found or loaded.
        """

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

    def close(self) -> None:
        """Stop what runs beside the model, and give the weights' memory back."""
        with _loading:
            loaded, self._loaded = self._loaded, None
        if loaded is not None:
            loaded.close()
            on_cuda = loaded.device.startswith("cuda")
            del loaded
            if on_cuda:
                import torch

                torch.cuda.empty_cache()

    def _load(self) -> LoadedT:
        loaded = self._loaded
        if loaded is None:
            with _loading:
                if self._loaded is None:
                    self._loaded = self._open()
                loaded = self._loaded
        return loaded


def _after_fork_in_child() -> None:
    global _loading  # noqa: PLW0603
    _loading = threading.Lock()  # a thread of the parent may have held it


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
