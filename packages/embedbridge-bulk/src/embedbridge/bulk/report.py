"""Report of a job: counts that add up to its rows, and what it cost."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True, kw_only=True)
class Report:
    """What became of the rows of a source.

    `rows` is the sum of `embedded`, `repeated`, `kept`, `empty` and `failed`.
    """

    total: int | None = None
    """Rows that there will be, where the source says so without being read."""
    rows: int = 0
    """Rows of the source so far."""
    embedded: int = 0
    """Rows whose content the model embedded."""
    repeated: int = 0
    """Rows with the content of another row: not paid again."""
    kept: int = 0
    """Rows whose vector was there, in the target or in the journal."""
    empty: int = 0
    """Rows without a content: a null, or an empty text that is skipped."""
    failed: int = 0
    """Rows that have an error instead of a vector."""
    truncated: int = 0
    """Rows whose text was longer than the model reads, of those that were written."""
    parts_kept: int = 0
    """Files of the target that are as they were."""
    parts_written: int = 0
    """Files that were written."""
    requests: int = 0
    """Calls made to the model, retries included."""
    tokens: int = 0
    """Tokens that were embedded."""
    images: int = 0
    """Images that were embedded."""
    estimated: bool = False
    """Whether some tokens are an estimate, because the model reported none."""
    seconds: float = 0.0
    """Wall time."""
    price: float | None = None
    """Per million tokens."""

    @property
    def has_only_failures(self) -> bool:
        """Whether no row has a vector, and not only because all are empty."""
        return bool(self.failed) and self.failed + self.empty == self.rows

    @property
    def cost(self) -> float | None:
        """What the tokens cost, if a price was given."""
        return None if self.price is None else self.tokens * self.price / 1_000_000
