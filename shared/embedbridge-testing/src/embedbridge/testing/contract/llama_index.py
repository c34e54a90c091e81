"""LlamaIndex: the same vectors through its embedding component."""

from __future__ import annotations

import asyncio
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from embedbridge.core import Embedder
from embedbridge.testing.contract.applies import IMAGES, asked_where
from embedbridge.testing.contract.base import ContractBase
from embedbridge.testing.contract.comparing import assert_same
from embedbridge.testing.contract.material import TEXTS, picture, png
from embedbridge.testing.contract.watching import watched

if TYPE_CHECKING:
    from llama_index.embeddings.embedbridge import EmbedBridgeEmbedding


class LlamaIndexChecks(ContractBase):
    """Asked where LlamaIndex and our adapter are installed."""

    def test_llama_index_gets_the_same_vectors(self, embedder: Embedder) -> None:
        """Documents and queries, one by one and in batches, have the vectors of the core.

        If this fails, the adapter and the core embed with other roles or options.
        """
        component = _component(embedder)
        documents, query = embedder.embed_documents(TEXTS), embedder.embed_query(TEXTS[0])
        matter = "LlamaIndex gets other vectors"

        batch = component.get_text_embedding_batch(list(TEXTS))
        assert_same(np.asarray(batch), documents, self.tolerance, matter)
        alone = component.get_text_embedding(TEXTS[0])
        assert_same(np.asarray(alone), documents[0], self.tolerance, matter)
        assert_same(
            np.asarray(component.get_query_embedding(TEXTS[0])), query, self.tolerance, matter
        )

    def test_llama_index_async_gets_the_same_vectors(self, embedder: Embedder) -> None:
        """The async methods give the vectors of the sync ones.

        If this fails, look for state that is kept per event loop.
        """
        component = _component(embedder)

        async def ask() -> tuple[Any, Any]:
            batch = await component.aget_text_embedding_batch(list(TEXTS))
            return batch, await component.aget_query_embedding(TEXTS[0])

        batch, query = asyncio.run(ask())
        matter = "LlamaIndex's async methods get other vectors"
        assert_same(np.asarray(batch), embedder.embed_documents(TEXTS), self.tolerance, matter)
        assert_same(np.asarray(query), embedder.embed_query(TEXTS[0]), self.tolerance, matter)

    def test_llama_index_makes_no_further_calls(self, embedder: Embedder) -> None:
        """A batch through LlamaIndex costs as many calls of the model as through the core.

        If this fails, a job is sliced before it reaches the engine.
        """
        component = _component(embedder)
        with watched(embedder.model) as ours:
            embedder.embed_documents(TEXTS)
        with watched(embedder.model) as theirs:
            component.get_text_embedding_batch(list(TEXTS))

        assert len(theirs) == len(ours), f"{len(theirs)} calls through LlamaIndex, {len(ours)} ours"

    @asked_where(IMAGES)
    def test_llama_index_gets_the_same_images(self, embedder: Embedder) -> None:
        """Images have the vectors of the core.

        If this fails, look at the sources of images that the adapter hands over.
        """
        pytest.importorskip("PIL", reason="images take Pillow")
        from embedbridge.contract import Image

        component, data = _component(embedder), png(picture(2))
        expected = embedder.embed_images([Image.from_bytes(data)])[0]
        found = component.get_image_embedding(data)
        assert_same(np.asarray(found), expected, self.tolerance, "LlamaIndex gets another image")

    def test_llama_index_writes_it_down(self, embedder: Embedder) -> None:
        """The component pickles, and comes back with the same vectors.

        If this fails, look at `test_a_pickled_embedder_is_the_same` first.
        """
        component = _component(embedder)
        other = pickle.loads(pickle.dumps(component))  # noqa: S301  # our own bytes
        found = other.get_query_embedding(TEXTS[0])
        other.embedder.close()

        expected = embedder.embed_query(TEXTS[0])
        assert_same(np.asarray(found), expected, self.tolerance, "A pickled component differs")


def _component(embedder: Embedder) -> EmbedBridgeEmbedding:
    adapter = "llama_index.embeddings.embedbridge"
    pytest.importorskip(adapter, reason="LlamaIndex or our adapter is not installed")
    from llama_index.embeddings.embedbridge import EmbedBridgeEmbedding

    return EmbedBridgeEmbedding(embedder=embedder)
