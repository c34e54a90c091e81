"""PNG, and the default picture of an animated one.

Source: PNG Specification, Third Edition, https://www.w3.org/TR/png-3/.
"""

from __future__ import annotations

import struct
import zlib

from embedbridge.contract.errors import InvalidImageError
from embedbridge.core.images.formats.exif import exif_orientation
from embedbridge.core.images.formats.stripped import StrippedImage, broken, truncated

SIGNATURE = b"\x89PNG\r\n\x1a\n"
KEPT = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
MAX_CHUNKS = 100_000
GREY, COLOUR = 0, 2


def read_png(data: bytes) -> StrippedImage:
    """The picture in a PNG file's IDAT chunks."""
    view = memoryview(data)
    parts = [SIGNATURE]
    orientation, offset, name = 1, len(SIGNATURE), b""
    for _ in range(MAX_CHUNKS):
        (length,) = struct.unpack_from(">I", data, offset)
        name, end = data[offset + 4 : offset + 8], offset + 12 + length
        if end > len(data):
            raise truncated("PNG")
        if name in KEPT:
            if zlib.crc32(view[offset + 4 : end - 4]) != int.from_bytes(view[end - 4 : end]):
                raise broken("PNG", "a checksum is wrong")
            chunk = data[offset:end]
            parts.append(_transparent(chunk, *data[24:26]) if name == b"tRNS" else chunk)
        elif name == b"eXIf":
            orientation = exif_orientation(data[offset + 8 : end - 4])
        offset = end
        if name == b"IEND":
            break
    else:
        raise broken("PNG", f"it has more than {MAX_CHUNKS} chunks")
    if data[12:16] != b"IHDR":
        raise broken("PNG", "it has no header")
    width, height, depth = struct.unpack_from(">IIB", data, 16)
    return StrippedImage(
        format="PNG",
        size=(width, height),
        file=b"".join(parts),
        orientation=orientation,
        media_type=None if depth == 16 else "image/png",
    )


def _transparent(chunk: bytes, depth: int, kind: int) -> bytes:
    """The chunk that names a transparent colour, in the numbers that Pillow compares it with."""
    if kind == COLOUR and depth == 16:
        raise InvalidImageError(
            "The PNG file has a transparent colour of 16 bits, which is not supported.",
            hint="Save it with an alpha channel.",
        )
    if kind != GREY or depth not in (2, 4) or len(chunk) != 14:
        return chunk
    # The pixels will be scaled to 8 bits, this number would not.
    level = (int.from_bytes(chunk[8:10]) & (1 << depth) - 1) * 255 // ((1 << depth) - 1)
    body = b"tRNS" + struct.pack(">H", level)
    return struct.pack(">I", 2) + body + struct.pack(">I", zlib.crc32(body))
