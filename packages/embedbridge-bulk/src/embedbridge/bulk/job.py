"""A bulk job on one machine: reading, embedding and writing overlap, in bounded memory.

reader thread: source ► chunks ► parts
this thread:   parts that are not there ► claim ► (two threads: embed ► journal) ► gather
writer thread: row groups ► part.tmp ► its place
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from embedbridge.bulk.embedding import CHUNKS_AT_ONCE, Claimed, Embedding, Settled
from embedbridge.bulk.errors import RowError, cannot_write
from embedbridge.bulk.output import attach, output_schema
from embedbridge.bulk.overlap import prefetched
from embedbridge.bulk.parts import EMPTY, FAILED, MAY_PASS, PartVectors
from embedbridge.bulk.reading import Chunk, Part, Sizes, parts_of
from embedbridge.bulk.report import Report
from embedbridge.bulk.writing import PartWriter

if TYPE_CHECKING:
    import pyarrow as pa

    from embedbridge.bulk.output import Embedded
    from embedbridge.bulk.sources.base import Source
    from embedbridge.bulk.stage import EmbedStage
    from embedbridge.bulk.target import Target

Errors: TypeAlias = Literal["fail", "column", "file"]
"""What a bad row does: ends the job, has its error in a column, or goes to a file of its own."""
PARTS_AHEAD = 1
WRITES_AHEAD = 2


@dataclass(slots=True, eq=False)
class _Waiting:
    """A chunk on its way into a part."""

    part: Part
    claimed: Claimed
    is_last: bool


@dataclass(slots=True, eq=False)
class _RowGroup:
    """Rows on their way into a part's file."""

    part: Part
    table: pa.Table
    counts: dict[str, int]
    is_last: bool


class Job:
    """One run from a source to a target.

    Args:
        source: The rows.
        target: Where they go; open.
        stage: How they are embedded.
        errors: What a bad row does.
        sizes: How large parts are.
        limit: Rows at most.
        progress: Told of the report after each chunk.
    """

    def __init__(
        self,
        source: Source,
        target: Target,
        stage: EmbedStage,
        *,
        errors: Errors,
        sizes: Sizes,
        limit: int | None,
        progress: Callable[[Report], None],
    ) -> None:
        self._source, self._target, self._stage = source, target, stage
        self._errors: Errors = errors
        self._sizes, self._limit = sizes, limit
        self._progress = progress
        self._usable = {part.path.name: part for part in target.usable()}
        self._embedding: Embedding | None = None
        self._writer: PartWriter | None = None
        total = source.count()
        self.report = Report(total=total if limit is None or total is None else min(total, limit))

    def run(self) -> Report:
        """Do it.

        Raises:
            RowError: A row cannot be embedded, and `errors` is "fail".
            SourceError: Something could not be read; all else is done.
            TargetError: The target cannot be written.
            EmbedBridgeError: The model cannot be used.
        """
        began = time.monotonic()
        tables = self._source.tables()
        head = {**self._stage.made().described(), "errors": self._errors}
        parts = parts_of(tables, self._stage.columns, self._sizes, head, self._limit)
        names: set[str] = set()
        with prefetched(parts, PARTS_AHEAD) as ahead:
            self._make(self._missing(ahead, names))
        self.report.seconds = time.monotonic() - began
        if self._source.damaged:  # what its rows were is not known: nothing leaves the target
            raise self._source.damaged[0]
        self._target.finish(names)
        return self.report

    def _missing(self, parts: Iterable[Part], names: set[str]) -> Iterator[Part]:
        """The parts that are not there."""
        for part in parts:
            names.add(part.name)
            stored = self._usable.get(part.name)
            if stored is None or not stored.is_final:
                yield part
                continue
            failed, empty = stored.count(FAILED), stored.count(EMPTY)
            self.report.rows += part.rows
            self.report.failed += failed
            self.report.empty += empty
            self.report.kept += part.rows - failed - empty
            self.report.parts_kept += 1
            self._progress(self.report)

    def _make(self, parts: Iterable[Part]) -> None:
        """Write parts, with the next chunks already under way."""
        waiting: deque[_Waiting] = deque()
        writes: deque[Future[None]] = deque()
        with ThreadPoolExecutor(1, "embedbridge-bulk-writer") as writing:
            try:
                for part, chunk, is_last in _chunks(parts):
                    if chunk is None:
                        nothing = _RowGroup(part, self._nothing(), {}, is_last=True)
                        writes.append(writing.submit(self._write, nothing))
                        continue
                    claimed = self._embedder().start(chunk)
                    waiting.append(_Waiting(part, claimed, is_last))
                    if len(waiting) > CHUNKS_AT_ONCE:
                        self._settle(waiting.popleft(), writing, writes)
                while waiting:
                    self._settle(waiting.popleft(), writing, writes)
                while writes:
                    writes.popleft().result()
            finally:
                if self._embedding is not None:
                    self._embedding.close()
                writing.submit(self._abort).result()

    def _embedder(self) -> Embedding:
        """Made when the first part is not there: a finished job reads no digests."""
        if self._embedding is None:
            stored = PartVectors(list(self._usable.values()))
            self._embedding = Embedding(self._stage, stored, self._target.journal)
        return self._embedding

    def _settle(
        self, one: _Waiting, writing: ThreadPoolExecutor, writes: deque[Future[None]]
    ) -> None:
        """Wait for a chunk's vectors, and hand it to the writer."""
        chunk = one.claimed.chunk
        settled = self._embedder().finish(one.claimed)
        rows = settled.rows
        if rows.errors and self._errors == "fail":
            raise self._row_error(chunk, rows)
        counts = self._count(settled, chunk)
        schema = self._schema(chunk.table.schema, rows.vectors.shape[1] or None)
        table = attach(chunk.table, schema, rows, chunk.digests, chunk.present)
        group = _RowGroup(one.part, table, counts, one.is_last)
        writes.append(writing.submit(self._write, group))
        while len(writes) > WRITES_AHEAD:
            writes.popleft().result()
        self._progress(self.report)

    def _count(self, settled: Settled, chunk: Chunk) -> dict[str, int]:
        """Add a chunk to the report; what the part says about it."""
        rows, report, usage = settled.rows, self.report, settled.paid.usage
        with_vector, failed = int(rows.has_vector.sum()), len(rows.errors)
        empty = chunk.table.num_rows - with_vector - failed
        report.rows += chunk.table.num_rows
        report.embedded += settled.embedded
        report.kept += settled.kept
        report.repeated += with_vector - settled.embedded - settled.kept
        report.empty += empty
        report.failed += failed
        report.truncated += int(rows.truncated.sum())
        report.requests += settled.paid.requests
        report.tokens += usage.tokens
        report.images += usage.images
        report.estimated |= usage.estimated
        return {FAILED: failed, EMPTY: empty, MAY_PASS: settled.may_pass}

    def _write(self, group: _RowGroup) -> None:
        """In the writer's thread: a row group, and with the last one the part's name."""
        target = self._target
        try:
            if self._writer is None:
                errors = (target.errors / group.part.name).with_suffix(".jsonl")
                self._writer = PartWriter(
                    target.temporary,
                    group.table.schema,
                    self._stage.columns,
                    errors if self._errors == "file" else None,
                )
            self._writer.write(group.table, group.counts)
            if group.is_last:
                self._writer.close(target.place(group.part.name))
                self._writer = None
                self.report.parts_written += 1
        except OSError as failure:
            raise cannot_write(target.folder, failure) from failure

    def _abort(self) -> None:
        """In the writer's thread, at the end: a part that is not whole is none."""
        if self._writer is not None:
            self._writer.abort()

    def _schema(self, source: pa.Schema, width: int | None) -> pa.Schema:
        width = width or self._stage.embedder.dimensions
        return output_schema(source, self._stage.columns, self._stage.made(), width)

    def _nothing(self) -> pa.Table:
        return self._schema(self._source.schema, None).empty_table()

    def _row_error(self, chunk: Chunk, rows: Embedded) -> RowError:
        row = min(rows.errors)
        column = self._stage.columns.id
        named = (
            "" if column is None else f" ({column}: {chunk.table.column(column)[row].as_py()!r})"
        )
        return RowError(
            f"Row {chunk.start + row}{named} cannot be embedded: {rows.errors[row]}",
            hint="errors='column' keeps such errors in a column, errors='file' in a file. "
            "What is paid for is kept in the journal.",
        )


def _chunks(parts: Iterable[Part]) -> Iterator[tuple[Part, Chunk | None, bool]]:
    """All chunks, each let go of when it is handed out, and whether it is the last of its part."""
    for part in parts:
        if not part.chunks:
            yield part, None, True
        while part.chunks:
            yield part, part.chunks.popleft(), not part.chunks
