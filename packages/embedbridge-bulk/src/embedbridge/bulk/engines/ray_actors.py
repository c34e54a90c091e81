"""Ray actors for `run`: the driver reads, journals and writes; each actor embeds a window at a time.

An actor gets its next window when the vectors of the last one are in the driver's journal. So what
a kill can cost, of the driver or of an actor, is one window of each actor.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from embedbridge.bulk.contents import Contents
from embedbridge.bulk.engines.optional import import_engine
from embedbridge.bulk.errors import EngineError
from embedbridge.bulk.stage import EmbedStage
from embedbridge.bulk.windows import Windows, in_flight
from embedbridge.contract.errors import ConfigurationError
from embedbridge.contract.model import LocalEmbeddingModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedbridge.bulk.paying import ChunkRows
    from embedbridge.bulk.stage import OnBatch
    from embedbridge.core import EmbeddingResult

WINDOW, GPU_WINDOW = 256, 2048
"""Contents that an actor with a local model has at once: some seconds of work, or less."""
MOST_CPUS = 4
"""More threads help one small model less than a second model does."""
RETRIES = 3
"""Of a window, each by an actor that was started again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RayEngine:
    """Embeds in actors of a Ray cluster, for `run(engine=…)`.

    Ray is connected to as `ray.init()` does it, unless that was done; without a cluster it starts
    one on this machine.

    Example:
        run("posts", "vectors", model="local:…", text="body", engine=RayEngine(gpus=1))
    """

    actors: int | None = None
    """How many; if left out, as many as the cluster has room for now, or one for each machine where
    the model is behind a wire."""
    cpus: float | None = None
    """Threads of each; if left out, half of the smallest machine, four at most."""
    gpus: float = 0
    """Of each."""

    def open(self, stage: EmbedStage) -> RayActors:
        """Start the actors; each loads the model with its first window.

        Raises:
            MissingDependencyError: Ray is not installed.
        """
        ray = import_engine("ray", "ray")
        is_ours = not ray.is_initialized()
        if is_ours:
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent unasked
            ray.init()
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        processors = [found["CPU"] for found in nodes if found.get("CPU")] or [1]
        is_local = isinstance(stage.embedder.model, LocalEmbeddingModel)
        cpus = self.cpus or (max(1, min(min(processors) // 2, MOST_CPUS)) if is_local else 1)
        room = len(processors)
        if is_local:
            room = int(sum(_room(found, cpus, self.gpus) for found in nodes))
        actor = ray.remote(_Worker).options(
            num_cpus=cpus,  # Ray sets the threads of a process from these
            num_gpus=self.gpus,
            max_restarts=-1,
            max_task_retries=RETRIES,
        )
        # An actor may stand in another folder: relative paths are those of this process.
        root = os.path.abspath(stage.columns.image_root or "")  # noqa: PTH100  # follows no links
        columns = replace(stage.columns, image_root=root)
        travels = EmbedStage(stage.embedder, columns, role=stage.role, task=stage.task)
        actors = [actor.remote(travels) for _ in range(self.actors or max(1, room))]
        size = in_flight(stage.embedder, columns.modality, stage.role)
        if is_local:
            size = GPU_WINDOW if self.gpus else WINDOW
        return RayActors(
            ray,
            stage,
            actors,
            Windows(size, len(actors), ahead=2 * size * len(actors)),
            is_ours=is_ours,
        )


class RayActors:
    """The actors of one job."""

    def __init__(
        self, ray: Any, stage: EmbedStage, actors: list[Any], windows: Windows, *, is_ours: bool
    ) -> None:
        self._ray, self._is_ours = ray, is_ours
        self._stage, self._actors, self.windows = stage, actors, windows
        self._idle: SimpleQueue[Any] = SimpleQueue()
        for actor in actors:
            self._idle.put(actor)

    def embed(self, window: Sequence[ChunkRows], on_batch: OnBatch) -> EmbeddingResult:
        """Embed a window in an actor that has nothing to do.

        Raises:
            EngineError: Actors died again and again.
            ConfigurationError: An actor's model is not this one.
        """
        columns = list(self._stage.columns.embedded)
        parts = [part.chunk.table.select(columns).take(part.rows) for part in window]
        table = pa.concat_tables(parts)
        actor = self._idle.get()
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
        if result.fingerprint != self._stage.made().fingerprint:
            raise ConfigurationError(
                "A worker's model makes other vectors than that of this process.",
                hint="Install the same packages and put the same model files on all machines.",
            )
        return result

    def close(self) -> None:
        """End the actors, and Ray if it was started for them."""
        for actor in self._actors:
            self._ray.kill(actor)
        if self._is_ours:
            self._ray.shutdown()


class _Worker:
    """In an actor: loads the model with the first window."""

    def __init__(self, stage: EmbedStage) -> None:
        self._stage = stage

    def embed(self, rows: pa.Table) -> EmbeddingResult:
        contents = Contents(rows, self._stage.columns)
        return self._stage.embed(contents.inputs(np.arange(rows.num_rows)))


def _room(resources: dict[str, float], cpus: float, gpus: float) -> int:
    """How many actors a machine has room for."""
    by_cpu = resources.get("CPU", 0) // cpus
    return int(min(by_cpu, resources.get("GPU", 0) // gpus) if gpus else by_cpu)
