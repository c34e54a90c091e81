"""The engine, and what users type: `load_embedder("provider:model")`.

Importing it is light: NumPy, pydantic and the engine come with the first embedder.
"""

from typing import TYPE_CHECKING

from embedbridge.contract.lazy import lazy_exports

if TYPE_CHECKING:
    from embedbridge.core.cache.base import MemoryCache as MemoryCache
    from embedbridge.core.cache.base import VectorCache as VectorCache
    from embedbridge.core.cache.disk import CacheInfo as CacheInfo
    from embedbridge.core.cache.disk import DiskCache as DiskCache
    from embedbridge.core.changes import Changes as Changes
    from embedbridge.core.discovery.registry import ProviderInfo as ProviderInfo
    from embedbridge.core.discovery.registry import Registry as Registry
    from embedbridge.core.discovery.registry import list_providers as list_providers
    from embedbridge.core.embedder import Embedder as Embedder
    from embedbridge.core.explain import Explanation as Explanation
    from embedbridge.core.listeners.meter import Totals as Totals
    from embedbridge.core.listeners.meter import UsageMeter as UsageMeter
    from embedbridge.core.listeners.progress import Progress as Progress
    from embedbridge.core.listeners.progress import TqdmProgress as TqdmProgress
    from embedbridge.core.listeners.telemetry import OpenTelemetryListener as OpenTelemetryListener
    from embedbridge.core.load import load_embedder as load_embedder
    from embedbridge.core.remote.limit import Limiter as Limiter
    from embedbridge.core.remote.limit import Ticket as Ticket
    from embedbridge.core.remote.rate_limiter import RateLimiter as RateLimiter
    from embedbridge.core.result import EmbeddingResult as EmbeddingResult
    from embedbridge.core.result import OnBatch as OnBatch
    from embedbridge.core.settings import OnEmpty as OnEmpty
    from embedbridge.core.settings import Settings as Settings
    from embedbridge.core.storage import StoredVectors as StoredVectors
    from embedbridge.core.storage import load_embedding as load_embedding
    from embedbridge.core.storage import load_vectors as load_vectors
    from embedbridge.core.storage import save_embedding as save_embedding
    from embedbridge.core.storage import save_vectors as save_vectors

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "cache.base": ["MemoryCache", "VectorCache"],
        "cache.disk": ["CacheInfo", "DiskCache"],
        "changes": ["Changes"],
        "embedder": ["Embedder"],
        "explain": ["Explanation"],
        "remote.limit": ["Limiter", "Ticket"],
        "remote.rate_limiter": ["RateLimiter"],
        "load": ["load_embedder"],
        "listeners.meter": ["Totals", "UsageMeter"],
        "listeners.progress": ["Progress", "TqdmProgress"],
        "discovery.registry": ["ProviderInfo", "Registry", "list_providers"],
        "result": ["EmbeddingResult", "OnBatch"],
        "settings": ["OnEmpty", "Settings"],
        "storage": [
            "StoredVectors",
            "load_embedding",
            "load_vectors",
            "save_embedding",
            "save_vectors",
        ],
        "listeners.telemetry": ["OpenTelemetryListener"],
    },
)
