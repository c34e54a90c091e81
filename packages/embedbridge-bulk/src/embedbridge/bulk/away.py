"""Image files that are away for now, such as half of a share: their vectors leave the target, not the journal.

A row whose file cannot be read has an error, and the vector that it had would be lost: it is found by
the bytes of the file. When the file is back, the next job takes it from the journal.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from embedbridge.bulk.columns import OUTPUT
from embedbridge.bulk.contents import Contents

if TYPE_CHECKING:
    from embedbridge.bulk.columns import Columns
    from embedbridge.bulk.contents import Digests
    from embedbridge.bulk.targets.base import Target

VECTOR, ERROR, TRUNCATED, DIGEST = OUTPUT


def keep_for_later(
    target: Target, columns: Columns, names: Collection[str], unread: Digests
) -> int:
    """Journal the vectors that leave a target with rows whose image files cannot be read now.

    To be called before parts leave. A target that does not keep the columns that are embedded does
    not tell which these are: they are lost.

    Args:
        target: It is open.
        columns: Which are embedded.
        names: Of the parts that stay, or come.
        unread: The digests that the rows have now.

    Returns:
        How many there are.
    """
    wanted = {one.tobytes() for one in unread}
    count = 0
    for table in target.leaving(names, [*columns.embedded, *OUTPUT]):
        has_vector = pc.and_(pc.is_valid(table.column(DIGEST)), pc.is_null(table.column(ERROR)))
        rows = table.filter(has_vector)
        contents = Contents(rows, columns)
        digests = contents.digests_if_unread()
        at = [one.tobytes() in wanted for one in digests]
        found = rows.filter(pa.array(contents.present)).filter(pa.array(at, pa.bool_()))
        if found.num_rows:
            _journal(target, found)
            count += found.num_rows
    return count


def _journal(target: Target, rows: pa.Table) -> None:
    digests = b"".join(rows.column(DIGEST).to_pylist())
    vectors = rows.column(VECTOR).combine_chunks().flatten().to_numpy(zero_copy_only=False)
    target.journal.append(
        np.frombuffer(digests, np.uint64).reshape(-1, 2),
        vectors.reshape(rows.num_rows, -1),
        np.asarray(rows.column(TRUNCATED)),
    )
