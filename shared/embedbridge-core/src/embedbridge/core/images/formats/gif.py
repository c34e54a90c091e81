"""GIF, and the first frame of an animated one.

Source: GIF89a Specification, https://www.w3.org/Graphics/GIF/spec-gif89a.txt.
"""

from __future__ import annotations

import struct

from embedbridge.core.images.formats.stripped import StrippedImage, broken, truncated

SIGNATURES = (b"GIF87a", b"GIF89a")
EXTENSION, FRAME, TRAILER = 0x21, 0x2C, 0x3B
GRAPHIC_CONTROL = 0xF9
MAX_EXTENSIONS = 10_000


def read_gif(data: bytes) -> StrippedImage:
    """The first frame of a GIF file, on a screen that holds all of it."""
    width, height, packed = struct.unpack_from("<HHB", data, 6)
    offset = colours_end = 13 + _table_size(packed)
    control = b""
    for _ in range(MAX_EXTENSIONS):
        kind = data[offset]
        if kind == FRAME:
            break
        if kind != EXTENSION:
            raise broken("GIF", "it has no frame")
        end = _after_blocks(data, offset + 2)
        if data[offset + 1] == GRAPHIC_CONTROL:
            control = data[offset:end]
        offset = end
    else:
        raise broken("GIF", f"it has more than {MAX_EXTENSIONS} extensions")
    left, top, wide, high, flags = struct.unpack_from("<HHHHB", data, offset + 1)
    end = _after_blocks(data, offset + 10 + _table_size(flags) + 1)
    size = (max(width, left + wide), max(height, top + high))
    if max(size) > 0xFFFF:
        raise broken("GIF", "its frame lies outside of every screen")
    screen = struct.pack("<HH", *size)
    file = b"".join(
        [data[:6], screen, data[10:colours_end], control, data[offset:end], bytes([TRAILER])]
    )
    return StrippedImage(format="GIF", size=size, file=file)


def _table_size(packed: int) -> int:
    """Bytes of the colour table that the flags announce."""
    return 3 * 2 ** ((packed & 7) + 1) if packed & 0x80 else 0


def _after_blocks(data: bytes, offset: int) -> int:
    """Where a chain of data blocks ends: after the one that is empty."""
    while True:
        if offset >= len(data):
            raise truncated("GIF")
        length = data[offset]
        offset += 1 + length
        if not length:
            return offset
