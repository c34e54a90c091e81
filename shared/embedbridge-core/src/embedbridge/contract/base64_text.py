"""Base64 in the forms that are in use: MIME's lines (RFC 2045), URL-safe, unpadded (RFC 4648)."""

from __future__ import annotations

import base64
import re

from embedbridge.contract.errors import InvalidImageError, short_repr

LINE_BREAK = re.compile(rb"[ \t]*[\r\n]+[ \t]*")
STANDARD = bytes.maketrans(b"-_", b"+/")
FOREIGN = re.compile(rb"[^A-Za-z0-9+/]")


def decode_base64(text: str | bytes) -> bytes:
    """The bytes that a text in base64 stands for.

    Raises:
        InvalidImageError: It is none, or not all of it; the message says what stands in the way.
    """
    if isinstance(text, bytes | bytearray | memoryview):
        data = bytes(text)
    elif isinstance(text, str):
        data = text.encode("utf-8", "surrogatepass")
    else:
        raise InvalidImageError(
            f"Not valid base64: {type(text).__name__}.", hint="Pass a str, or the bytes of one."
        )
    letters = LINE_BREAK.sub(b"", data.strip()).translate(STANDARD)
    body = letters.rstrip(b"=")
    if foreign := FOREIGN.search(body):
        raise _refused(data, body, foreign.start())
    padded = len(letters) != len(body)
    if len(body) % 4 == 1 or (padded and (len(letters) % 4 or len(letters) - len(body) > 2)):
        raise InvalidImageError(
            f"Not valid base64: {len(letters)} characters are no whole number of bytes.",
            hint="Check that the text is complete.",
        )
    return base64.b64decode(body + b"=" * (-len(body) % 4))


def _refused(data: bytes, body: bytes, offset: int) -> InvalidImageError:
    """What stands in the way, in words; never more of the text than a few characters."""
    if data[:5].lower() == b"data:":
        return InvalidImageError(
            "Not valid base64: it is a data URL.", hint="Use Image.from_data_url."
        )
    if body[:2] in (b"b'", b'b"'):
        return InvalidImageError(
            "Not valid base64: it is the repr of bytes.", hint="Call .decode() instead of str()."
        )
    character = body[offset:].decode("utf-8", "replace")[0]
    if character == " ":  # to drop it would be another picture
        return InvalidImageError(
            f"Not valid base64: a space at character {offset}, where a form of the web had a +.",
            hint="Put + in place of the spaces, or send it as JSON.",
        )
    if character == "=":
        return InvalidImageError(
            f"Not valid base64: padding before its end, at character {offset}.",
            hint="Decode each part by itself.",
        )
    return InvalidImageError(
        f"Not valid base64: {short_repr(character)} at character {offset}, of {len(data)}.",
        hint="Only letters, digits, + and / (or - and _), line breaks, and = at the end.",
    )
