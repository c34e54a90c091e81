"""Ray for `run`: how many actors there are, and what each of them gets."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from embedbridge.bulk.engines.ray_actors import RETRIES, RayActors, Worker
from embedbridge.bulk.engines.ray_room import (
    check_count,
    check_share,
    described,
    machines,
    room,
)
from embedbridge.bulk.optional import import_extra
from embedbridge.bulk.stage import EmbedStage
from embedbridge.bulk.windows import Windows, in_flight
from embedbridge.contract.callers import level_of_caller
from embedbridge.contract.model import LocalEmbeddingModel

WINDOW, GPU_WINDOW = 256, 2048
"""Contents that an actor with a local model has at once: some seconds of work, or less."""
MOST_CPUS = 4
"""More threads help one small model less than a second model does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RayEngine:
    """Embeds in actors of a Ray cluster, for `run(engine=…)`.

    Ray is connected to as `ray.init()` does it, unless that was done; without a cluster it starts
    one on this machine.

    Raises:
        InvalidOptionError: A number is none that can be.

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

    def __post_init__(self) -> None:
        if self.actors is not None:
            check_count("actors", self.actors)
        if self.cpus is not None:
            check_share("cpus", self.cpus)
        check_share("gpus", self.gpus)

    def open(self, stage: EmbedStage) -> RayActors:
        """Start the actors; each loads the model with its first window.

        Raises:
            MissingDependencyError: Ray is not installed.
        """
        ray = import_extra("ray", "ray")
        is_ours = not ray.is_initialized()
        if is_ours:
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent unasked
            ray.init()
        try:
            return self._start(ray, stage, is_ours=is_ours)
        except BaseException:
            if is_ours:
                ray.shutdown()  # it ends the actors, too
            raise

    def _start(self, ray: Any, stage: EmbedStage, *, is_ours: bool) -> RayActors:
        nodes = machines(ray)
        processors = [found["CPU"] for found in nodes if found.get("CPU")] or [1]
        is_local = isinstance(stage.embedder.model, LocalEmbeddingModel)
        cpus = self.cpus
        if cpus is None:
            cpus = max(1, min(min(processors) // 2, MOST_CPUS)) if is_local else 1
        found = room(nodes, cpus=cpus, gpus=self.gpus)
        most = found if is_local else len(processors)
        actor = ray.remote(Worker).options(
            num_cpus=cpus,  # Ray sets the threads of a process from these
            num_gpus=self.gpus,
            max_restarts=-1,
            max_task_retries=RETRIES,
        )
        # An actor may stand in another folder: relative paths are those of this process.
        root = os.path.abspath(stage.columns.root)  # noqa: PTH100  # follows no links
        columns = replace(stage.columns, image_root=root)
        travels = EmbedStage(stage.embedder, columns, role=stage.role, task=stage.task)
        size = in_flight(stage.embedder, columns.modality, stage.role)
        if is_local:
            size = GPU_WINDOW if self.gpus else WINDOW
        count = max(1, most) if self.actors is None else self.actors
        if found < count:
            _warn_of_little_room(found, count, described(cpus, self.gpus))
        actors = _started(ray, count, lambda: actor.remote(travels))
        return RayActors(
            ray,
            stage,
            actors,
            Windows(size, len(actors), ahead=2 * size * len(actors)),
            is_ours=is_ours,
        )


def _warn_of_little_room(found: int, count: int, wants: str) -> None:
    """Warn of what Ray would wait for silently, and for ever."""
    waits = f"{count - found} wait until there is more" if found else "the job waits until there is"
    warnings.warn(
        f"This cluster has room for {found} of {count} actors with {wants} now: {waits}.",
        UserWarning,
        stacklevel=level_of_caller(),
    )


def _started(ray: Any, count: int, start: Callable[[], Any]) -> list[Any]:
    """So many actors, or none."""
    actors: list[Any] = []
    try:
        actors.extend(start() for _ in range(count))
    except BaseException:
        for one in actors:
            ray.kill(one)
        raise
    return actors
