"""Progress bar of a bulk job: rows, tokens and cost so far, and the time that is left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from embedbridge.bulk import Report


class JobProgress:
    """A tqdm bar on stderr that follows the report of a job; it appears with the first."""

    _bar: Any = None

    def __call__(self, report: Report) -> None:
        """Show how far it is."""
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(total=report.total, desc="Embedding", unit=" rows", unit_scale=True)
        facts = {"tokens": f"{report.tokens:,}"}
        if report.cost is not None:
            facts["cost"] = f"{report.cost:.2f}"
        if report.failed:
            facts["failed"] = f"{report.failed:,}"
        self._bar.set_postfix(facts, refresh=False)
        self._bar.update(report.rows - self._bar.n)

    def close(self) -> None:
        """Leave the bar as it is."""
        if self._bar is not None:
            self._bar.close()
