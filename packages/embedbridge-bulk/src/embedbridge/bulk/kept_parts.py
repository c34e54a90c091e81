"""Incremental build: parts that are in the target under their own name are kept, and not made again.

The job and its dry run share this: what one skips, the other does not count.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from embedbridge.bulk.contents import NONE
from embedbridge.bulk.reading import Chunk, Part, partitioned
from embedbridge.bulk.targets.parts import EMPTY, FAILED

if TYPE_CHECKING:
    import pyarrow as pa

    from embedbridge.bulk.contents import Digests
    from embedbridge.bulk.reading import Sizes
    from embedbridge.bulk.stage import EmbedStage
    from embedbridge.bulk.targets.parts import StoredPart


@dataclass(frozen=True, slots=True, eq=False)
class KeptPart:
    """A part that stays as it is, by the counts that it has of its rows."""

    name: str
    rows: int
    failed: int
    empty: int
    unread: Digests
    """Of rows whose image file cannot be read."""

    @property
    def with_vector(self) -> int:
        """Rows whose vector is there."""
        return self.rows - self.failed - self.empty


def pieces_to_make(
    tables: Iterable[pa.Table],
    stage: EmbedStage,
    sizes: Sizes,
    *,
    errors: str,
    limit: int | None,
    stored: Iterable[StoredPart],
) -> Iterator[Chunk | Part | KeptPart]:
    """The chunks of a source that are embedded, each part after its own; of the others, what is kept.

    Where a part may be there, its chunks wait until its name tells.

    Args:
        tables: The rows.
        stage: How they are embedded.
        sizes: How large chunks and parts are.
        errors: What a bad row does.
        limit: Rows at most.
        stored: The parts that are there.
    """
    # All that decides what a part holds, beside its rows, is in its name.
    head = {**stage.provenance.described(), **stage.policies, "errors": errors}
    usable = {part.name: part for part in stored}
    numbers = {part.number for part in usable.values()}
    waiting: deque[Chunk] = deque()
    for piece in partitioned(tables, stage.columns, sizes, head, limit):
        if isinstance(piece, Chunk):
            if piece.part in numbers:
                waiting.append(piece)
            else:
                yield piece
            continue
        there = usable.get(piece.name)
        if there is not None and there.is_final:
            unread = np.concatenate([NONE, *(chunk.unread for chunk in waiting)])
            waiting.clear()
            counts = there.count(FAILED), there.count(EMPTY)
            yield KeptPart(piece.name, piece.rows, *counts, unread)
            continue
        while waiting:
            yield waiting.popleft()
        yield piece
