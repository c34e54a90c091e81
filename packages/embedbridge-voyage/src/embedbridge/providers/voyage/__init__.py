"""Voyage AI's embedding models of texts, images, and both together."""

from typing import TYPE_CHECKING

from embedbridge.contract.lazy import lazy_exports

if TYPE_CHECKING:
    from embedbridge.providers.voyage.model import VoyageModel as VoyageModel
    from embedbridge.providers.voyage.options import VoyageOptions as VoyageOptions

# Lazy loading: discovery imports this package on its way to plugin.py, which must stay light.
__getattr__, __dir__, __all__ = lazy_exports(
    __name__, {"model": ["VoyageModel"], "options": ["VoyageOptions"]}
)
