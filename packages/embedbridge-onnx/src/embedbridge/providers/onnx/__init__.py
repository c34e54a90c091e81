"""Models of texts and CLIP as ONNX files, through onnxruntime: no torch, and one model is included."""

from typing import TYPE_CHECKING

from embedbridge.contract.lazy import lazy_exports

if TYPE_CHECKING:
    from embedbridge.providers.onnx.model import OnnxModel as OnnxModel
    from embedbridge.providers.onnx.options import OnnxOptions as OnnxOptions

# Lazy: discovery imports this package on its way to `plugin`, and must not pay for NumPy.
__getattr__, __dir__, __all__ = lazy_exports(
    __name__, {"model": ["OnnxModel"], "options": ["OnnxOptions"]}
)
