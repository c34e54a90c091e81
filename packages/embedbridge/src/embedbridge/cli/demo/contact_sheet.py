"""Contact sheet: one picture of many, a row for each question and what was found."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import PIL.Image
    import PIL.ImageDraw

SIDE = 96
"""Of a small picture, in pixels."""
GAP = 12
LABEL = 190
"""Width of what is asked."""
HEADING = 34
RIGHT, WRONG = "#1a9850", "#bdbdbd"
FRAME = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A question and its answers."""

    asked: str | PIL.Image.Image
    """In words, or by a picture."""
    answers: Sequence[Sequence[tuple[PIL.Image.Image, bool]]]
    """For each column the pictures found, the best one first, and whether they are right."""


def contact_sheet(columns: Sequence[str], rows: Sequence[Row]) -> PIL.Image.Image:
    """All rows under each other; a right answer has a green frame.

    Args:
        columns: What stands above the answers: who gave them.
        rows: As many answers per column in each.
    """
    from PIL import Image, ImageDraw

    most = max(len(found) for row in rows for found in row.answers)
    width_of_column = most * (SIDE + GAP) + GAP
    size = (LABEL + len(columns) * width_of_column, HEADING + len(rows) * (SIDE + GAP) + GAP)
    sheet = Image.new("RGB", size, "white")
    drawing = ImageDraw.Draw(sheet)
    for number, name in enumerate(columns):
        _write(drawing, LABEL + number * width_of_column, GAP, name)
    for line, row in enumerate(rows):
        top = HEADING + line * (SIDE + GAP)
        if isinstance(row.asked, str):
            _write(drawing, GAP, top + GAP, "\n".join(textwrap.wrap(row.asked, 22)))
        else:
            sheet.paste(_small(row.asked), (GAP, top))
        for number, found in enumerate(row.answers):
            for rank, (picture, is_right) in enumerate(found):
                left = LABEL + number * width_of_column + rank * (SIDE + GAP)
                box = (left - FRAME, top - FRAME, left + SIDE + FRAME - 1, top + SIDE + FRAME - 1)
                drawing.rectangle(box, RIGHT if is_right else WRONG)
                sheet.paste(_small(picture), (left, top))
    return sheet


def _small(picture: PIL.Image.Image) -> PIL.Image.Image:
    return picture.convert("RGB").resize((SIDE, SIDE))


def _write(drawing: PIL.ImageDraw.ImageDraw, left: int, top: int, text: str) -> None:
    from PIL import ImageFont

    drawing.text((left, top), text, "black", font=ImageFont.load_default(14))
