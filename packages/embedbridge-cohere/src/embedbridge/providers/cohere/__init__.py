"""Cohere's embedding models of texts, images, and both together."""

from typing import TYPE_CHECKING

from embedbridge.contract.lazy import lazy_exports

if TYPE_CHECKING:
    from embedbridge.providers.cohere.model import CohereModel as CohereModel
    from embedbridge.providers.cohere.options import CohereOptions as CohereOptions

# Lazy loading: discovery imports this package on its way to plugin.py, which must stay light.
__getattr__, __dir__, __all__ = lazy_exports(
    __name__, {"model": ["CohereModel"], "options": ["CohereOptions"]}
)
