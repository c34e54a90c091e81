"""Lazy loading of one tower of two: whoever embeds images alone never reads the other."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from embedbridge.contract.errors import ConfigurationError, short_path
from embedbridge.contract.local import check_tower, return_freed_memory
from embedbridge.providers.onnx.backends.session import Session, open_session

if TYPE_CHECKING:
    from embedbridge.contract.local import ImageTower, TextTower
    from embedbridge.providers.onnx.options import OnnxOptions

AXES = 2
"""Inputs, width."""


class Tower:
    """Computes vectors of one modality, in parts that suit its engine.

    Args:
        exported: What the manifest says of it.
        folder: The model's folder.
        options: Those of the model.
    """

    def __init__(
        self, exported: ImageTower | TextTower, folder: Path, options: OnnxOptions
    ) -> None:
        self._exported = exported
        self._folder = folder
        self._options = options
        self._lock = threading.Lock()
        self._session: Session | None = None

    @property
    def is_loaded(self) -> bool:
        """Whether it has been used."""
        return self._session is not None

    def run(self, arrays: Mapping[str, NDArray[Any]], tokens: int) -> NDArray[np.float32]:
        """Vectors of some inputs, shape (n, dimensions).

        Args:
            arrays: By name; the first axis of each counts the inputs. Those that the tower does not
                take are left out.
            tokens: How many vectors go through it for one input.

        Raises:
            ConfigurationError: Its file cannot be loaded, or is not the one that was exported.
        """
        session = self._session
        if session is not None:
            return self._run(session, arrays, tokens)
        with self._lock:
            if self._session is None:
                path = check_tower(self._exported, self._folder)
                opened = open_session(path, self._options, partial(_only_output, path))
                vectors = self._run(opened, arrays, tokens)
                # An engine brings weights into its own order in the first run, not before.
                return_freed_memory()
                self._session = opened
                return vectors
        return self.run(arrays, tokens)

    def _run(
        self, session: Session, arrays: Mapping[str, NDArray[Any]], tokens: int
    ) -> NDArray[np.float32]:
        count = len(next(iter(arrays.values())))
        part = session.part_tokens(count * tokens)
        share = count if part is None else max(part // max(tokens, 1), 1)
        feeds = [
            {
                name: np.ascontiguousarray(arrays[name][start : start + share], dtype=spec.kind)
                for name, spec in session.inputs.items()
            }
            for start in range(0, count, share)
        ]
        return np.concatenate(session.run(feeds))


def _only_output(path: Path, outputs: Sequence[tuple[Collection[str], int]]) -> int:
    """A tower gives one vector for each input, and nothing else."""
    if [axes for _, axes in outputs] != [AXES]:
        raise ConfigurationError(
            f"{short_path(path)} gives something else than one vector for each input.",
            hint="Export the model again.",
        )
    return 0
