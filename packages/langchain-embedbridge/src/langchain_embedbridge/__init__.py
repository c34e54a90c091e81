"""Every embedbridge provider as a LangChain `Embeddings`."""

from langchain_embedbridge.embeddings import EmbedBridgeEmbeddings
from langchain_embedbridge.factory import init_embeddings

__all__ = ["EmbedBridgeEmbeddings", "init_embeddings"]
