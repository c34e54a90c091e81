"""The writer protocol: what takes the vectors of `embedbridge embed`, one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from embedbridge.cli.embed.entry import Entry
    from embedbridge.contract.errors import EmbedBridgeError


class Writer(Protocol):
    """Takes vectors one by one, in order."""

    @property
    def rows(self) -> int:
        """How many inputs it has taken."""

    @property
    def vectors(self) -> int:
        """For how many of them it has a vector, and no error."""

    @property
    def holds_missing(self) -> bool:
        """Whether the format has a way to say that a vector is missing."""

    def write(self, entry: Entry, vector: NDArray[Any], error: EmbedBridgeError | None) -> None:
        """Take the vector of one input, shape (dimensions,); it is void if there is an error."""

    def close(self) -> None:
        """Make the file valid with what has been taken."""


class FormatWriter(Writer, Protocol):
    """A writer of one format, which is told how integers were made."""

    ranges: NDArray[np.float32] | None
    """Of int8: the lowest and the highest value of each dimension, shape (2, dimensions)."""
