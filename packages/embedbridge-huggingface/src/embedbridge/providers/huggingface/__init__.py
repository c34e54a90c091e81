"""Models of the Hugging Face Hub and of local folders, through sentence-transformers."""

from typing import TYPE_CHECKING

from embedbridge.contract.lazy import lazy_exports

if TYPE_CHECKING:
    from embedbridge.providers.huggingface.model import HuggingFaceModel as HuggingFaceModel
    from embedbridge.providers.huggingface.options import HuggingFaceOptions as HuggingFaceOptions

# Lazy: discovery imports this package on its way to `plugin`, and must not pay for NumPy.
__getattr__, __dir__, __all__ = lazy_exports(
    __name__, {"model": ["HuggingFaceModel"], "options": ["HuggingFaceOptions"]}
)
