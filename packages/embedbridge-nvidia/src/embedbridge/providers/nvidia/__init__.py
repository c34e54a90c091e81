"""NVIDIA's embedding models, hosted and as a NIM of one's own."""

from typing import TYPE_CHECKING

from embedbridge.contract.lazy import lazy_exports

if TYPE_CHECKING:
    from embedbridge.providers.nvidia.model import NvidiaModel as NvidiaModel
    from embedbridge.providers.nvidia.options import NvidiaOptions as NvidiaOptions

# Lazy: plugin.py stands beside, and every process that lists providers imports it.
__getattr__, __dir__, __all__ = lazy_exports(
    __name__, {"model": ["NvidiaModel"], "options": ["NvidiaOptions"]}
)
