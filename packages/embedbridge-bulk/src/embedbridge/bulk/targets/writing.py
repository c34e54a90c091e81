"""Target writer: the parts of a target, one after the other, in a thread of its own behind a bounded queue.

With errors="file", rows that have an error go to a file of JSON lines instead of their part.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from embedbridge.bulk.columns import OUTPUT
from embedbridge.bulk.errors import cannot_write
from embedbridge.bulk.json_values import id_values, is_bytes, json_values
from embedbridge.contract.thread_pool import ThreadPool

if TYPE_CHECKING:
    from embedbridge.bulk.targets.base import Target
    from embedbridge.bulk.targets.parts import PartWriter

_, ERROR, _, _ = OUTPUT
WRITES_AHEAD = 2
"""Row groups that wait for the writer at most."""


class TargetWriter:
    """Writes the parts of a target.

    Args:
        target: Where they go.
        leaves_out_errors: Whether rows that have an error go to a file of their own.
        id: The column that names a row there.
    """

    written = 0
    """Parts that are in their place."""

    def __init__(
        self,
        target: Target,
        *,
        leaves_out_errors: bool,
        id: str | None,  # noqa: A002  # as `Columns` calls it
    ) -> None:
        self._target = target
        self._id = id
        self._leaves_out_errors = leaves_out_errors
        self._part: PartWriter | None = None
        self._left_out: list[str] = []
        self._waiting: deque[Future[None]] = deque()
        self._thread = ThreadPool(1, "embedbridge-bulk-writer")

    def write(self, table: pa.Table, counts: Mapping[str, int]) -> None:
        """Have rows written to the part that is open, or to a new one.

        Raises:
            TargetError: Earlier ones could not be written.
        """
        self._submit(self._write, table, counts)

    def finish(self, name: str) -> None:
        """Have the part that is open put in its place.

        Raises:
            TargetError: Earlier rows could not be written.
        """
        self._submit(self._finish, name)

    def flush(self) -> None:
        """Wait until all is written.

        Raises:
            TargetError: Something could not be.
        """
        while self._waiting:
            self._waiting.popleft().result()

    def close(self) -> None:
        """End the thread; a part that is not whole is none."""
        self._thread.shutdown()
        if self._part is not None:
            self._part.abort()

    def _submit(self, work: Callable[..., None], *arguments: Any) -> None:
        self._waiting.append(self._thread.submit(work, *arguments))
        while len(self._waiting) > WRITES_AHEAD:
            self._waiting.popleft().result()

    def _write(self, table: pa.Table, counts: Mapping[str, int]) -> None:
        with self._told():
            if self._part is None:
                self._part = self._target.new_part(table.schema)
            if self._leaves_out_errors:
                failed = pc.is_valid(table.column(ERROR))
                self._left_out += _lines(table.filter(failed), self._id)
                table = table.filter(pc.invert(failed))
            self._part.write(table, counts)

    def _finish(self, name: str) -> None:
        assert self._part is not None  # noqa: S101  # a part has a row group
        with self._told():
            if self._leaves_out_errors:
                self._target.leave_out(name, self._left_out)
            self._part.close(name)
        self._part, self._left_out = None, []
        self.written += 1

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as failure:
            raise cannot_write(self._target.folder, failure) from failure


def _lines(table: pa.Table, id: str | None) -> Iterator[str]:  # noqa: A002  # as above
    """A JSON object per row that failed: its kept columns, of bytes only the one that names it, and its error."""
    names = [
        field.name
        for field in table.schema
        if field.name not in OUTPUT and (field.name == id or not is_bytes(field.type))
    ]
    columns = [
        (id_values if name == id else json_values)(table.column(name)) for name in (*names, ERROR)
    ]
    for values in zip(*columns, strict=True):
        row = dict(zip((*names, ERROR), values, strict=True))
        yield json.dumps(row, ensure_ascii=False, default=str) + "\n"
