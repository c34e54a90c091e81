"""Images from outside: fetched behind an SSRF guard, checked by their header, decoded safely."""

from typing import TYPE_CHECKING

from embedbridge.contract.lazy import lazy_exports

if TYPE_CHECKING:
    from embedbridge.core.images.decode import open_image as open_image
    from embedbridge.core.images.decode_pool import decode_all as decode_all
    from embedbridge.core.images.decode_pool import is_fetched as is_fetched
    from embedbridge.core.images.decode_pool import open_within as open_within

# Lazy: most jobs are texts, and need no decoder.
__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {"decode": ["open_image"], "decode_pool": ["decode_all", "is_fetched", "open_within"]},
)
