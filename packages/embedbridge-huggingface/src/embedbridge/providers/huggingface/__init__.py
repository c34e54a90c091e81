"""Models of the Hugging Face Hub and of local folders, through sentence-transformers."""

from typing import TYPE_CHECKING

from embedbridge.contract.lazy import lazy_exports

if TYPE_CHECKING:
    from embedbridge.providers.huggingface.model import HuggingFaceModel as HuggingFaceModel
    from embedbridge.providers.huggingface.options import HuggingFaceOptions as HuggingFaceOptions

# Lazy loading: discovery imports this package on its way to plugin.py, which must stay light.
__getattr__, __dir__, __all__ = lazy_exports(
    __name__, {"model": ["HuggingFaceModel"], "options": ["HuggingFaceOptions"]}
)
