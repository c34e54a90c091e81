"""JPEG, and the first picture of a multi-picture file.

Source: ITU-T T.81, annex B; Adobe Technical Note 5116 for the APP14 marker.
"""

from __future__ import annotations

import re
import struct

from embedbridge.core.images.formats.exif import MARK, exif_orientation
from embedbridge.core.images.formats.stripped import StrippedImage, broken, truncated

SIGNATURE = b"\xff\xd8\xff"
START_OF_FRAME = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
TABLES = {0xC4, 0xCC, 0xDB, 0xDD}
START_OF_SCAN, END_OF_IMAGE = 0xDA, 0xD9
EXIF = 0xE1
ALONE = {0x01, *range(0xD0, 0xD8)}
MAX_SEGMENTS = 10_000
MAX_SCANS = 100  # each one goes over the whole picture, however few bytes it has

NEXT_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")


def read_jpeg(data: bytes) -> StrippedImage:
    """The first picture of a JPEG file."""
    parts: list[bytes | memoryview] = [b"\xff\xd8"]
    view = memoryview(data)
    size, orientation, scans, offset = None, None, 0, 2
    ending = b""
    for _ in range(MAX_SEGMENTS):
        if scans:  # entropy-coded data runs to the next marker
            found = NEXT_MARKER.search(data, offset)
            if found is None:
                # Some cameras write no end marker. Whether all pixels are there is known only when
                # they are decoded: no marker is added, so that the decoder misses what is missing.
                parts.append(view[offset:])
                break
            parts.append(view[offset : found.start()])
            offset = found.start()
        while data[offset : offset + 2] == b"\xff\xff":  # fill bytes
            offset += 1
        mark, kind = struct.unpack_from("BB", data, offset)
        if mark != 0xFF:
            raise broken("JPEG", "a marker is missing")
        if kind == END_OF_IMAGE:
            ending = b"\xff\xd9"
            break
        if kind in ALONE:
            offset += 2
            continue
        (length,) = struct.unpack_from(">H", data, offset + 2)
        end = offset + 2 + length
        if length < 2:
            raise broken("JPEG", "a segment has no length")
        if end > len(data):
            raise truncated("JPEG")
        body = data[offset + 4 : end]
        if kind in START_OF_FRAME:
            if size is not None:
                raise broken("JPEG", "it has two headers")
            height, width = struct.unpack_from(">HH", body, 1)
            size = (width, height)
        elif kind == START_OF_SCAN:
            scans += 1
            if scans > MAX_SCANS:
                raise broken("JPEG", f"it has more than {MAX_SCANS} scans")
        elif kind == EXIF and orientation is None and body.startswith(MARK):
            orientation = exif_orientation(body)
        if kind in START_OF_FRAME | TABLES | {START_OF_SCAN} or _tells_colours(kind, body):
            parts.append(view[offset:end])
        offset = end
    else:
        raise broken("JPEG", f"it has more than {MAX_SEGMENTS} segments")
    if size is None or not scans:
        raise broken("JPEG", "it has no picture")
    return StrippedImage(
        format="JPEG",
        size=size,
        file=b"".join([*parts, ending]),
        orientation=orientation or 1,
        media_type="image/jpeg" if ending else None,  # other decoders may want the marker
    )


def _tells_colours(kind: int, body: bytes) -> bool:
    """Whether decoders read from this segment what the components stand for."""
    return (kind == 0xE0 and body.startswith(b"JFIF\0")) or (
        kind == 0xEE and body.startswith(b"Adobe")
    )
