"""Engine of a job: where the windows of new contents are embedded, in this process or in workers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from embedbridge.bulk.windows import Windows
from embedbridge.contract.errors import InvalidOptionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedbridge.bulk.paying import ChunkRows
    from embedbridge.bulk.stage import EmbedStage
    from embedbridge.core import EmbeddingResult, OnBatch

NAMES = ("local", "ray")


class Workers(Protocol):
    """What embeds the windows of one job."""

    windows: Windows
    """How large they are, and how many are embedded at once."""

    def embed(self, window: Sequence[ChunkRows], on_batch: OnBatch) -> EmbeddingResult:
        """Embed the contents of a window.

        Args:
            window: Rows, of several chunks where these are small.
            on_batch: Told of the vectors of a batch as soon as they are there; of some, or of none.
        """

    def close(self) -> None:
        """Let go of all. No window is under way any more."""


class Engine(Protocol):
    """Where a job embeds."""

    def open(self, stage: EmbedStage) -> Workers:
        """The workers of one job.

        Args:
            stage: How rows are embedded.
        """


class LocalEngine:
    """Embeds in this process, with all processors that it may use."""

    def open(self, stage: EmbedStage) -> Workers:
        """This process."""
        return _ThisProcess(stage)


def as_engine(engine: str | Engine) -> Engine:
    """The engine of a name.

    Raises:
        InvalidOptionError: There is none of that name.
    """
    if not isinstance(engine, str):
        return engine
    if engine not in NAMES:
        raise InvalidOptionError(f"Unknown engine={engine!r}.", hint=f"One of: {', '.join(NAMES)}.")
    if engine == "local":
        return LocalEngine()
    from embedbridge.bulk.engines.ray_engine import RayEngine

    return RayEngine()


class _ThisProcess:
    def __init__(self, stage: EmbedStage) -> None:
        self._stage = stage
        self.windows = Windows.of(stage.embedder, stage.columns.modality, stage.role)

    def embed(self, window: Sequence[ChunkRows], on_batch: OnBatch) -> EmbeddingResult:
        inputs = [one for part in window for one in part.chunk.contents.inputs(part.rows)]
        return self._stage.embed(inputs, on_batch)

    def close(self) -> None:
        """The model stays with the embedder, which may be the caller's."""
