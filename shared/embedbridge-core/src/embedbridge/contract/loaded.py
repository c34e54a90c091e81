"""Decoded inputs, as a model gets them: an image is upright, RGB, and safe to look at."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from embedbridge.contract.digests import mixed_digest, text_digest
from embedbridge.contract.errors import InvalidImageError

if TYPE_CHECKING:
    import numpy as np
    import PIL.Image
    from numpy.typing import NDArray

PNG = "image/png"
JPEG = "image/jpeg"
GOOD = {"quality": 95, "subsampling": 0}
"""How a JPEG is written where PNG is too large: a colour is 1 to 3 of 255 off, and none is averaged."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LoadedImage:
    """A decoded image. The same picture by any route has the same pixels.

    Its EXIF orientation is applied, its transparency is flattened on white, and of an animation it
    is the first frame.
    """

    pixels: PIL.Image.Image
    """Mode RGB, 8 bits per channel."""
    described: str
    """Where it came from, short enough for an error message."""
    file: bytes | None = None
    """The encoded file it came from, if any decoder finds exactly these pixels in it."""
    media_type: str | None = None
    """What `file` is, such as `image/jpeg`."""
    _digest: list[bytes] = field(default_factory=list, init=False, repr=False)
    """The digest once it was asked for."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.pixels.size

    def to_array(self) -> NDArray[np.uint8]:
        """The pixels: shape (height, width, 3), uint8."""
        import numpy as np

        return np.asarray(self.pixels)

    def encoded(
        self, media_types: Collection[str] = (PNG,), *, max_bytes: int | None = None
    ) -> tuple[bytes, str]:
        """An image file for a server, and its media type: the original where it takes it, else PNG.

        A PNG of a photograph has several times the bytes of its JPEG. Where that is too much for a
        server that takes JPEG, it gets one of high quality. No file holds anything but the picture: no
        EXIF data, no place where a photo was taken.

        Args:
            media_types: What the server takes.
            max_bytes: Bytes that it takes at most.

        Raises:
            InvalidImageError: The file would have more than `max_bytes`.
        """
        most = float("inf") if max_bytes is None else max_bytes
        file, media_type = self.file, self.media_type
        if file is not None and media_type in media_types and len(file) <= most:
            return file, str(media_type)
        data, media_type = _saved(self.pixels, "PNG"), PNG
        if len(data) > most and JPEG in media_types:
            data, media_type = _saved(self.pixels, "JPEG", **GOOD), JPEG
        if len(data) > most:
            raise InvalidImageError(
                f"The image takes {len(data)} bytes as {media_type}, more than {max_bytes}.",
                source=self.described,
                hint="Scale it down.",
            )
        return data, media_type

    def to_data_url(
        self, media_types: Collection[str] = (PNG,), *, max_bytes: int | None = None
    ) -> str:
        """The same as `encoded`, as a data URL (RFC 2397)."""
        data, media_type = self.encoded(media_types, max_bytes=max_bytes)
        return f"data:{media_type};base64,{base64.b64encode(data).decode()}"

    def digest(self) -> bytes:
        """SHA-256 of size and pixels: the same picture by any route has the same."""
        if not self._digest:  # asked for by the cache more than once, and not cheap
            total = hashlib.sha256(b"rgb\0%d\0%d\0" % self.size)
            total.update(self.pixels.tobytes())
            self._digest.append(total.digest())
        return self._digest[0]


def _saved(pixels: PIL.Image.Image, format_: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    pixels.save(buffer, format_, **options)
    return buffer.getvalue()


@dataclass(frozen=True, slots=True, eq=False)
class LoadedMixed:
    """Texts and decoded images in reading order, which become ONE vector."""

    parts: tuple[str | LoadedImage, ...]
    """In reading order."""

    def digest(self) -> bytes:
        """SHA-256 of the parts in their order."""
        return mixed_digest(map(loaded_digest, self.parts))


Loaded: TypeAlias = str | LoadedImage | LoadedMixed
"""An input as the model gets it; a text is a plain `str`."""


def loaded_digest(content: Loaded) -> bytes:
    """SHA-256 of an input as the model gets it."""
    return text_digest(content) if isinstance(content, str) else content.digest()
