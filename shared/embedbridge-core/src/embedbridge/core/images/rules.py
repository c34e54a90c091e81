"""Limits for images: bytes, pixels, shortest side, and whether URLs are fetched."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from embedbridge.contract.errors import InvalidImageError

if TYPE_CHECKING:
    from embedbridge.contract.card import Limits

MAX_IMAGE_BYTES = 20_000_000
MAX_IMAGE_PIXELS = 50_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRules:
    """Checked before an image is decoded: a bomb of a few bytes would fill the memory."""

    max_bytes: int = MAX_IMAGE_BYTES
    """Encoded bytes per image."""
    max_pixels: int = MAX_IMAGE_PIXELS
    """Width times height per image, read from its header."""
    min_side: int = 1
    """Pixels that width and height must have at least."""
    allow_urls: bool | tuple[str, ...] = False
    """Whether image URLs are fetched: never, from any public host, or from these hosts only.

    `"example.org"` is exactly this host, on ports 80 and 443 of a public address. With its port,
    `"10.0.0.7:8080"` or `"pictures.intranet:443"`, its address may be private or this machine's.
    """

    def within(self, limits: Limits) -> ImageRules:
        """These rules, and no larger image than a model takes."""
        return replace(
            self,
            max_bytes=min(self.max_bytes, limits.max_bytes_per_image or self.max_bytes),
            max_pixels=min(self.max_pixels, limits.max_pixels_per_image or self.max_pixels),
        )


def urls_are_off() -> InvalidImageError:
    """The error for a URL where none is allowed."""
    return InvalidImageError(
        "Image URLs are not fetched.", hint="Set allow_urls=True, or name hosts there."
    )
