"""Bulk jobs on Ray: our jobs beside what the documentation of Ray Data shows.

All routes go from one Parquet file to a folder of them, with the weights of all-MiniLM-L6-v2. Ray's own way is a
class for `map_batches` with sentence-transformers in one actor: a file is one block, and an actor has one thread
unless it is given more. Ours has as many actors as processors. The cluster is started before; each job starts its
actors, which load the model, so the wall clock counts that too: the machine has to be at rest. Without Ray nothing
is measured (`pip install -r requirements-engines.txt`).
"""

from __future__ import annotations

import argparse
import itertools
import os
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from _interleaved import Timings, interleave, times_as_fast
from _local_model import NAME, exported, original
from _machine import processors
from _options import parse
from _report import Goal, Report

from embedbridge.bulk import Columns, EmbedStage, RayEngine, run
from embedbridge.bulk.engines.ray import embed_dataset
from embedbridge.testing import real_texts

LOCAL, ON_RAY, DATA = "embedbridge: run", "embedbridge: run on Ray", "embedbridge on Ray Data"
OPENVINO = "embedbridge: run, OpenVINO"
THEIRS = "Ray Data: map_batches"
COLUMNS = Columns(id="id", text="text")


class Encode:
    """What Ray's documentation shows for a model."""

    def __init__(self, folder: str) -> None:
        from sentence_transformers import SentenceTransformer

        self._model = SentenceTransformer(folder, device="cpu", local_files_only=True)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """The batch with vectors."""
        return {**batch, "vector": self._model.encode(batch["text"].tolist())}


def main() -> None:
    arguments = parse(argparse.ArgumentParser(description=__doc__), texts=(1500, 40), rounds=(3, 1))
    packages = (
        "sentence-transformers",
        "torch",
        "onnxruntime",
        "openvino",
        *filter(find_spec, ["ray"]),
    )
    report = Report(__file__, "Bulk jobs on Ray", __doc__, arguments, packages)
    if find_spec("ray") is None:
        report.say("Ray is not installed here.")
        return
    seconds = measure(real_texts(arguments.texts), arguments.rounds)
    title = f"{arguments.texts:,} texts with {NAME}, wall clock"
    report.speeds(title, seconds, count=arguments.texts, item="text", bases=[THEIRS])
    aims = {LOCAL: 3.0, OPENVINO: 3.0, ON_RAY: 1.7, DATA: 1.7}
    report.goals(
        Goal(
            figure=f"{name}, beside {THEIRS}",
            here=times_as_fast(seconds[name], seconds[THEIRS]),
            goal=goal,
        )
        for name, goal in aims.items()
    )
    report.publish()


def measure(texts: list[str], rounds: int) -> Timings:
    """Seconds of each way from the file with these texts to a folder with vectors."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray
    import ray.data

    # One more than there are: reading and writing take one of those that Ray counts.
    ray.init(
        address="local",
        num_cpus=processors() + 1,
        include_dashboard=False,
        log_to_driver=False,
        runtime_env={"env_vars": {"PYTHONPATH": str(Path(__file__).parent)}},
    )
    ray.data.DataContext.get_current().enable_progress_bars = False
    numbers, vectors = itertools.count(), {}
    model = f"onnx:{exported()}"
    with tempfile.TemporaryDirectory() as folder:
        source = str(Path(folder, "source.parquet"))
        pq.write_table(pa.table({"id": np.arange(len(texts)), "text": texts}), source)

        def target() -> str:
            return str(Path(folder, str(next(numbers))))

        def theirs() -> str:
            rows = ray.data.read_parquet(source)
            pool = ray.data.ActorPoolStrategy(size=1)
            made = rows.map_batches(Encode, fn_constructor_args=(original(),), compute=pool)
            made.write_parquet(place := target())
            return place

        def on_data() -> str:
            stage = EmbedStage(model, COLUMNS)
            size = -(-len(texts) // processors())
            rows = ray.data.read_parquet(source)
            made = embed_dataset(rows, stage, actors=processors(), block_rows=size)
            made.write_parquet(place := target())
            return place

        def ours(**options: Any) -> str:
            place = target()
            run(source, place, model=model, columns=COLUMNS, **options)
            return place

        def check(name: str, place: Any) -> None:
            """All rows are there, with the vectors of the others."""
            rows = ds.dataset(place, format="parquet").to_table().sort_by("id")
            # Ray writes a column of a type of its own.
            vectors[name] = np.array(rows.column("vector").to_pylist(), dtype=np.float32)
            assert (vectors[name] * vectors[LOCAL]).sum(axis=1).min() > 0.9999, name

        routes = {
            LOCAL: ours,
            OPENVINO: lambda: ours(backend="openvino"),
            ON_RAY: lambda: ours(engine=RayEngine(actors=processors(), cpus=1)),
            DATA: on_data,
            THEIRS: theirs,
        }
        seconds = interleave(routes, rounds, check=check)
    ray.shutdown()
    return seconds


if __name__ == "__main__":
    main()
