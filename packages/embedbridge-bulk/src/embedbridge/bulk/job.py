"""A bulk job on one machine: reading, embedding and writing overlap, in bounded memory.

reader thread:  source ► chunks, and the names of their parts
this thread:    chunks of parts that are not there ► claim ► gather
windows' threads:                                        embed ► journal
writer thread:  rows ► a part ► its place
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from embedbridge.bulk.away import keep_for_later
from embedbridge.bulk.contents import NONE
from embedbridge.bulk.embedding import Claimed, Embedding, Settled
from embedbridge.bulk.errors import RowError
from embedbridge.bulk.json_values import id_values
from embedbridge.bulk.kept_parts import KeptPart, pieces_to_make
from embedbridge.bulk.output import attach, output_schema
from embedbridge.bulk.prefetch import prefetched
from embedbridge.bulk.reading import Chunk, Part, Sizes
from embedbridge.bulk.report import Report
from embedbridge.bulk.targets.parts import EMPTY, FAILED, MAY_PASS
from embedbridge.bulk.targets.writing import TargetWriter
from embedbridge.contract.errors import short_path

if TYPE_CHECKING:
    import pyarrow as pa

    from embedbridge.bulk.contents import Digests
    from embedbridge.bulk.engines.base import Engine
    from embedbridge.bulk.output import Embedded
    from embedbridge.bulk.sources.base import Source
    from embedbridge.bulk.stage import EmbedStage
    from embedbridge.bulk.targets.base import Target

Errors: TypeAlias = Literal["fail", "column", "file"]
"""What a bad row does: ends the job, has its error in a column, or goes to a file of its own."""
CHUNKS_AHEAD = 2


class Job:
    """One run from a source to a target.

    Args:
        source: The rows.
        target: Where they go; open.
        stage: How they are embedded.
        engine: Where they are embedded.
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
        engine: Engine,
        errors: Errors,
        sizes: Sizes,
        limit: int | None,
        progress: Callable[[Report], None],
    ) -> None:
        self._source, self._target, self._stage = source, target, stage
        self._engine = engine
        self._errors: Errors = errors
        self._sizes, self._limit = sizes, limit
        self._progress = progress
        self._stored = target.parts()
        self._embedding: Embedding | None = None
        self._first_error = ""
        self._unread: list[Digests] = []
        total = source.count()
        self.report = Report(total=total if limit is None or total is None else min(total, limit))

    def run(self) -> Report:
        """Do it.

        Raises:
            RowError: A row cannot be embedded, and `errors` is "fail"; or none can, and the target
                has vectors.
            SourceError: Something could not be read; all else is done.
            TargetError: The target cannot be written.
            EmbedBridgeError: The model cannot be used.
        """
        began = time.monotonic()
        pieces = pieces_to_make(
            self._source.tables(),
            self._stage,
            self._sizes,
            errors=self._errors,
            limit=self._limit,
            stored=self._stored,
        )
        names: set[str] = set()
        with prefetched(pieces, CHUNKS_AHEAD) as ahead:
            self._make(self._to_make(ahead, names))
        self.report.seconds = time.monotonic() - began
        if self._source.damaged:  # what its rows were is not known: nothing leaves the target
            self._target.show(names)
            raise self._source.damaged[0]
        if self._would_empty:
            self._target.withdraw(names)
            raise self._no_row_error()
        self._target.finish(names, keeps_journal=self._waits_for_images(names))
        return self.report

    def _waits_for_images(self, names: set[str]) -> bool:
        """Whether the journal has vectors of rows whose image files are away: they are not paid again."""
        unread = np.concatenate([NONE, *self._unread])
        if not len(unread):
            return False
        added = keep_for_later(self._target, self._stage.columns, names, unread)
        return self._target.keeps_journal or added > 0

    @property
    def _would_empty(self) -> bool:
        """Whether a target with vectors would have none: the files of the rows may be away for now."""
        return self.report.has_only_failures and self._target.holds_vectors

    def _to_make(
        self, pieces: Iterable[Chunk | Part | KeptPart], names: set[str]
    ) -> Iterator[Chunk | Part]:
        """What is not there; of the parts that are, the counts."""
        for piece in pieces:
            if isinstance(piece, Chunk):
                self._unread.append(piece.unread)
                yield piece
                continue
            names.add(piece.name)
            if isinstance(piece, Part):
                yield piece
                continue
            self._unread.append(piece.unread)
            self.report.rows += piece.rows
            self.report.failed += piece.failed
            self.report.empty += piece.empty
            self.report.kept += piece.with_vector
            self.report.parts_kept += 1
            self._progress(self.report)

    def _make(self, pieces: Iterable[Chunk | Part]) -> None:
        """Write parts, with the next chunks already under way."""
        waiting: deque[Claimed | Part] = deque()
        writer = TargetWriter(
            self._target,
            leaves_out_errors=self._errors == "file",
            id=self._stage.columns.id,
        )
        with _closed(writer.close), _closed(self._close):
            for piece in pieces:
                waiting.append(piece if isinstance(piece, Part) else self._embedder().start(piece))
                del piece  # a chunk is let go of as soon as it is settled
                while waiting and self._is_ready(waiting):
                    self._settle(waiting.popleft(), writer)
            while waiting:
                self._settle(waiting.popleft(), writer)
            writer.flush()
            self.report.parts_written = writer.written

    def _close(self) -> None:
        """Begin nothing more."""
        if self._embedding is not None:
            self._embedding.close()

    def _is_ready(self, waiting: Sequence[Claimed | Part]) -> bool:
        """Whether what waits longest is finished now: enough is under way behind it."""
        claimed = [one for one in waiting if isinstance(one, Claimed)]
        return isinstance(waiting[0], Part) or self._embedder().has_enough(claimed)

    def _embedder(self) -> Embedding:
        """Made when the first part is not there: a finished job reads no digests."""
        if self._embedding is None:
            target = self._target
            self._embedding = Embedding(self._engine, self._stage, target.vectors(), target.journal)
        return self._embedding

    def _settle(self, one: Claimed | Part, writer: TargetWriter) -> None:
        """Wait for a chunk's vectors, and hand it to the writer; or let it finish a part."""
        if isinstance(one, Part):
            if not one.rows:
                writer.write(self._schema(self._source.schema, None).empty_table(), {})
            writer.finish(one.name)
            return
        chunk = one.chunk
        settled = self._embedder().finish(one)
        rows = settled.rows
        if rows.errors and not self._first_error:
            self._first_error = self._first_bad(chunk, rows)
        if rows.errors and self._errors == "fail":
            raise RowError(
                self._first_error,
                hint="errors='column' keeps such errors in a column, errors='file' in a file. "
                "What is paid for is kept in the journal.",
            )
        counts = self._count(settled, chunk)
        schema = self._schema(chunk.table.schema, rows.vectors.shape[1] or None)
        writer.write(attach(chunk.table, schema, rows, chunk.digests, chunk.present), counts)
        self.report.parts_written = writer.written
        self._count_cost()
        self._progress(self.report)

    def _count(self, settled: Settled, chunk: Chunk) -> dict[str, int]:
        """Add a chunk to the report; what the part says about it."""
        rows, report = settled.rows, self.report
        with_vector, failed = int(rows.has_vector.sum()), len(rows.errors)
        empty = chunk.table.num_rows - with_vector - failed
        report.rows += chunk.table.num_rows
        report.embedded += settled.embedded
        report.kept += settled.kept
        report.repeated += with_vector - settled.embedded - settled.kept
        report.empty += empty
        report.failed += failed
        report.truncated += int(rows.truncated.sum())
        return {FAILED: failed, EMPTY: empty, MAY_PASS: settled.may_pass}

    def _count_cost(self) -> None:
        """What was paid for so far, also that of rows which are not settled yet."""
        paid, report = self._embedder().paid, self.report
        report.requests = paid.requests
        report.tokens, report.images = paid.usage.tokens, paid.usage.images
        report.estimated = paid.usage.estimated

    def _schema(self, source: pa.Schema, width: int | None) -> pa.Schema:
        width = width or self._stage.embedder.dimensions
        return output_schema(source, self._stage.columns, self._stage.provenance, width)

    def _first_bad(self, chunk: Chunk, rows: Embedded) -> str:
        """The first row of a chunk that has an error, and that error."""
        row = min(rows.errors)
        column = self._stage.columns.id
        ids = [] if column is None else id_values(chunk.table.column(column).slice(row, 1))
        named = f" ({column}: {ids[0]!r})" if ids else ""
        return f"Row {chunk.start + row}{named} cannot be embedded: {rows.errors[row]}"

    def _no_row_error(self) -> RowError:
        return RowError(
            f"No row of {self.report.failed} can be embedded, and {short_path(self._target.folder)} "
            f"holds vectors: it stays as it is. {self._first_error}",
            hint="If the files of these rows are away, run it again when they are back; else "
            "delete the target or name another.",
        )


@contextmanager
def _closed(close: Callable[[], None]) -> Iterator[None]:
    """Close something at the end; if the job has an error, that of closing does not hide it."""
    try:
        yield
    except BaseException:
        with suppress(Exception):
            close()
        raise
    close()
