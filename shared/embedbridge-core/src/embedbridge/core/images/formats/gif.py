"""GIF, and the first frame of an animated one.

Source: GIF89a Specification, https://www.w3.org/Graphics/GIF/spec-gif89a.txt.
"""

from __future__ import annotations

import struct

from embedbridge.core.images.formats.still import Still, broken, truncated

SIGNATURES = (b"GIF87a", b"GIF89a")
EXTENSION, FRAME, TRAILER = 0x21, 0x2C, 0x3B
GRAPHIC_CONTROL = 0xF9
MAX_EXTENSIONS = 10_000


def read_gif(data: bytes) -> Still:
    """The first frame of a GIF file, on a screen that holds all of it."""
    width, height, packed = struct.unpack_from("<HHB", data, 6)
    place = colours_end = 13 + _table_size(packed)
    control = b""
    for _ in range(MAX_EXTENSIONS):
        kind = data[place]
        if kind == FRAME:
            break
        if kind != EXTENSION:
            raise broken("GIF", "it has no frame")
        end = _after_blocks(data, place + 2)
        if data[place + 1] == GRAPHIC_CONTROL:
            control = data[place:end]
        place = end
    else:
        raise broken("GIF", f"it has more than {MAX_EXTENSIONS} extensions")
    left, top, wide, high, flags = struct.unpack_from("<HHHHB", data, place + 1)
    end = _after_blocks(data, place + 10 + _table_size(flags) + 1)
    size = (max(width, left + wide), max(height, top + high))
    if max(size) > 0xFFFF:
        raise broken("GIF", "its frame lies outside of every screen")
    screen = struct.pack("<HH", *size)
    file = b"".join(
        [data[:6], screen, data[10:colours_end], control, data[place:end], bytes([TRAILER])]
    )
    return Still(format="GIF", size=size, file=file)


def _table_size(packed: int) -> int:
    """Bytes of the colour table that the flags announce."""
    return 3 * 2 ** ((packed & 7) + 1) if packed & 0x80 else 0


def _after_blocks(data: bytes, place: int) -> int:
    """Where a chain of data blocks ends: after the one that is empty."""
    while True:
        if place >= len(data):
            raise truncated("GIF")
        length = data[place]
        place += 1 + length
        if not length:
            return place
