"""Every embedbridge provider as a LlamaIndex embedding model.

from llama_index.embeddings.embedbridge import EmbedBridgeEmbedding, resolve_embed_model
"""

from llama_index.embeddings.embedbridge.embedding import EmbedBridgeEmbedding
from llama_index.embeddings.embedbridge.kvstore import KVStoreCache
from llama_index.embeddings.embedbridge.limiter import RateLimiterBridge
from llama_index.embeddings.embedbridge.resolve import resolve_embed_model

__all__ = ["EmbedBridgeEmbedding", "KVStoreCache", "RateLimiterBridge", "resolve_embed_model"]
