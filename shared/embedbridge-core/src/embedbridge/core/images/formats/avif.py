"""AVIF, the primary picture.

Source: AV1 Image File Format, https://aomediacodec.github.io/av1-avif/; ISO/IEC 23008-12.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

from embedbridge.contract.errors import InvalidImageError
from embedbridge.core.images.formats.exif import exif_orientation
from embedbridge.core.images.formats.stripped import StrippedImage, broken

MAX_BOXES = 10_000
METADATA = {b"Exif", b"mime"}
UNKNOWN = b"skip"


def read_avif(data: bytes) -> StrippedImage:
    """The primary picture of an AVIF file.

    Its own rotation counts (`irot`, `imir`), not that of its EXIF data: so the format wants it.
    """
    try:
        from PIL.AvifImagePlugin import SUPPORTED, AvifImageFile
    except ImportError:
        supported = False
    else:
        supported = SUPPORTED
    if not supported:
        raise InvalidImageError(
            "The installed Pillow does not decode AVIF.", hint="Use Pillow 11.3 or newer, or PNG."
        )
    file = _without_metadata(data)
    with AvifImageFile(io.BytesIO(file)) as picture:
        orientation = exif_orientation(picture.info.get("exif", b""))
        return StrippedImage(format="AVIF", size=picture.size, file=file, orientation=orientation)


def _without_metadata(data: bytes) -> bytes:
    """The same file with its EXIF and XMP items renamed, so that no decoder reads them."""
    file = bytearray(data)
    for offset in _item_types(data):
        if data[offset : offset + 4] in METADATA:
            file[offset : offset + 4] = UNKNOWN
    return bytes(file)


def _item_types(data: bytes) -> Iterator[int]:
    """The offsets of the item types in the file."""
    for name, meta, end in _boxes(data, 0, len(data)):
        if name != b"meta":
            continue
        for inner, items, stop in _boxes(data, meta + 4, end):
            if inner != b"iinf":
                continue
            first = items + (8 if data[items] else 6)  # the count has 4 bytes or 2
            for entry, begin, _ in _boxes(data, first, stop):
                if entry == b"infe":
                    yield begin + (10 if data[begin] == 3 else 8)  # and so has the item's number


def _boxes(data: bytes, offset: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, begin and end of what is in each box."""
    for _ in range(MAX_BOXES):
        if offset + 8 > end:
            return
        length, name = int.from_bytes(data[offset : offset + 4]), data[offset + 4 : offset + 8]
        begin = offset + 8
        if length == 1:
            length, begin = int.from_bytes(data[begin : begin + 8]), begin + 8
        stop = end if length == 0 else offset + length
        if stop < begin or stop > end:
            raise broken("AVIF", "a box has a wrong length")
        yield name, begin, stop
        offset = stop
    raise broken("AVIF", f"it has more than {MAX_BOXES} boxes")
