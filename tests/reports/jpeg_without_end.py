"""A camera's JPEG has all its pixels but no end marker, or bytes of the maker behind the picture.

rroller/dahua#658, TwelveMonkeys#1054, libyami#801, Pillow#2038.
Right: bytes behind the end marker change nothing. Without the marker but with all pixels: either the
picture (as Pillow and browsers show it), or a typed error that names the file; never a crash or another picture.
"""

import io
import sys

import numpy as np
from PIL import Image as Pillow

from embedbridge.contract import Image, InvalidImageError
from embedbridge.core.images.decode import open_image
from embedbridge.core.images.rules import ImageRules

noise = np.random.default_rng(7).integers(0, 255, (64, 96, 3), dtype=np.uint8)
buffer = io.BytesIO()
Pillow.fromarray(noise).save(buffer, "JPEG", quality=90)
whole = buffer.getvalue()
assert whole.endswith(b"\xff\xd9")


def pixels(data):
    return np.asarray(open_image(Image.from_bytes(data), ImageRules()).decode().pixels)


want = pixels(whole)
assert np.array_equal(pixels(whole + b"dhav\x59\x19\x01\x00"), want), "bytes behind the end marker"
assert np.array_equal(pixels(whole + bytes(5000)), want), "zeros behind the end marker"
result = []
for name, data in (
    ("no end marker", whole[:-2]),
    ("no end marker, zeros of the last block", whole[:-2] + bytes(64)),
    ("maker's bytes in its place", whole[:-2] + b"dhav\x59\x19\x01\x00"),
):
    theirs = Pillow.open(io.BytesIO(data))
    try:
        theirs.load()
        pillow = "same picture" if np.array_equal(np.asarray(theirs), want) else "another picture"
    except OSError as error:
        pillow = f"OSError {error}"
    try:
        got = pixels(data)
        ours = "same picture" if np.array_equal(got, want) else f"another picture, {np.abs(got.astype(int) - want).max()}"
    except InvalidImageError as error:
        ours = f"{type(error).__name__}: {error}"
    result.append((name, pillow, ours))
    print(f"{name}: Pillow: {pillow}; ours: {ours}")
bad = [name for name, _, ours in result if ours != "same picture" and "truncated" not in ours]
strict = [name for name, pillow, ours in result if pillow == "same picture" and ours != "same picture"]
print("bytes behind the end: the same picture; shown by Pillow and refused in words here:", "; ".join(strict) if strict else "none")
sys.exit(bool(bad))
