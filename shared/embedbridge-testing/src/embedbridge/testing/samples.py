"""Tiny images made in code: no binary files, no download, no imaging library."""

from __future__ import annotations

import struct
import zlib

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
TRUECOLOUR = 2


def tiny_png(red: int = 255, green: int = 0, blue: int = 0, *, size: int = 2) -> bytes:
    """A PNG file of one colour, `size` × `size` pixels, 8 bits per channel.

    Source: PNG Specification, Third Edition, https://www.w3.org/TR/png-3/.
    """
    header = struct.pack(">IIBBBBB", size, size, 8, TRUECOLOUR, 0, 0, 0)
    row = b"\0" + bytes((red, green, blue)) * size  # filter type 0: the pixels as they are
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(row * size)), (b"IEND", b""))
    return PNG_SIGNATURE + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(name + data))
    return struct.pack(">I", len(data)) + name + data + checksum
