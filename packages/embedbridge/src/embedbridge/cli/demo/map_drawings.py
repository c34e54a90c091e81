"""Rendering of the map: as a PNG, and in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedbridge.cli.demo.labels import Box, place

if TYPE_CHECKING:
    import PIL.Image

    from embedbridge.cli.demo.text_map import Mark, TextMap

WIDTH, HEIGHT = 1000, 640
"""Of the picture, in pixels."""
RADIUS = 7
PASSAGE, QUESTION, LINE, TEXT = "#2166ac", "#d6604d", "#f4a582", "#222222"
ROWS = 20
"""Of the map in the terminal."""
DOT, ASKED = "●", "?"


def picture_of(drawn: TextMap, title: str) -> PIL.Image.Image:
    """The map as a picture: blue passages, red questions, and a line from each to its answer.

    Args:
        drawn: What is on it.
        title: What stands above it.
    """
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(15)
    picture = Image.new("RGB", (WIDTH, HEIGHT), "white")
    drawing = ImageDraw.Draw(picture)
    drawing.text((16, 12), title, TEXT, font=font)
    canvas = Box(10, 40, WIDTH - 10, HEIGHT - 10)
    centres = [_scaled(mark, canvas, margin=RADIUS) for mark in drawn.marks]
    for question, answer in drawn.lines:
        drawing.line((centres[question], centres[answer]), LINE, width=3)
    dots = [Box(x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS) for x, y in centres]
    for mark, dot in zip(drawn.marks, dots, strict=True):
        colour = QUESTION if mark.is_question else PASSAGE
        drawing.ellipse((dot.left, dot.top, dot.right, dot.bottom), colour)
    sizes = [
        None if mark.name is None else (int(font.getlength(mark.name)) + 1, 20)
        for mark in drawn.marks
    ]
    for mark, label in zip(drawn.marks, place(dots, sizes, canvas, 5), strict=True):
        if label is not None and mark.name is not None:
            colour = QUESTION if mark.is_question else TEXT
            drawing.text((label.left, label.top), mark.name, colour, font=font)
    return picture


def lines_of(drawn: TextMap, width: int) -> list[str]:
    """The map as lines of text: a dot for each passage, a question mark for each question.

    Args:
        drawn: What is on it.
        width: Of each line, in cells.
    """
    from rich.cells import cell_len

    canvas = Box(0, 0, width, ROWS)
    cells = [_scaled(mark, canvas) for mark in drawn.marks]
    dots = [Box(x, y, x + 1, y + 1) for x, y in cells]
    # Wide characters take two cells: such a name is left out rather than put awry.
    sizes = [
        (len(mark.name), 1) if mark.name and cell_len(mark.name) == len(mark.name) else None
        for mark in drawn.marks
    ]
    grid = [[" "] * width for _ in range(ROWS)]
    for mark, label in zip(drawn.marks, place(dots, sizes, canvas, 1), strict=True):
        if label is not None and mark.name is not None:
            grid[label.top][label.left : label.right] = mark.name
    for mark, (x, y) in zip(drawn.marks, cells, strict=True):  # questions last, so on top
        grid[y][x] = ASKED if mark.is_question else DOT
    return ["".join(row).rstrip() for row in grid]


def _scaled(mark: Mark, canvas: Box, margin: int = 0) -> tuple[int, int]:
    """The pixel or cell of a mark."""
    x = canvas.left + margin + round(mark.x * (canvas.right - canvas.left - 1 - 2 * margin))
    y = canvas.top + margin + round(mark.y * (canvas.bottom - canvas.top - 1 - 2 * margin))
    return x, y
