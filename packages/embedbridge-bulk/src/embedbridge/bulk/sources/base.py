"""The source protocol: a schema, and tables of rows in an order that is the same each time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pyarrow as pa

    from embedbridge.bulk.errors import SourceError


class Source(Protocol):
    """Where the rows of a job come from."""

    @property
    def schema(self) -> pa.Schema:
        """Of all tables."""

    @property
    def paths(self) -> Sequence[str]:
        """The files of this machine that it reads."""

    @property
    def damaged(self) -> list[SourceError]:
        """What could not be read so far; the other rows come all the same."""

    def tables(self) -> Iterator[pa.Table]:
        """The rows, some at a time."""

    def count(self) -> int | None:
        """How many rows there are, if that costs next to nothing."""
