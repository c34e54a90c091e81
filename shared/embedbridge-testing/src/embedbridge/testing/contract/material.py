"""Test data of the contract suite: texts of many kinds, pictures made in code, and a server's faults."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from embedbridge.testing import faults

if TYPE_CHECKING:
    import PIL.Image

TEXTS = (
    "A cat sat on the mat.",
    "The mitochondrion is the powerhouse of the cell, as every pupil learns.",
    "no",
    "SELECT name FROM users WHERE id = 7;",
    "Ein Satz auf Deutsch, mit Umlauten: äöüß.",
    "Ein Satz auf Deutsch, mit Umlauten: .",  # what is left where only ASCII is read
    "A long one. " * 40,
    "42",
    "line one\nline two\n\n\tand a tab",
)
"""Different texts of mixed length."""

PLANES = {
    "Latin-1 and combining marks": "naïve café, e\u0301 and a\u030a",
    "Cyrillic and Greek": "Привет, κόσμε",
    "Arabic and Hebrew, right to left": "مرحبا שלום",
    "Chinese, Japanese, Korean": "你好 こんにちは 안녕하세요",
    "private use": "\ue000\uf8ff",
    "emoji with joiners (plane 1)": "👩‍👩‍👧‍👦 🏳️‍🌈",
    "ideographs of plane 2": "𠀀𠀁 𪜀",
    "ideographs of plane 3": "𰀀𰀁",
    "tags of plane 14": "flag \U000e0067\U000e0062\U000e007f",
    "private use of planes 15 and 16": "\U000f0000 \U0010fffd",
    "NUL and controls": "a\x00b\x07c",
    "white space around": "  two spaces, and a newline\n",
    "special tokens of tokenizers": "[CLS] </s> <|endoftext|> <pad> [MASK]",
    "format strings and markup": "{0} %s ${HOME} {{x}} <b>&amp;</b> \\n",
}
"""One text of every kind that is likely to be spoilt on its way."""

FIRST_WORDS = ("alpha", "green", "house", "seven", "river", "stone", "cloud", "music")


def words(count: int, last: str = "end") -> str:
    """A text of so many words; texts of one length differ in the last word only."""
    body = [FIRST_WORDS[number % len(FIRST_WORDS)] for number in range(count - 1)]
    return " ".join([*body, last])


def numbered(count: int) -> list[str]:
    """Different texts of the same length."""
    return [f"text number {number:05d}" for number in range(count)]


def picture(
    seed: int = 0, *, size: tuple[int, int] = (48, 32), mode: str = "RGB"
) -> PIL.Image.Image:
    """A picture of four coloured fields; another seed gives other colours."""
    from PIL import Image

    image = Image.new("RGB", size)
    width, height = max(1, size[0] // 2), max(1, size[1] // 2)
    for number in range(4):
        hue = (seed * 67 + number * 90) % 360
        left, top = width * (number % 2), height * (number // 2)
        image.paste(_colour(hue), (left, top, left + width, top + height))
    return image.convert(mode)


def png(image: PIL.Image.Image) -> bytes:
    """The picture as a PNG file."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _colour(hue: int) -> tuple[int, int, int]:
    import colorsys

    red, green, blue = colorsys.hls_to_rgb(hue / 360, 0.5, 0.9)
    return round(red * 255), round(green * 255), round(blue * 255)


def without(texts: Sequence[str], index: int) -> list[str]:
    """All of the texts but one."""
    return [text for number, text in enumerate(texts) if number != index]


PASSING = {
    "429, with the seconds to wait": faults.rate_limited(retry_after="0.01"),
    "500": faults.status(500),
    "503": faults.status(503),
    "connection reset": faults.reset_before(),
    "connection reset in the middle": faults.reset_mid_body(),
    "half of the JSON": faults.truncated_json(),
    "a page for people": faults.captive_portal(),
    "an empty body": faults.empty_body(),
    "an error with status 200": faults.error_with_200(),
}
"""Faults of a server that pass: the same request, made again, is answered."""
WRONG = {
    "first vector missing": faults.first_missing(),
    "last vector missing": faults.last_missing(),
    "one vector too many": faults.one_extra(),
    "one vector half as wide": faults.wrong_width(),
    "NaN": faults.not_a_number(),
    "infinity": faults.infinite(),
    "no vectors": faults.no_rows(),
    "null for the list": faults.null_rows(),
}
"""Answers that are not one finite vector for each input."""
