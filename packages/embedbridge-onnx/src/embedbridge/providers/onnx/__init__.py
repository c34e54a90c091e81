"""Models of texts and CLIP as ONNX files, through onnxruntime: no torch, and one model is included."""

from typing import TYPE_CHECKING

from embedbridge.contract.lazy import lazy_exports

if TYPE_CHECKING:
    from embedbridge.providers.onnx.model import OnnxModel as OnnxModel
    from embedbridge.providers.onnx.options import OnnxOptions as OnnxOptions

# Lazy loading: discovery imports this package on its way to plugin.py, which must stay light.
__getattr__, __dir__, __all__ = lazy_exports(
    __name__, {"model": ["OnnxModel"], "options": ["OnnxOptions"]}
)
