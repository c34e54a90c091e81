"""Ray Data: `embed_dataset` puts the embed stage into actors."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from embedbridge.bulk.optional import import_extra

if TYPE_CHECKING:
    import pyarrow as pa
    from ray.data import Dataset

    from embedbridge.bulk.stage import EmbedStage

BLOCK_ROWS = 1024
"""Enough for batches of texts of one length, and few enough that all actors have work until the end."""


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
        actors: How many at most; if left out, as many as Ray finds room for.
        cpus: Threads of each actor. Reading and writing take one processor beside them.
        gpus: Of each actor.
        block_rows: Rows that an actor is given at once. Ray reads a file as one block, whatever
            it is asked for: without smaller blocks, one actor would do all the work.

    Raises:
        MissingDependencyError: Ray is not installed.
    """
    data = import_extra("ray.data", "ray")
    _warn_of_no_room(cpus)
    return dataset.repartition(target_num_rows_per_block=block_rows).map_batches(
        StageActor,
        fn_constructor_args=(stage,),
        batch_format="pyarrow",
        batch_size=None,  # the block as it is: a size of its own would leave a rest of each block
        compute=data.ActorPoolStrategy(min_size=1, max_size=actors),
        num_cpus=cpus,  # Ray sets the threads of a process from these
        num_gpus=gpus,
        udf_modifying_row_count=False,
    )


def _warn_of_no_room(cpus: float) -> None:
    """Warn of what Ray would wait for silently, and for ever."""
    ray: Any = import_extra("ray", "ray")
    found = ray.cluster_resources().get("CPU", 0) if ray.is_initialized() else None
    if found is not None and found < cpus + 1:
        warnings.warn(
            f"Ray has {found:g} CPUs now: an actor with {cpus:g} leaves none for reading and writing, "
            "and the job will wait until there are more.",
            UserWarning,
            stacklevel=3,
        )
