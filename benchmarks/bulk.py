"""Bulk jobs: what reading, hashing, removing repeats and writing cost beside embedding itself.

The models take no time, so that only the way from file to file is measured. Processor time is counted where rows
are compared, since reading, embedding and writing overlap; the wall clock where a server is waited for. The
server stands in this process and answers after 50 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from _interleaved import interleave, times_as_fast
from _memory import is_known, peak_mb, resident_mb
from _options import parse
from _report import Goal, Report

from embedbridge.bulk import run
from embedbridge.bulk.columns import Columns
from embedbridge.bulk.output import Embedded, attach, output_schema
from embedbridge.bulk.provenance import Provenance
from embedbridge.bulk.writing import PartWriter, leaf_paths
from embedbridge.contract import (
    Batch,
    BatchResult,
    EmbeddingModel,
    Limits,
    LocalEmbeddingModel,
    ModelCard,
    Usage,
)
from embedbridge.core import Embedder, Settings

ROWS_OF_A_FILE_GROUP = 100_000
WIDE = 384
GROUP = 8192
LATENCY, ITEMS, CONCURRENCY = 0.05, 100, 8
OURS, EMBED = "embedbridge: run, from Parquet to Parquet", "Embedder.embed, in memory"
WRITER, PYARROW = "embedbridge: vectors to a part", "pyarrow: the same table"


class Instant(LocalEmbeddingModel):
    """Takes no time, and makes eight dimensions."""

    provider = "instant"
    cards = (
        ModelCard(name="local", dimensions=8, normalized=False, limits=Limits(max_items=4096)),
    )

    def embed_batch(self, batch: Batch) -> BatchResult:
        return BatchResult(vectors=np.ones((len(batch), 8), np.float32), usage=Usage(tokens=1))


class Waiting(EmbeddingModel):
    """A server that answers after 50 ms."""

    provider = "waiting"
    cards = (
        ModelCard(name="remote", dimensions=64, normalized=False, limits=Limits(max_items=ITEMS)),
    )

    async def embed_batch(self, batch: Batch) -> BatchResult:
        await asyncio.sleep(LATENCY)
        return BatchResult(vectors=np.ones((len(batch), 64), np.float32), usage=Usage(tokens=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--child", metavar="FOLDER", help=argparse.SUPPRESS)
    arguments = parse(
        parser,
        rows=(2_000_000, 20_000),
        vectors=(1_000_000, 20_000),
        remote=(100_000, 4_000),
        rounds=(3, 1),
    )
    if arguments.child:
        run_child(Path(arguments.child), arguments.rows, arguments.rounds)
        return
    report = Report(__file__, "Bulk jobs", __doc__, arguments, packages=["pyarrow"])
    measure_rows(report, arguments.rows, arguments.rounds)
    measure_writer(report, arguments.vectors, arguments.rounds)
    measure_server(report, arguments.remote, arguments.rounds)
    report.publish()


def measure_rows(report: Report, count: int, rounds: int) -> None:
    """In a process of its own, so that its memory is that of one job."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, f"--rows={count}", f"--rounds={rounds}"]
        answer = subprocess.run(
            [*command, "--child", folder], check=True, stdout=subprocess.PIPE, text=True
        )
    grown, seconds = json.loads(answer.stdout)
    title = f"{count:,} short texts, processor time"
    report.speeds(title, seconds, count=count, item="row", bases=[EMBED])
    cost = 1 / times_as_fast(seconds[OURS], seconds[EMBED])
    report.goals([Goal(figure="run beside Embedder.embed", here=cost, goal=4, at_most=True)])
    if grown is not None:
        goal = Goal(figure="RSS growth of run", here=grown, goal=400, unit="MB", at_most=True)
        report.goals([goal])


def run_child(folder: Path, count: int, rounds: int) -> None:
    """Print by how many MB the process grew in its first job, and the seconds of all."""
    source = folder / "source.parquet"
    with pq.ParquetWriter(source, short_rows(0, 1).schema) as writer:
        for start in range(0, count, ROWS_OF_A_FILE_GROUP):
            writer.write_table(short_rows(start, min(count, start + ROWS_OF_A_FILE_GROUP)))
    embedder = Embedder(Instant("local"))
    to_parquet = partial(run, model=embedder, text="text", id="id")
    to_parquet(short_rows(0, 100), folder / "first")  # what is imported late is no growth
    before = resident_mb() if is_known() else 0
    to_parquet(source, folder / "grown")
    grown = peak_mb() - before if is_known() else None
    texts = pq.read_table(source).column("text").to_pylist()
    numbers = iter(range(rounds + 1))
    routes = {
        OURS: lambda: to_parquet(source, folder / f"{next(numbers)}").embedded,
        EMBED: lambda: len(embedder.embed(texts, role="document")),
    }

    def check(name: str, answer: object) -> None:
        assert answer == count, (name, answer)

    print(json.dumps([grown, interleave(routes, rounds, check=check, clock=time.process_time)]))


def short_rows(start: int, end: int) -> pa.Table:
    texts = [f"text number {number}" for number in range(start, end)]
    return pa.table({"id": np.arange(start, end), "text": texts})


def measure_writer(report: Report, count: int, rounds: int) -> None:
    """Vectors and columns to a part, beside pyarrow with the finished table."""
    made = Provenance(space="instant", fingerprint="0" * 64, role="document")
    columns = Columns(id="id", text="text")
    schema = output_schema(short_rows(0, 1).schema, columns, made, WIDE)
    random = np.random.default_rng(0)
    vectors, digests = random.random((GROUP, WIDE), np.float32), np.zeros((GROUP, 2), np.uint64)
    rows = short_rows(0, GROUP)
    yes, no = np.ones(GROUP, np.bool_), np.zeros(GROUP, np.bool_)
    embedded = Embedded(vectors=vectors, has_vector=yes, truncated=no, errors={})
    searched = [
        path
        for field in schema
        if field.name not in ("vector", "content_digest")
        for path in leaf_paths(field)
    ]

    def groups() -> Iterator[int]:
        return iter(range(-(-count // GROUP)))

    with tempfile.TemporaryDirectory() as folder:

        def ours() -> int:
            writer = PartWriter(Path(folder, "part.tmp"), schema)
            for _ in groups():
                writer.write(attach(rows, schema, embedded, digests, yes), {})
            writer.close(Path(folder, "part.parquet"), errors=Path(folder, "errors.jsonl"))
            return int(pq.read_metadata(Path(folder, "part.parquet")).num_rows)

        table = attach(rows, schema, embedded, digests, yes)

        def pyarrows() -> int:
            place = Path(folder, "plain.parquet")
            options = {"compression": dict.fromkeys(searched, "zstd")}
            with pq.ParquetWriter(
                place, schema, **options, use_dictionary=searched, write_statistics=searched
            ) as writer:
                for _ in groups():
                    writer.write_table(table, row_group_size=GROUP)
            return int(pq.read_metadata(place).num_rows)

        def check(name: str, answer: object) -> None:
            assert answer == -(-count // GROUP) * GROUP, (name, answer)

        routes = {WRITER: ours, PYARROW: pyarrows}
        seconds = interleave(routes, rounds, check=check, clock=time.process_time)
    title = f"{count:,} × {WIDE} to Parquet, processor time"
    report.speeds(title, seconds, count=count, item="row", bases=[PYARROW])
    share = 100 * times_as_fast(seconds[WRITER], seconds[PYARROW])
    report.goals([Goal(figure="speed of pyarrow, writing", here=share, goal=70, unit="%")])


def measure_server(report: Report, count: int, rounds: int) -> None:
    """Wall time beside what requests of this size and number take at least."""
    embedder = Embedder(Waiting("remote"), settings=Settings(max_concurrency=CONCURRENCY))
    least = count / ITEMS / CONCURRENCY * LATENCY
    rows, shares = short_rows(0, count), []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            found = run(rows, Path(folder, str(number)), model=embedder, text="text", id="id")
            assert found.embedded == count
            shares.append(100 * least / found.seconds)
    share = max(shares)
    head = ("requests", "least s", "best s", "share of the limit")
    line = (f"{count // ITEMS:,}", f"{least:.2f}", f"{least / share * 100:.2f}", f"{share:.0f} %")
    report.table(f"{count:,} texts behind {LATENCY * 1000:.0f} ms", head, [line])
    report.goals([Goal(figure="limit of the wire, used by run", here=share, goal=90, unit="%")])


if __name__ == "__main__":
    main()
