"""Two requests, field by field. Pictures are compared by their pixels: codecs differ in their bytes."""

from __future__ import annotations

import base64
import binascii
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import PIL.Image

from .short import Json
from .vendor import ABSENT, Absent, Difference

NEAR = 24
"""How far a lossy codec may move a channel of a pixel, of 255."""
IMAGE_IN_BASE64 = ("/9j/", "R0lGOD", "UklGR", "iVBORw")
"""How JPEG, GIF, WebP and PNG files begin."""

Pair: TypeAlias = tuple[object, object]


@dataclass(frozen=True, eq=False)
class Pixels:
    """What can be seen in a picture; equal to another that a lossy codec made of it."""

    channels: np.ndarray

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Pixels)
            and self.channels.shape == other.channels.shape
            and int(np.abs(self.channels - other.channels).max()) <= NEAR
        )

    __hash__ = None  # type: ignore[assignment]  # nearness is not transitive


def fields(request: Json) -> dict[str, object]:
    """Every field by its name, for example `body.input[0]` or `headers.accept`."""
    return dict(_leaves("", request))


def unequal(theirs: Json, ours: Json) -> dict[str, Pair]:
    """The fields in which two requests differ: what the SDK sends, and what we send."""
    left, right = fields(theirs), fields(ours)
    pairs = {name: (left.get(name, ABSENT), right.get(name, ABSENT)) for name in [*left, *right]}
    # 1 is not True, and not 1.0, in JSON.
    return {name: (a, b) for name, (a, b) in pairs.items() if type(a) is not type(b) or a != b}


def explains(difference: Difference, name: str, pair: Pair) -> bool:
    """Whether it is this field with these values."""
    wanted = (difference.theirs, difference.ours)
    return difference.field == re.sub(r"\[\d+\]", "[]", name) and all(
        value is ... or (type(value) is type(found) and value == found)
        for value, found in zip(wanted, pair, strict=True)
    )


def _leaves(name: str, value: Json) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(f"{name}.{key}" if name else key, inner)
    elif isinstance(value, list) and value:
        for number, inner in enumerate(value):
            yield from _leaves(f"{name}[{number}]", inner)
    elif isinstance(value, str) and (picture := _picture(value)):
        head, media_type, pixels = picture
        yield f"{name} as", head
        yield f"{name} media type", media_type
        yield f"{name} pixels", pixels
    else:
        yield name, value


def _picture(text: str) -> tuple[str, str | Absent, Pixels] | None:
    """How a picture is written, what type it is said to be, and its pixels; `None` for other texts."""
    said: str | Absent = ABSENT
    how, data = "base64", text
    if url := re.fullmatch(r"data:(image/\w+);base64,(.+)", text):
        how, said, data = "data URL", url[1], url[2]
    elif not text.startswith(IMAGE_IN_BASE64):
        return None
    try:
        file = base64.b64decode(data, validate=True)
    except binascii.Error:
        return None
    pixels = np.asarray(PIL.Image.open(io.BytesIO(file)).convert("RGB"), dtype=np.int16)
    return how, said, Pixels(pixels)
