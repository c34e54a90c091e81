"""BMP, the Windows bitmap.

Source: Microsoft, Bitmap Header Types, https://learn.microsoft.com/windows/win32/gdi/bitmap-header-types.
"""

from __future__ import annotations

import struct

from embedbridge.contract.errors import InvalidImageError
from embedbridge.core.images.formats.stripped import StrippedImage

CORE_HEADER = 12
RUN_LENGTH = {1, 2}
MAX_RUN_LENGTH_BYTES = 1_000_000  # Pillow decodes it in Python, run by run


def read_bmp(data: bytes) -> StrippedImage:
    """The picture of a BMP file."""
    (header,) = struct.unpack_from("<I", data, 14)
    if header == CORE_HEADER:
        width, height = struct.unpack_from("<HH", data, 18)
    else:
        width, height, _, _, compression = struct.unpack_from("<iiHHI", data, 18)
        if compression in RUN_LENGTH and len(data) > MAX_RUN_LENGTH_BYTES:
            raise InvalidImageError(
                f"The BMP file has {len(data)} bytes of run lengths.", hint="Save it as PNG."
            )
    return StrippedImage(format="BMP", size=(width, abs(height)), file=data)
