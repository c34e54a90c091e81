"""Jina's embedding models of texts, images, and both together."""

from typing import TYPE_CHECKING

from embedbridge.contract.lazy import lazy_exports

if TYPE_CHECKING:
    from embedbridge.providers.jina.model import JinaModel as JinaModel
    from embedbridge.providers.jina.options import JinaOptions as JinaOptions

# Lazy loading: discovery imports this package on its way to plugin.py, which must stay light.
__getattr__, __dir__, __all__ = lazy_exports(
    __name__, {"model": ["JinaModel"], "options": ["JinaOptions"]}
)
