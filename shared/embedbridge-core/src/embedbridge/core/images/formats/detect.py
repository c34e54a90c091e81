"""Format detection by magic bytes; the name of a file does not count."""

from __future__ import annotations

import re

from embedbridge.core.images.formats.gif import SIGNATURES as GIF
from embedbridge.core.images.formats.jpeg import SIGNATURE as JPEG
from embedbridge.core.images.formats.png import SIGNATURE as PNG
from embedbridge.core.images.formats.tiff import SIGNATURES as TIFF

AVIF_BRANDS = {b"avif", b"avis"}
HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1"}

REFUSED = {
    b"%!PS": "EPS",
    b"\xc5\xd0\xd3\xc6": "EPS",
    b"%PDF": "PDF",
    b"8BPS": "PSD",
    b"\0\0\0\x0cjP  \r\n\x87\n": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"\0\0\0\x0cJXL \r\n\x87\n": "JPEG XL",
    b"\xff\x0a": "JPEG XL",
    b"\0\0\x01\0": "ICO",
    b"icns": "ICNS",
    b"qoif": "QOI",
    b"DDS ": "DDS",
    b"gimp xcf": "XCF",
    b"\xd7\xcd\xc6\x9a": "WMF",
    b"v/1\x01": "OpenEXR",
    b"PK\x03\x04": "ZIP",
    b"\x1f\x8b": "gzip",
    b"{": "JSON",
}
TEXT = re.compile(rb"[\t\n\r\x20-\x7e\x80-\xff]+\Z")


def detect(data: bytes) -> str | None:
    """Pillow's name of an allowed format, or `None`."""
    if data.startswith(PNG):
        return "PNG"
    if data.startswith(JPEG):
        return "JPEG"
    if data.startswith(GIF):
        return "GIF"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    if data.startswith(TIFF):
        return "TIFF"
    if data.startswith(b"BM"):
        return "BMP"
    return "AVIF" if _brands(data) & AVIF_BRANDS else None


def named(data: bytes) -> str:
    """What a file that is not allowed seems to be, for a message."""
    head = data[:512]
    if _brands(head) & HEIC_BRANDS:
        return "HEIC"
    if _brands(head):
        return "a film"
    for magic, name in REFUSED.items():
        if head.startswith(magic):
            return name
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if b"<svg" in text:
        return "SVG"
    if text.startswith((b"<!doctype html", b"<html")):
        return "HTML"
    if re.match(rb"p[1-7]\s", text):
        return "PNM"
    return "text" if TEXT.match(head) else "unknown data"


def _brands(data: bytes) -> set[bytes]:
    """What an ISO media file says it is."""
    if data[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(data[:4]), 256)
    return {data[8:12], *(data[offset : offset + 4] for offset in range(16, end - 3, 4))}
