"""Label placement: a name beside each mark, where it covers nothing that stands there already."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle, in pixels or in cells; right and bottom are outside."""

    left: int
    top: int
    right: int
    bottom: int

    def overlaps(self, other: Box) -> bool:
        """Whether they have a pixel or cell in common."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )

    def holds(self, other: Box) -> bool:
        """Whether the other lies within."""
        return (
            self.left <= other.left
            and self.top <= other.top
            and other.right <= self.right
            and other.bottom <= self.bottom
        )


def place(
    marks: Sequence[Box], sizes: Sequence[tuple[int, int] | None], canvas: Box, gap: int
) -> list[Box | None]:
    """A place for each label: right of its mark, left, above or below it; `None` if all are taken.

    Args:
        marks: Where the marks are.
        sizes: Width and height of each mark's label; `None` for a mark without one.
        canvas: Where labels may be.
        gap: Between a mark and its label.
    """
    taken = list(marks)
    places: list[Box | None] = []
    for mark, size in zip(marks, sizes, strict=True):
        tried = _around(mark, size, gap, canvas) if size else ()
        free = (box for box in tried if canvas.holds(box) and not any(map(box.overlaps, taken)))
        found = next(free, None)
        places.append(found)
        if found is not None:
            taken.append(found)
    return places


def _around(mark: Box, size: tuple[int, int], gap: int, canvas: Box) -> Iterator[Box]:
    width, height = size
    middle = (mark.top + mark.bottom - height) // 2
    # Above and below, a label at the edge of the canvas is moved in.
    centred = (mark.left + mark.right - width) // 2
    centred = max(canvas.left, min(centred, canvas.right - width))
    for left, top in (
        (mark.right + gap, middle),
        (mark.left - gap - width, middle),
        (centred, mark.top - height),
        (centred, mark.bottom),
    ):
        yield Box(left, top, left + width, top + height)
