"""Ray Data: `embed_dataset` puts the embed stage into actors."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from embedbridge.bulk.engines.ray_room import (
    check_count,
    check_share,
    described,
    machines,
    room,
)
from embedbridge.bulk.optional import import_extra
from embedbridge.contract.callers import level_of_caller

if TYPE_CHECKING:
    import pyarrow as pa
    from ray.data import Dataset

    from embedbridge.bulk.stage import EmbedStage

BLOCK_ROWS = 1024
"""Enough for batches of texts of one length, and few enough that all actors have work until the end."""

READING = 1
"""Processors that are left for reading and writing: Ray would wait for one for ever."""


class StageActor:
    """The callable of an actor; its model is loaded with the first row, and stays."""

    def __init__(self, stage: EmbedStage) -> None:
        self._stage = stage

    def __call__(self, block: pa.Table) -> pa.Table:
        """The block with vectors."""
        return self._stage(block)


def embed_dataset(
    dataset: Dataset,
    stage: EmbedStage,
    *,
    actors: int | None = None,
    cpus: float = 1,
    gpus: float = 0,
    block_rows: int = BLOCK_ROWS,
) -> Dataset:
    """Add vectors to a Ray data set: as lists of float32, with the error of a row in a column.

    Nothing is computed before the result is read or written. Rows may change places: keep an id.

    Example:
        stage = EmbedStage("default", Columns(id="sku", text="title"))
        embed_dataset(ray.data.read_parquet("items"), stage).write_parquet("vectors")

    Args:
        dataset: Rows.
        stage: How they are embedded; it travels to the actors without a key.
        actors: How many; if left out, as many as the cluster has room for, and more where it grows.
        cpus: Threads of each actor. Reading and writing take one processor beside them.
        gpus: Of each actor.
        block_rows: Rows that an actor is given at once. Ray reads a file as one block, whatever
            it is asked for: without smaller blocks, one actor would do all the work.

    Raises:
        InvalidOptionError: A number is none that can be.
        MissingDependencyError: Ray is not installed.
    """
    if actors is not None:
        check_count("actors", actors)
    check_count("block_rows", block_rows)
    check_share("cpus", cpus)
    check_share("gpus", gpus)
    data, ray = import_extra("ray.data", "ray"), import_extra("ray", "ray")
    found = machines(ray)
    most = room(found, cpus=cpus, gpus=gpus, spare=READING)
    if found and not most:
        _warn_of_no_room(cpus, gpus)
    return dataset.repartition(target_num_rows_per_block=block_rows).map_batches(
        StageActor,
        fn_constructor_args=(stage,),
        batch_format="pyarrow",
        batch_size=None,  # the block as it is: a size of its own would leave a rest of each block
        compute=data.ActorPoolStrategy(**_pool(actors, most)),
        num_cpus=cpus,  # Ray sets the threads of a process from these
        num_gpus=gpus,
        udf_modifying_row_count=False,
    )


def _pool(actors: int | None, most: int) -> dict[str, int | None]:
    """Which actors there are from the start.

    Left alone, Ray begins with one and gives it the next block too: of a few blocks it gets all.
    """
    if actors is not None and actors <= most:
        # A second block would wait for its actor while another actor is still starting.
        return {"size": actors, "max_tasks_in_flight_per_actor": 1}
    # More than there is room for, or as many as a growing cluster takes: these need blocks that wait.
    return {"min_size": 1, "max_size": actors, "initial_size": max(1, most)}


def _warn_of_no_room(cpus: float, gpus: float) -> None:
    """Warn of what Ray would wait for silently, and for ever."""
    warnings.warn(
        f"No machine of this cluster has room for an actor with {described(cpus, gpus)} now, and a CPU "
        "is needed for reading and writing beside it: the job will wait until there are more.",
        UserWarning,
        stacklevel=level_of_caller(),
    )
