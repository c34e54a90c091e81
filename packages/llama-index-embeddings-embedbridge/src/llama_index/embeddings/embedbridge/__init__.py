"""Every embedbridge provider as a LlamaIndex embedding model, and the reverse.

from llama_index.embeddings.embedbridge import EmbedBridgeEmbedding, resolve_embed_model
"""

from llama_index.embeddings.embedbridge.bridge import from_llama_index
from llama_index.embeddings.embedbridge.embedding import EmbedBridgeEmbedding
from llama_index.embeddings.embedbridge.images import ImageLike, MixedLike
from llama_index.embeddings.embedbridge.kvstore import KVStoreCache
from llama_index.embeddings.embedbridge.limiter import RateLimiterBridge
from llama_index.embeddings.embedbridge.nodes import image_nodes
from llama_index.embeddings.embedbridge.resolve import resolve_embed_model

__all__ = [
    "EmbedBridgeEmbedding",
    "ImageLike",
    "KVStoreCache",
    "MixedLike",
    "RateLimiterBridge",
    "from_llama_index",
    "image_nodes",
    "resolve_embed_model",
]
