"""Metadata stripping: from an image file to a file of its first picture alone.

Everything but pixels is left out before Pillow sees the file: colour profiles, comments, EXIF, XMP,
thumbnails and further frames. Decompression bombs hide there, decoders differ there, and there a
photo says where it was taken.

GIF, BMP, TIFF and AVIF are never sent to a server, and are read here all the same. With Pillow alone
a GIF of small comments takes 650 MB, run lengths of a BMP are decoded in Python, missing strips of a
TIFF are black and its broken tags warn, and an AVIF of broken EXIF data does not open.
"""

from embedbridge.core.images.formats.read import read_stripped
from embedbridge.core.images.formats.stripped import StrippedImage

__all__ = ["StrippedImage", "read_stripped"]
