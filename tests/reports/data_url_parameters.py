"""Data URLs with parameters (RFC 2397), base64 in lines of 76 (MIME, Android's Base64.DEFAULT), URL-safe
or without padding; upper case.

vllm#48973, OmniBot#360, xinference#5434.
Right: the picture, or a typed error that says what is odd about the base64.
"""

import base64
import io
import sys

import numpy as np
from PIL import Image as Pillow

from embedbridge.contract import Image, InvalidImageError
from embedbridge.core.images.decode import open_image
from embedbridge.core.images.rules import ImageRules

noise = np.random.default_rng(7).integers(0, 255, (17, 19, 3), dtype=np.uint8)
buffer = io.BytesIO()
Pillow.fromarray(noise).save(buffer, "PNG")
data = buffer.getvalue()
plain = base64.b64encode(data).decode()
lines = base64.encodebytes(data).decode()
crlf = lines.replace("\n", "\r\n")
safe = base64.urlsafe_b64encode(data).decode()
URLS = {
    "plain": f"data:image/png;base64,{plain}",
    "charset": f"data:image/png;charset=utf-8;base64,{plain}",
    "two parameters": f"data:image/png;name=a.png;charset=utf-8;base64,{plain}",
    "upper case": f"DATA:IMAGE/PNG;BASE64,{plain}",
    "line breaks": f"data:image/png;base64,{lines}",
    "CRLF": f"data:image/png;base64,{crlf}",
    "trailing newline": f"data:image/png;base64,{plain}\n",
    "space in front": f"data:image/png;base64, {plain}",
    "no padding": f"data:image/png;base64,{plain.rstrip('=')}",
    "URL-safe": f"data:image/png;base64,{safe}",
    "percent-encoded": "data:image/png;base64," + plain.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D"),
    "octet-stream": f"data:application/octet-stream;base64,{plain}",
    "no type": f"data:;base64,{plain}",
}
unclear = []
for name, url in URLS.items():
    try:
        got = np.asarray(open_image(Image.from_data_url(url), ImageRules()).decode().pixels)
        assert np.array_equal(got, noise), name
        print(name, "ok")
    except InvalidImageError as error:
        print(f"{name}: {error}")
        if name in ("charset", "two parameters", "upper case", "plain"):
            unclear.append(name)
        elif "break" not in str(error).lower() and "white" not in str(error).lower() and name in ("line breaks", "CRLF", "trailing newline"):
            unclear.append(name)
print("refused without the reason:", ", ".join(unclear) if unclear else "none")
sys.exit(bool(unclear))
