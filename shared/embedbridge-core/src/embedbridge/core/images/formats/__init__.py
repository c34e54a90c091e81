"""Which picture of an image file is decoded, and a file of that picture alone.

Everything that is not pixels is left out before Pillow sees the file: colour profiles, comments,
EXIF, XMP, thumbnails and further frames. That is where bombs hide, where decoders differ and where
a photo says whose home it shows.
"""

from embedbridge.core.images.formats.read import read_still
from embedbridge.core.images.formats.still import Still

__all__ = ["Still", "read_still"]
