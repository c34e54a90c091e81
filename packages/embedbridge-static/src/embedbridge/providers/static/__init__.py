"""Static embeddings (sentence-transformers' StaticEmbedding, model2vec) with NumPy and tokenizers."""

from typing import TYPE_CHECKING

from embedbridge.contract.lazy import lazy_exports

if TYPE_CHECKING:
    from embedbridge.providers.static.model import StaticModel as StaticModel
    from embedbridge.providers.static.options import StaticOptions as StaticOptions

# Lazy loading: discovery imports this package on its way to plugin.py, which must stay light.
__getattr__, __dir__, __all__ = lazy_exports(
    __name__, {"model": ["StaticModel"], "options": ["StaticOptions"]}
)
