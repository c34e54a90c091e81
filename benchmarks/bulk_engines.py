"""Bulk jobs on Spark and Daft: our stage beside what each engine's documentation shows.

All routes go from one Parquet file to a folder of them, with the weights of all-MiniLM-L6-v2 and all processors. What is
counted is the processor time of this process and of all that it started, Java included. Engines are started and warm: a
first round is not counted. Spark has a partition and a worker process per processor; its own way is the iterator pandas
UDF with sentence-transformers, that of Daft is `embed_text`, which uses it too. Ours compute on onnxruntime, the
default, or on OpenVINO. An engine that is not installed is left out (`pip install -r requirements-engines.txt`).
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from _interleaved import Timings, interleave, times_as_fast
from _local_model import exported, original
from _machine import processors
from _options import parse
from _processor_time import tree_seconds
from _report import Goal, Report

from embedbridge.bulk import Columns, EmbedStage, run
from embedbridge.core import load_embedder
from embedbridge.testing import real_texts

OURS: dict[str, dict[str, Any]] = {
    "embedbridge": {},
    "embedbridge OpenVINO": {"backend": "openvino"},
    "embedbridge int8": {"precision": "int8"},
    "embedbridge OpenVINO int8": {"backend": "openvino", "precision": "int8"},
}
"""By name: the options of the model."""
LOCAL = "{}, run"
FIRST = LOCAL.format("embedbridge")
THEIRS = {"Spark": "Spark: pandas UDF", "Daft": "Daft: embed_text"}
COLUMNS = Columns(id="id", text="text")
Job = Callable[[str], None]
"""Embeds the source into a folder of this name."""


def main() -> None:
    arguments = parse(argparse.ArgumentParser(description=__doc__), texts=(1500, 40), rounds=(3, 1))
    packages = (
        "sentence-transformers",
        "torch",
        "onnxruntime",
        "openvino",
        *filter(find_spec, ("pyspark", "daft")),
    )
    report = Report(__file__, "Bulk jobs on engines", __doc__, arguments, packages)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        source = str(Path(folder, "source.parquet"))
        texts = real_texts(arguments.texts)
        pq.write_table(pa.table({"id": np.arange(len(texts)), "text": texts}), source)
        jobs = {**local_jobs(source), **daft_jobs(source), **spark_jobs(source, stack)}
        measure(report, jobs, Path(folder), arguments.rounds, len(texts))
    report.publish()


def measure(report: Report, jobs: dict[str, Job], folder: Path, rounds: int, count: int) -> None:
    numbers = itertools.count()
    vectors: dict[str, Any] = {}

    def route(name: str) -> str:
        target = str(folder / str(next(numbers)))
        jobs[name](target)
        return target

    def check(name: str, target: object) -> None:
        """All rows are there, and the vectors are those of every other route."""
        rows = ds.dataset(str(target), format="parquet").to_table().sort_by("id")
        flat = rows.column("vector").combine_chunks().flatten()
        vectors[name] = np.asarray(flat).reshape(count, -1)
        cosines = (vectors[name] * vectors[FIRST]).sum(axis=1)
        assert cosines.min() > (0.95 if "int8" in name else 0.9999), (name, cosines.min())

    routes = {name: lambda name=name: route(name) for name in jobs}
    seconds = interleave(routes, rounds, check=check, clock=tree_seconds)
    bases = [name for name in THEIRS.values() if name in jobs]
    report.speeds(
        f"{count:,} texts, Parquet to Parquet, processor time",
        seconds,
        count=count,
        item="text",
        bases=bases,
    )
    for engine, theirs in THEIRS.items():
        if theirs not in jobs:
            report.say(f"{engine} is not installed here.")
            continue
        report.goals(goals(seconds, engine, theirs))


def goals(seconds: Timings, engine: str, theirs: str) -> Iterator[Goal]:
    """What was aimed at beside an engine's own way."""
    for name, options in OURS.items():
        local, door = LOCAL.format(name), f"{name} on {engine}"
        exact = "precision" not in options
        for route, goal in ((local, 1.8 if exact else 3.5), (door, 1.7 if exact else 3.5)):
            here = times_as_fast(seconds[route], seconds[theirs])
            yield Goal(figure=f"{route}, beside {theirs}", here=here, goal=goal)
        here = times_as_fast(seconds[door], seconds[local])
        yield Goal(figure=f"{door}, beside local", here=here, goal=0.85)


def local_jobs(source: str) -> dict[str, Job]:
    """Of no engine."""

    def ours(options: dict[str, Any]) -> Job:
        model = load_embedder(f"onnx:{exported()}", **options)
        return lambda target: void(run(source, target, model=model, columns=COLUMNS))

    return {LOCAL.format(name): ours(options) for name, options in OURS.items()}


def stages() -> dict[str, EmbedStage]:
    model = f"onnx:{exported()}"
    return {name: EmbedStage(model, COLUMNS, **options) for name, options in OURS.items()}


def daft_jobs(source: str) -> dict[str, Job]:
    """Of Daft, in this process."""
    if find_spec("daft") is None:
        return {}
    import daft
    from daft.functions import embed_text

    from embedbridge.bulk.engines.daft import embed_dataframe

    def theirs(target: str) -> None:
        df = daft.read_parquet(source)
        vector = embed_text(df["text"], provider="transformers", model=original())
        df.with_column("vector", vector).write_parquet(target)

    def ours(stage: EmbedStage) -> Job:
        return lambda target: void(
            embed_dataframe(daft.read_parquet(source), stage).write_parquet(target)
        )

    made = {f"{name} on Daft": ours(stage) for name, stage in stages().items()}
    return {THEIRS["Daft"]: theirs, **made}


def spark_jobs(source: str, stack: ExitStack) -> dict[str, Job]:
    """Of Spark, in a worker process per processor."""
    if find_spec("pyspark") is None:
        return {}
    import pandas as pd
    from pyspark.sql import SparkSession
    from pyspark.sql.functions import pandas_udf

    from embedbridge.bulk.engines.spark import embed_dataframe

    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = SparkSession.builder.master(f"local[{processors()}]")
    for name in ("spark.ui.enabled", "spark.ui.showConsoleProgress"):
        builder = builder.config(name, "false")
    spark: Any = builder.getOrCreate()
    stack.callback(spark.stop)
    folder = original()

    def embed(batches: Iterator[pd.Series]) -> Iterator[pd.Series]:
        from sentence_transformers import SentenceTransformer

        model = SentenceTransformer(folder)
        for texts in batches:
            yield pd.Series(list(model.encode(texts.tolist())))

    embed.__annotations__ = {"batches": Iterator[pd.Series], "return": Iterator[pd.Series]}
    in_udf = pandas_udf(embed, "array<float>")

    def rows() -> Any:
        return spark.read.parquet(source).repartition(processors())

    def theirs(target: str) -> None:
        rows().withColumn("vector", in_udf("text")).write.parquet(target)

    def ours(stage: EmbedStage) -> Job:
        return lambda target: void(
            embed_dataframe(rows(), stage, persist=False).write.parquet(target)
        )

    made = {f"{name} on Spark": ours(stage) for name, stage in stages().items()}
    return {THEIRS["Spark"]: theirs, **made}


def void(_: object) -> None:
    """A job answers nothing."""


if __name__ == "__main__":
    main()
