"""Every embedbridge provider as a LangChain `Embeddings`, and the reverse."""

from langchain_embedbridge.bridge import from_langchain
from langchain_embedbridge.embeddings import EmbedBridgeEmbeddings
from langchain_embedbridge.factory import init_embeddings
from langchain_embedbridge.image_files import ImageFileEmbeddings

__all__ = ["EmbedBridgeEmbeddings", "ImageFileEmbeddings", "from_langchain", "init_embeddings"]
