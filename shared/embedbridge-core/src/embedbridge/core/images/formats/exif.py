"""EXIF orientation: the one tag that changes how the pixels are seen."""

from __future__ import annotations

import struct

ORIENTATION = 0x0112
BYTE, SHORT, LONG = 1, 3, 4
MARK = b"Exif\0\0"


def exif_orientation(exif: bytes) -> int:
    """EXIF orientation, 1–8; 1 where the data says nothing that can be read.

    Args:
        exif: A TIFF header and its directory, with or without the mark that JPEG puts in front.

    Source: EXIF 3.0 (CIPA DC-008), section 4.6.5.1.6.
    """
    exif = exif.removeprefix(MARK)
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return 1
    try:
        (first,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, first)
        for offset in range(first + 2, first + 2 + 12 * count, 12):
            tag, kind = struct.unpack_from(f"{order}HH", exif, offset)
            if tag == ORIENTATION:
                form = {BYTE: "B", SHORT: "H", LONG: "I"}[kind]
                return valid_orientation(struct.unpack_from(order + form, exif, offset + 8)[0])
    except (struct.error, KeyError):
        pass
    return 1


def valid_orientation(value: object) -> int:
    """The value if it is an orientation, else 1: as it is."""
    return value if isinstance(value, int) and 1 <= value <= 8 else 1
