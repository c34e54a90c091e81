"""Systematic sample of a job's contents: every n-th, whatever the order and the number of the rows.

A source may be sorted, by length or by language: a sample of its beginning says nothing of its end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from embedbridge.bulk.contents import Contents
    from embedbridge.contract import Input


class Sample:
    """Every n-th of the contents that are passed; n doubles when there would be too many.

    Args:
        most: How many it holds at most; it ends with more than half as many, if there were enough.
    """

    def __init__(self, most: int) -> None:
        self.inputs: list[Input] = []
        self._most = most
        self._step = 1
        self._passed = 0

    def add(self, contents: Contents, rows: NDArray[np.intp]) -> None:
        """Pass the contents of these rows; few of them are kept."""
        passed = self._passed + len(rows)
        while passed > self._most * self._step:
            self._step *= 2
            self.inputs = self.inputs[::2]
        first = -self._passed % self._step
        self.inputs += contents.inputs(rows[first :: self._step])
        self._passed = passed
