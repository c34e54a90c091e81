"""WebP, and the first frame of an animated one.

Source: WebP Container Specification, RFC 9649.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from embedbridge.core.images.formats.exif import exif_orientation
from embedbridge.core.images.formats.stripped import StrippedImage, broken, truncated

LOSSY, LOSSLESS, EXTENDED, FRAME = b"VP8 ", b"VP8L", b"VP8X", b"ANMF"
KEPT = {LOSSY, LOSSLESS, b"ALPH", b"ANIM"}
PROFILE, EXIF, XMP = 0x20, 0x08, 0x04  # flags of the extended header
MAX_CHUNKS = 10_000


def read_webp(data: bytes) -> StrippedImage:
    """The picture of a WebP file, or its first frame on the whole canvas."""
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data):
        raise truncated("WebP")
    size, orientation, frames = None, 1, 0
    kept: list[bytes] = []
    for name, body in _chunks(data, 12, end):
        if size is None:
            size = _size(name, body)
        if name == EXTENDED:
            kept.append(_chunk(name, bytes([body[0] & ~(PROFILE | EXIF | XMP)]) + body[1:]))
        elif name in KEPT or (name == FRAME and not frames):
            frames += name == FRAME
            kept.append(_chunk(name, body))
        elif name == b"EXIF":
            orientation = exif_orientation(body)
    if size is None:
        raise broken("WebP", "it has no picture")
    file = b"WEBP" + b"".join(kept)
    return StrippedImage(
        format="WEBP",
        size=size,
        file=b"RIFF" + struct.pack("<I", len(file)) + file,
        orientation=orientation,
        media_type=None if frames else "image/webp",
    )


def _chunks(data: bytes, offset: int, end: int) -> Iterator[tuple[bytes, bytes]]:
    for _ in range(MAX_CHUNKS):
        if offset >= end:
            return
        name, length = (
            data[offset : offset + 4],
            int.from_bytes(data[offset + 4 : offset + 8], "little"),
        )
        if offset + 8 + length > end:
            raise truncated("WebP")
        yield name, data[offset + 8 : offset + 8 + length]
        offset += 8 + length + length % 2  # chunks begin at even places
    raise broken("WebP", f"it has more than {MAX_CHUNKS} chunks")


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def _size(name: bytes, body: bytes) -> tuple[int, int]:
    if name == EXTENDED and len(body) >= 10:
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if name == LOSSLESS and len(body) >= 5 and body[0] == 0x2F:
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if name == LOSSY and body[3:6] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", body, 6)
        return width & 0x3FFF, height & 0x3FFF
    raise broken("WebP", "it does not begin with a picture")
