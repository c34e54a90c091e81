"""The engine, and what users type: `load_embedder("provider:model")`.

Importing it is light: NumPy, pydantic and the engine come with the first embedder.
"""

from typing import TYPE_CHECKING

from embedbridge.contract.lazy import lazy_exports

if TYPE_CHECKING:
    from embedbridge.core.cache import MemoryCache as MemoryCache
    from embedbridge.core.cache import VectorCache as VectorCache
    from embedbridge.core.disk_cache import CacheInfo as CacheInfo
    from embedbridge.core.disk_cache import DiskCache as DiskCache
    from embedbridge.core.embedder import Embedder as Embedder
    from embedbridge.core.explain import Explanation as Explanation
    from embedbridge.core.limit import Limiter as Limiter
    from embedbridge.core.limit import RateLimiter as RateLimiter
    from embedbridge.core.load import load_embedder as load_embedder
    from embedbridge.core.meter import Totals as Totals
    from embedbridge.core.meter import UsageMeter as UsageMeter
    from embedbridge.core.progress import TqdmProgress as TqdmProgress
    from embedbridge.core.registry import ProviderInfo as ProviderInfo
    from embedbridge.core.registry import Registry as Registry
    from embedbridge.core.registry import list_providers as list_providers
    from embedbridge.core.result import EmbeddingResult as EmbeddingResult
    from embedbridge.core.settings import Settings as Settings
    from embedbridge.core.storage import StoredVectors as StoredVectors
    from embedbridge.core.storage import load_embedding as load_embedding
    from embedbridge.core.storage import load_vectors as load_vectors
    from embedbridge.core.storage import save_embedding as save_embedding
    from embedbridge.core.storage import save_vectors as save_vectors
    from embedbridge.core.telemetry import OpenTelemetryListener as OpenTelemetryListener

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "cache": ["MemoryCache", "VectorCache"],
        "disk_cache": ["CacheInfo", "DiskCache"],
        "embedder": ["Embedder"],
        "explain": ["Explanation"],
        "limit": ["Limiter", "RateLimiter"],
        "load": ["load_embedder"],
        "meter": ["Totals", "UsageMeter"],
        "progress": ["TqdmProgress"],
        "registry": ["ProviderInfo", "Registry", "list_providers"],
        "result": ["EmbeddingResult"],
        "settings": ["Settings"],
        "storage": [
            "StoredVectors",
            "load_embedding",
            "load_vectors",
            "save_embedding",
            "save_vectors",
        ],
        "telemetry": ["OpenTelemetryListener"],
    },
)
