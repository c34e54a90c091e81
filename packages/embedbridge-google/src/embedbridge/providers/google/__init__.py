"""Google's embedding models of texts, images, and both together: Gemini API and Vertex AI."""

from typing import TYPE_CHECKING

from embedbridge.contract.lazy import lazy_exports

if TYPE_CHECKING:
    from embedbridge.providers.google.model import GoogleModel as GoogleModel
    from embedbridge.providers.google.options import VertexOptions as VertexOptions
    from embedbridge.providers.google.vertex import VertexModel as VertexModel

# Lazy loading: discovery imports this package on its way to plugin.py, which must stay light.
__getattr__, __dir__, __all__ = lazy_exports(
    __name__, {"model": ["GoogleModel"], "options": ["VertexOptions"], "vertex": ["VertexModel"]}
)
