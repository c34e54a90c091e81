"""Bulk jobs with a real model: from Parquet to Parquet, beside sentence-transformers in a loop.

Both read one file and write vectors beside its columns, with the weights of all-MiniLM-L6-v2 and all
processors. The loop reads the table, calls `encode` with all texts, and writes the table again; no engine
is needed. Ours computes on onnxruntime, the default, or on OpenVINO. Wall time is counted: the machine has to be
at rest. The second table has 30 % exact repeats among the texts.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from _interleaved import Timings, interleave, times_as_fast
from _local_model import NAME, exported, original
from _options import parse
from _repeats import REPEATS, with_repeats
from _report import Goal, Report
from sentence_transformers import SentenceTransformer

from embedbridge.bulk import run
from embedbridge.core import load_embedder
from embedbridge.testing import real_texts

LOOP = "sentence-transformers: a loop"
OURS: dict[str, dict[str, Any]] = {
    "embedbridge: run": {},
    "embedbridge OpenVINO: run": {"backend": "openvino"},
    "embedbridge int8: run": {"precision": "int8"},
    "embedbridge OpenVINO int8: run": {"backend": "openvino", "precision": "int8"},
}
"""By name: the options of the model."""
COSINES = {"exact": 0.9999, "int8": 0.95}
"""To the loop's vectors, the least."""


def main() -> None:
    arguments = parse(argparse.ArgumentParser(description=__doc__), texts=(1500, 40), rounds=(3, 1))
    packages = ("sentence-transformers", "torch", "onnxruntime", "openvino", "pyarrow")
    report = Report(__file__, "Bulk jobs with a model", __doc__, arguments, packages)
    texts = real_texts(arguments.texts)
    seconds = measure(texts, arguments.rounds)
    shown = {"count": len(texts), "item": "text", "bases": [LOOP]}
    report.speeds(f"{len(texts)} texts with {NAME}", seconds, **shown)
    repeated = measure(with_repeats(texts), arguments.rounds)
    report.speeds(f"The same with {REPEATS * 100:.0f} % exact repeats", repeated, **shown)
    report.goals(
        Goal(
            figure=f"{name} beside the loop{suffix}",
            here=times_as_fast(runs[name], runs[LOOP]),
            goal=goal,
        )
        for name, options in OURS.items()
        for suffix, runs, goal in (
            [("", seconds, 3.5)]
            if "precision" in options
            else [("", seconds, 1.8), (", with repeats", repeated, 2.4)]
        )
    )
    report.publish()


def measure(texts: list[str], rounds: int) -> Timings:
    """Seconds of each way from the file with these texts to a file with vectors."""
    model = SentenceTransformer(original(), device="cpu", local_files_only=True)
    folder = f"onnx:{exported()}"
    embedders = {name: load_embedder(folder, **options) for name, options in OURS.items()}
    numbers, vectors = itertools.count(), {}
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "source.parquet")
        pq.write_table(pa.table({"id": np.arange(len(texts)), "text": texts}), source)

        def ours(name: str) -> Path:
            target = Path(folder, str(next(numbers)))
            run(source, target, model=embedders[name], text="text", id="id")
            return target

        def theirs() -> Path:
            target = Path(folder, f"{next(numbers)}.parquet")
            table = pq.read_table(source)
            made = model.encode(table.column("text").to_pylist(), show_progress_bar=False)
            width = made.shape[1]
            column = pa.FixedSizeListArray.from_arrays(pa.array(made.reshape(-1)), width)
            pq.write_table(table.append_column("vector", column), target)
            return target

        def check(name: str, target: Any) -> None:
            """All rows are there, with the loop's vectors."""
            rows = ds.dataset(target, format="parquet").to_table()
            flat = np.asarray(rows.column("vector").combine_chunks().flatten())
            vectors[name] = flat.reshape(len(texts), -1)
            least = (vectors[name] * vectors[LOOP]).sum(axis=1).min()
            assert least > COSINES["int8" if "int8" in name else "exact"], (name, least)
            assert rows.column("text").to_pylist() == texts, name

        routes = {LOOP: theirs, **{name: partial(ours, name) for name in embedders}}
        return interleave(routes, rounds, check=check)


if __name__ == "__main__":
    main()
