"""NVIDIA's embedding models, hosted and as a NIM of one's own."""

from typing import TYPE_CHECKING

from embedbridge.contract.lazy import lazy_exports

if TYPE_CHECKING:
    from embedbridge.providers.nvidia.model import NvidiaModel as NvidiaModel
    from embedbridge.providers.nvidia.options import NvidiaOptions as NvidiaOptions

# Lazy loading: discovery imports this package on its way to plugin.py, which must stay light.
__getattr__, __dir__, __all__ = lazy_exports(
    __name__, {"model": ["NvidiaModel"], "options": ["NvidiaOptions"]}
)
