"""Models behind Text Embeddings Inference, the server of Hugging Face."""

from typing import TYPE_CHECKING

from embedbridge.contract.lazy import lazy_exports

if TYPE_CHECKING:
    from embedbridge.providers.tei.model import TeiModel as TeiModel
    from embedbridge.providers.tei.options import TeiOptions as TeiOptions

# Lazy loading: discovery imports this package on its way to plugin.py, which must stay light.
__getattr__, __dir__, __all__ = lazy_exports(
    __name__, {"model": ["TeiModel"], "options": ["TeiOptions"]}
)
