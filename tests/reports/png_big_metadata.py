"""A small PNG whose colour profile or text unpacks to more than 1 MB.

Pillow#2445 and #8363, STAMP#76, LlamaFactory#6300: "Decompressed data too large".
Right: the picture; metadata has no say.
"""

import io
import struct
import sys
import zlib

import numpy as np
from PIL import Image as Pillow

from embedbridge.contract import Image
from embedbridge.core.images.decode import open_image
from embedbridge.core.images.rules import ImageRules


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


noise = np.random.default_rng(7).integers(0, 255, (23, 23, 3), dtype=np.uint8)
buffer = io.BytesIO()
Pillow.fromarray(noise).save(buffer, "PNG")
data = buffer.getvalue()
head, rest = data[:33], data[33:]
big = zlib.compress(bytes(3_000_000))
for extra in (chunk(b"iCCP", b"profile\0\0" + big), chunk(b"zTXt", b"comment\0\0" + big), chunk(b"iTXt", b"xml\0\1\0\0\0" + big)):
    odd = head + extra + rest
    try:
        Pillow.open(io.BytesIO(odd)).load()
        theirs = "reads it"
    except Exception as error:
        theirs = f"{type(error).__name__}: {error}"
    got = np.asarray(open_image(Image.from_bytes(odd), ImageRules()).decode().pixels)
    assert np.array_equal(got, noise)
    print(extra[4:8].decode(), "ours: the picture; Pillow:", theirs)
print("the picture, 3 of 3")
sys.exit(0)
