"""Ray actors: the driver reads, journals and writes; each actor embeds a window at a time.

An actor gets its next window when the vectors of the last one are in the driver's journal. So what
a kill can cost, of the driver or of an actor, is one window of each actor.

An actor that Ray has no room for waits, perhaps for ever: only one that has answered gets a window.
"""

from __future__ import annotations

from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from embedbridge.bulk.contents import Contents
from embedbridge.bulk.errors import EngineError
from embedbridge.bulk.windows import ClosedError
from embedbridge.contract.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedbridge.bulk.paying import ChunkRows
    from embedbridge.bulk.stage import EmbedStage
    from embedbridge.bulk.windows import Windows
    from embedbridge.core import EmbeddingResult, OnBatch

RETRIES = 3
"""Of a window, each by an actor that was started again."""


class RayActors:
    """The actors of one job."""

    def __init__(
        self, ray: Any, stage: EmbedStage, actors: list[Any], windows: Windows, *, is_ours: bool
    ) -> None:
        self._ray, self._is_ours = ray, is_ours
        self._stage, self._actors, self.windows = stage, actors, windows
        self._idle: SimpleQueue[Any] = SimpleQueue()
        windows.on_close = self._stop_waiting
        self._starting = [actor.begin.remote().future() for actor in actors]
        for actor, future in zip(actors, self._starting, strict=True):
            # Also of one that failed: its error is that of its window.
            future.add_done_callback(lambda _, actor=actor: self._idle.put(actor))

    def embed(self, window: Sequence[ChunkRows], on_batch: OnBatch) -> EmbeddingResult:
        """Embed a window in an actor that has nothing to do.

        Raises:
            EngineError: Actors died again and again.
            ConfigurationError: An actor's model is not this one.
            ClosedError: No actor had begun when all was over.
        """
        columns = list(self._stage.columns.embedded)
        parts = [part.chunk.table.select(columns).take(part.rows) for part in window]
        table = pa.concat_tables(parts)
        actor = self._idle.get()
        if actor is None:
            raise ClosedError
        try:
            result: EmbeddingResult = self._ray.get(actor.embed.remote(table))
        except self._ray.exceptions.RayTaskError as failure:
            raise failure.cause from None
        except self._ray.exceptions.RayError as failure:
            raise EngineError(
                f"Ray lost a worker {RETRIES + 1} times: {str(failure).splitlines()[0]}",
                hint="Its logs say why; most often memory was short, and fewer actors help. "
                "What is paid for is kept in the journal.",
            ) from failure
        finally:
            self._idle.put(actor)
        if result.fingerprint != self._stage.provenance.fingerprint:
            raise ConfigurationError(
                "A worker's model makes other vectors than that of this process.",
                hint="Install the same packages and put the same model files on all machines.",
            )
        return result

    def _stop_waiting(self) -> None:
        for _ in self._actors:  # as many windows at most
            self._idle.put(None)

    def close(self) -> None:
        """End the actors, and Ray if it was started for them."""
        for actor in self._actors:
            self._ray.kill(actor)
        if self._is_ours:
            self._ray.shutdown()


class Worker:
    """In an actor: loads the model with the first window."""

    def __init__(self, stage: EmbedStage) -> None:
        self._stage = stage

    def begin(self) -> None:
        """Answer, which says that Ray has found room."""

    def embed(self, rows: pa.Table) -> EmbeddingResult:
        """Embed rows that have a content each."""
        contents = Contents(rows, self._stage.columns)
        return self._stage.embed(contents.inputs(np.arange(rows.num_rows)))
