"""TIFF and BigTIFF, the first page.

Source: TIFF Revision 6.0 (Adobe), section 2 and 8; https://www.awaresystems.be/imaging/tiff/bigtiff.html.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from embedbridge.core.images.formats.exif import ORIENTATION, valid_orientation
from embedbridge.core.images.formats.stripped import StrippedImage, broken, truncated

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
WIDTH, HEIGHT = 256, 257
SAMPLES, PLANAR, APART = 277, 284, 2
STRIPS, STRIP_ROWS = 273, 278
TILES, TILE_WIDTH, TILE_HEIGHT = 324, 322, 323
SINGLE = {WIDTH, HEIGHT, ORIENTATION, SAMPLES, PLANAR, STRIP_ROWS, TILE_WIDTH, TILE_HEIGHT}
ALONE = {
    WIDTH, HEIGHT, STRIP_ROWS, SAMPLES, PLANAR, TILE_WIDTH, TILE_HEIGHT,
    259,  # compression
    262,  # what the samples stand for
    266,  # order of the bits
    292, 293,  # fax options
    317,  # predictor
    332,  # inks
    512, 513, 514, 515,  # JPEG in TIFF, the old way
    531,  # where YCbCr lies
}  # fmt: skip
LISTS = {
    STRIPS, 279,  # and their lengths
    TILES, 325,  # likewise
    258,  # bits per sample
    320,  # palette
    338, 339,  # extra samples, number format
    347,  # tables of JPEG in TIFF
    519, 520, 521,  # the same, the old way
    529, 530, 532,  # YCbCr
}  # fmt: skip
SIZES = {
    1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4,
    16: 8, 17: 8, 18: 8,
}  # fmt: skip
"""Bytes of one value, by field type."""
SHORT, LONG, LONG8 = 3, 4, 16
MAX_SAMPLES = 6  # as Pillow has it
MAX_VALUES = 100_000
"""Numbers under one tag: the strips of a page, or the entries of a palette."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """How a directory is written: the classic or the big way."""

    order: str
    big: bool

    @property
    def count(self) -> struct.Struct:
        return struct.Struct(self.order + ("Q" if self.big else "H"))

    @property
    def entry(self) -> struct.Struct:
        return struct.Struct(self.order + ("HHQ8s" if self.big else "HHI4s"))

    @property
    def offset(self) -> struct.Struct:
        return struct.Struct(self.order + ("Q" if self.big else "I"))


def read_tiff(data: bytes) -> StrippedImage:
    """The first page of a TIFF file, its directory cut down to what makes pixels."""
    layout = _Layout("<" if data[:2] == b"II" else ">", data[2:4] in (b"+\0", b"\0+"))
    (first,) = layout.offset.unpack_from(data, 8 if layout.big else 4)
    (count,) = layout.count.unpack_from(data, first)
    begin, step = first + layout.count.size, layout.entry.size
    if begin + count * step > len(data):
        raise truncated("TIFF")
    kept: list[bytes] = []
    numbers: dict[int, int] = {}
    counts: dict[int, int] = {}
    for offset in range(begin, begin + count * step, step):
        tag, kind, values, field = layout.entry.unpack_from(data, offset)
        if tag in SINGLE:
            numbers[tag] = _number(layout, kind, field)
        if tag in ALONE and values != 1:
            raise broken("TIFF", f"tag {tag} has {values} values")
        if tag in ALONE or tag in LISTS:
            _check(data, layout, kind, values, field)
            counts[tag] = values
            kept.append(data[offset : offset + step])
    _check_pieces(numbers, counts)
    file = bytearray(data)
    layout.count.pack_into(file, first, len(kept))
    end = begin + len(kept) * step
    file[begin:end] = b"".join(kept)
    file[end : end + layout.offset.size] = bytes(layout.offset.size)  # there is no second page
    return StrippedImage(
        format="TIFF",
        size=(numbers.get(WIDTH, 0), numbers.get(HEIGHT, 0)),
        file=bytes(file),
        orientation=valid_orientation(numbers.get(ORIENTATION, 1)),
    )


def _number(layout: _Layout, kind: int, field: bytes) -> int:
    form = {SHORT: "H", LONG: "I", LONG8: "Q"}.get(kind)
    if form is None or struct.calcsize(form) > len(field):
        raise broken("TIFF", "its size is no number")
    number: int = struct.unpack_from(layout.order + form, field)[0]
    return number


def _check_pieces(numbers: Mapping[int, int], counts: Mapping[int, int]) -> None:
    """Whether there are as many strips or tiles as the page takes: Pillow leaves the rest black."""
    width, height = numbers.get(WIDTH, 0), numbers.get(HEIGHT, 0)
    planes = numbers.get(SAMPLES, 1) if numbers.get(PLANAR) == APART else 1
    if TILES in counts:
        wide, high = numbers.get(TILE_WIDTH, 0), numbers.get(TILE_HEIGHT, 0)
    else:
        wide, high = width, min(numbers.get(STRIP_ROWS, height), height)
    if numbers.get(SAMPLES, 1) > MAX_SAMPLES:
        raise broken("TIFF", f"a pixel has {numbers[SAMPLES]} samples")
    if not (width and height):
        return  # the rules refuse it
    if not (wide and high):
        raise broken("TIFF", "its pieces have no size")
    needed = ceil(width / wide) * ceil(height / high) * planes
    if counts.get(TILES, counts.get(STRIPS, 0)) < needed:
        raise truncated("TIFF")


def _check(data: bytes, layout: _Layout, kind: int, values: int, field: bytes) -> None:
    """Whether a tag's values are few, and in the file."""
    if values > MAX_VALUES:
        raise broken("TIFF", f"a tag has {values} values")
    length = SIZES.get(kind, 1) * values
    if length > len(field) and layout.offset.unpack(field)[0] + length > len(data):
        raise truncated("TIFF")
