"""A million vectors streamed to a file: how much memory the process takes while they pass.

The texts come from a generator and the model takes no time, so that nothing but the stream itself is held. Each
route runs in a process of its own, and the file is compared afterwards, row by row. The frameworks have no
stream: as lists, a million vectors of 384 dimensions would take some 15 GB.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from _charts import Bar, Chart
from _embedding_server import VECTORS, make_vectors
from _memory import is_known, peak_mb, resident_mb
from _options import parse
from _report import OURS, Goal, Report

from embedbridge.contract import Batch, BatchResult, Limits, LocalEmbeddingModel, ModelCard
from embedbridge.core import Embedder

DIMENSIONS = 384
GOAL_MB = 512
CHUNK = 10_000
HEADER = 128
"""Bytes of a NumPy file before its numbers."""


class TableModel(LocalEmbeddingModel):
    """Answers from a table, by the number in front of the text."""

    provider = "table"
    cards = (
        ModelCard(
            name="table", dimensions=DIMENSIONS, normalized=True, limits=Limits(max_items=256)
        ),
    )
    vectors = make_vectors(DIMENSIONS)

    def embed_batch(self, batch: Batch) -> BatchResult:
        rows = [int(text.partition(" ")[0]) % VECTORS for text in batch.texts]
        return BatchResult(vectors=self.vectors[rows])


def make_texts(count: int) -> Iterator[str]:
    return (f"{number} is the number of a text with a few words" for number in range(count))


def to_plain_file(embedder: Embedder, count: int, path: Path) -> None:
    with path.open("wb") as file:
        for vector in embedder.embed_iter(make_texts(count)):
            file.write(vector.tobytes())


def to_numpy_file(embedder: Embedder, count: int, path: Path) -> None:
    from embedbridge.cli.embed.entry import Entry
    from embedbridge.cli.embed.formats import writer_to

    entry = Entry("", 0)  # a NumPy file keeps none of it
    with writer_to(path, embedder) as writer:
        for vector in embedder.embed_iter(make_texts(count)):
            writer.write(entry, vector, None)


ROUTES: dict[str, Callable[[Embedder, int, Path], None]] = {
    "embedbridge, to a plain file": to_plain_file,
    "embedbridge, to .npy as its command does": to_numpy_file,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--child", nargs=2, metavar=("ROUTE", "FILE"), help=argparse.SUPPRESS)
    arguments = parse(parser, vectors=(1_000_000, 20_000))
    if arguments.child:
        run_child(arguments.child[0], Path(arguments.child[1]), arguments.vectors)
        return
    report = Report(__file__, "Streaming", __doc__, arguments)
    if not is_known():
        report.say("This system does not tell how much memory a process takes: nothing measured.")
    else:
        measure(report, arguments.vectors)
    report.publish()


def measure(report: Report, count: int) -> None:
    array_mb = count * DIMENSIONS * 4 / 1e6
    grown, rows = {}, []
    for name in ROUTES:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "vectors.npy")
            command = [sys.executable, __file__, f"--vectors={count}", "--child", name, str(file)]
            answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            check(file, count)
        grown[name], seconds = map(float, answer.stdout.split())
        rows.append((name, f"{grown[name]:.0f}", f"{seconds:.1f}", f"{seconds / count * 1e6:.1f}"))
    title = f"{count:,} × {DIMENSIONS} through embed_iter"
    bars = [
        Bar(label=name, value=mb, shown=f"{mb:.0f} MB", ours=name.startswith(OURS))
        for name, mb in grown.items()
    ]
    whole = Bar(
        label="the vectors as one array", value=array_mb, shown=f"{array_mb:.0f} MB", ours=False
    )
    subtitle = "growth of the process's memory; shorter is better"
    report.bars(Chart(title=title, subtitle=subtitle, bars=[*bars, whole]))
    report.table(title, ("route", "RSS growth MB", "seconds", "µs per vector"), rows)
    report.goals(
        Goal(figure=f"RSS growth, {name}", here=mb, goal=GOAL_MB, unit="MB", at_most=True)
        for name, mb in grown.items()
    )


def run_child(name: str, path: Path, count: int) -> None:
    """Stream once, and print by how many MB the process grew at its highest, and the seconds."""
    embedder = Embedder(TableModel("table"))
    ROUTES[name](embedder, 10, path)  # what is imported late is no growth
    before, begun = resident_mb(), time.perf_counter()
    ROUTES[name](embedder, count, path)
    print(peak_mb() - before, time.perf_counter() - begun)


def check(file: Path, count: int) -> None:
    """Every vector must have arrived, in order."""
    size = file.stat().st_size - count * DIMENSIONS * 4
    assert size in (0, HEADER), size
    rows = np.memmap(file, np.float32, "r", offset=size, shape=(count, DIMENSIONS))
    for start in range(0, count, CHUNK):
        found = rows[start : start + CHUNK]
        numbers = np.arange(start, start + len(found)) % VECTORS
        assert np.abs(found - TableModel.vectors[numbers]).max() < 1e-6, start


if __name__ == "__main__":
    main()
