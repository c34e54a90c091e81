"""Bulk jobs: what reading, hashing, removing repeats and writing cost beside embedding itself.

The models take no time, so that only the way from file to file is measured. Processor time is counted where rows
are compared, since reading, embedding and writing overlap; the wall clock where a server is waited for. The
server is a process of its own and answers after 50 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections import deque
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from _embedding_server import make_texts, serving
from _interleaved import interleave, times_as_fast
from _memory import is_known, peak_mb, resident_mb
from _options import parse
from _report import Goal, Report

from embedbridge.bulk import run
from embedbridge.bulk.columns import Columns
from embedbridge.bulk.output import Embedded, attach, output_schema
from embedbridge.bulk.provenance import Provenance
from embedbridge.bulk.targets.parquet_writer import ParquetPartWriter, leaf_paths
from embedbridge.contract import (
    Batch,
    BatchResult,
    Limits,
    LocalEmbeddingModel,
    ModelCard,
    Usage,
)
from embedbridge.core import Embedder, load_embedder

ROWS_OF_A_FILE_GROUP = 100_000
WIDE = 384
GROUP = 8192
NARROW, LATENCY, ITEMS, CONCURRENCY = 64, 0.05, 100, 8
OURS, EMBED = "embedbridge: run, from Parquet to Parquet", "Embedder.embed, in memory"
FROM_SERVER, WIRE = "embedbridge: run, from a server to Parquet", "the wire alone"
WRITER, PYARROW = "embedbridge: vectors to a part", "pyarrow: the same table"


class Instant(LocalEmbeddingModel):
    """Takes no time, and makes eight dimensions."""

    provider = "instant"
    cards = (
        ModelCard(name="local", dimensions=8, normalized=False, limits=Limits(max_items=4096)),
    )

    def embed_batch(self, batch: Batch) -> BatchResult:
        return BatchResult(vectors=np.ones((len(batch), 8), np.float32), usage=Usage(tokens=1))


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
            place = Path(folder, "part.parquet")
            writer = ParquetPartWriter(Path(folder, "part.tmp"), schema, Path(folder).joinpath)
            for _ in groups():
                writer.write(attach(rows, schema, embedded, digests, yes), {})
            writer.close(place.name)
            return int(pq.read_metadata(place).num_rows)

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
    texts = make_texts(count)
    rows = pa.table({"id": np.arange(count), "text": texts})
    numbers, slots = itertools.count(), []
    with serving(NARROW, LATENCY) as url, tempfile.TemporaryDirectory() as folder:
        embedder = load_embedder(
            "openai-compatible:model", base_url=url, batch_size=ITEMS, max_concurrency=CONCURRENCY
        )
        to_parquet = partial(run, model=embedder, text="text", id="id")

        def ours() -> int:
            counts_of(url)
            found = to_parquet(rows, Path(folder, str(next(numbers))))
            slots.append(100 * counts_of(url)["seconds"] / CONCURRENCY / found.seconds)
            return found.embedded

        def check(_: str, answer: object) -> None:
            assert answer == count, answer

        routes = {FROM_SERVER: ours, WIRE: lambda: asyncio.run(ask_all(url, texts))}
        seconds = interleave(routes, rounds, check=check)
    least = count / ITEMS / CONCURRENCY * LATENCY
    title = (
        f"{count:,} texts behind {LATENCY * 1000:.0f} ms, {CONCURRENCY} requests of {ITEMS} at once: "
        f"{least:.2f} s at least"
    )
    report.speeds(title, seconds, count=count, item="text", bases=[WIRE])
    share = 100 * statistics.median(least / each for each in seconds[FROM_SERVER])
    report.goals(
        [
            Goal(figure="limit of the wire, used by run", here=share, goal=90, unit="%"),
            Goal(
                figure="requests in flight, of those that may be",
                here=statistics.median(slots[1:]),  # the first round is not counted
                goal=90,
                unit="%",
            ),
        ]
    )


async def ask_all(url: str, texts: list[str]) -> int:
    """What the wire takes alone: connections that send requests made before and read no answer."""
    parts = urllib.parse.urlsplit(url)
    requests = deque()
    for start in range(0, len(texts), ITEMS):
        body = json.dumps({"input": texts[start : start + ITEMS], "encoding_format": "base64"})
        head = f"POST {parts.path}/embeddings HTTP/1.1\r\ncontent-length: {len(body)}\r\n\r\n"
        requests.append((head + body).encode())

    async def ask() -> None:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        while requests:
            writer.write(requests.popleft())
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.partition(b"content-length: ")[2].split()[0]))
        writer.close()

    await asyncio.gather(*(ask() for _ in range(CONCURRENCY)))
    return len(texts)


def counts_of(url: str) -> dict[str, float]:
    """What the server counted since it was asked last."""
    with urllib.request.urlopen(url) as reply:  # noqa: S310  # our own server
        counts: dict[str, float] = json.load(reply)
    return counts


if __name__ == "__main__":
    main()
