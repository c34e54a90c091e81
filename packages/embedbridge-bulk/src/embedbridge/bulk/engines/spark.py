"""Apache Spark: `embed_dataframe` runs the embed stage in `mapInArrow`, and persists what it made."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa

from embedbridge.bulk.optional import import_extra

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pyspark import StorageLevel
    from pyspark.sql import DataFrame

    from embedbridge.bulk.stage import EmbedStage


def embed_dataframe(
    df: DataFrame, stage: EmbedStage, *, persist: bool | StorageLevel = True
) -> DataFrame:
    """Add vectors to a DataFrame, on the executors: arrays of float, with the error of a row in a column.

    Nothing is embedded before the first action. Spark computes a DataFrame anew for every action, so
    the result is persisted: each partition is embedded once, and stored in the memory of the
    executors, or on their disks if that is full. Call `unpersist()` when it is written. A partition
    whose executor is lost is embedded again; only what is written outlives its executor.

    The metadata of the column `vector` is the provenance: the driver makes the model, too.

    Example:
        stage = EmbedStage("default", Columns(id="sku", text="title"))
        embed_dataframe(df, stage, persist=False).write.parquet("vectors")

    Args:
        df: Rows.
        stage: How they are embedded; it travels to the executors without a key.
        persist: A storage level instead of memory and disk; or `False` if there is one action only,
            such as the one that writes a table.

    Raises:
        MissingDependencyError: PySpark is not installed.
        InvalidOptionError: The DataFrame has not the columns that were named.
    """
    schema = df.limit(0).toArrow().schema
    names = stage.columns.read(schema)
    # Numbered: mapInArrow asks for each column by its name, and does not find one with a dot.
    rows = df.select([df[_quoted(name)].alias(f"_{at}") for at, name in enumerate(names)])
    kept = df.select([df[_quoted(name)] for name in stage.columns.kept(schema)])
    embedded = rows.mapInArrow(partial(embed_partition, stage, names), _output_schema(kept, stage))
    if persist is False:
        return embedded
    return embedded.persist() if persist is True else embedded.persist(persist)


def embed_partition(
    stage: EmbedStage, names: Sequence[str], batches: Iterable[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """What a task does with its batches. All tasks of a worker process share one model."""
    for batch in batches:
        table = stage(batch.rename_columns(names))
        place = table.schema.get_field_index("content_digest")
        # Spark has no binary type of a fixed width.
        digests = table.column(place).cast(pa.binary())
        yield from table.set_column(place, "content_digest", digests).to_batches()


def _output_schema(kept: DataFrame, stage: EmbedStage) -> object:
    types = import_extra("pyspark.sql.types", "spark")
    made = stage.provenance.to_metadata()
    vector = types.ArrayType(types.FloatType())
    ours = [
        types.StructField("vector", vector, metadata=made),
        types.StructField("embedding_error", types.StringType()),
        types.StructField("truncated", types.BooleanType()),
        types.StructField("content_digest", types.BinaryType()),
    ]
    return types.StructType([*kept.schema.fields, *ours])


def _quoted(name: str) -> str:
    """A column's name, which may hold dots, as Spark reads it."""
    return "`" + name.replace("`", "``") + "`"
