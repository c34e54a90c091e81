"""Voyage AI's embedding models of texts, images, and both together."""

from typing import TYPE_CHECKING

from embedbridge.contract.lazy import lazy_exports

if TYPE_CHECKING:
    from embedbridge.providers.voyage.model import VoyageModel as VoyageModel
    from embedbridge.providers.voyage.options import VoyageOptions as VoyageOptions

# Lazy, because plugin.py stands beside: listing providers must import nothing else.
__getattr__, __dir__, __all__ = lazy_exports(
    __name__, {"model": ["VoyageModel"], "options": ["VoyageOptions"]}
)
