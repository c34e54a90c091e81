"""LangChain: the same vectors through its embeddings, and LangChain's own standard tests."""

from __future__ import annotations

import asyncio
import inspect
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
    from langchain_embedbridge import EmbedBridgeEmbeddings

NOT_ABOUT_MODELS = frozenset({"test_init_from_env", "test_no_overrides_DO_NOT_OVERRIDE"})
"""LangChain's tests of its own test classes, and of variables that our adapter does not read."""


class LangChainChecks(ContractBase):
    """Asked where LangChain and our adapter are installed."""

    def test_langchain_gets_the_same_vectors(self, embedder: Embedder) -> None:
        """Documents and queries have the vectors of the core.

        If this fails, the adapter and the core embed with other roles or options.
        """
        embeddings = _embeddings(embedder)
        matter = "LangChain gets other vectors"

        documents = np.asarray(embeddings.embed_documents(list(TEXTS)))
        assert_same(documents, embedder.embed_documents(TEXTS), self.tolerance, matter)
        query = np.asarray(embeddings.embed_query(TEXTS[0]))
        assert_same(query, embedder.embed_query(TEXTS[0]), self.tolerance, matter)

    def test_langchain_async_gets_the_same_vectors(self, embedder: Embedder) -> None:
        """The async methods give the vectors of the sync ones.

        If this fails, look for state that is kept per event loop.
        """
        embeddings = _embeddings(embedder)

        async def ask() -> tuple[Any, Any]:
            documents = await embeddings.aembed_documents(list(TEXTS))
            return documents, await embeddings.aembed_query(TEXTS[0])

        documents, query = asyncio.run(ask())
        matter = "LangChain's async methods get other vectors"
        assert_same(np.asarray(documents), embedder.embed_documents(TEXTS), self.tolerance, matter)
        assert_same(np.asarray(query), embedder.embed_query(TEXTS[0]), self.tolerance, matter)

    def test_langchain_makes_no_further_calls(self, embedder: Embedder) -> None:
        """A list through LangChain costs as many calls of the model as through the core.

        If this fails, a job is sliced before it reaches the engine.
        """
        embeddings = _embeddings(embedder)
        with watched(embedder.model) as ours:
            embedder.embed_documents(TEXTS)
        with watched(embedder.model) as theirs:
            embeddings.embed_documents(list(TEXTS))

        assert len(theirs) == len(ours), f"{len(theirs)} calls through LangChain, {len(ours)} ours"

    @asked_where(IMAGES)
    def test_langchain_gets_the_same_images(self, embedder: Embedder) -> None:
        """Images have the vectors of the core.

        If this fails, look at the sources of images that the adapter hands over.
        """
        pytest.importorskip("PIL", reason="images take Pillow")
        from embedbridge.contract import Image

        data = png(picture(2))
        expected = embedder.embed_images([Image.from_bytes(data)])
        found = _embeddings(embedder).embed_images([data])
        assert_same(np.asarray(found), expected, self.tolerance, "LangChain gets another image")

    def test_langchain_writes_it_down(self, embedder: Embedder) -> None:
        """The embeddings pickle, and come back with the same vectors.

        If this fails, look at `test_a_pickled_embedder_is_the_same` first.
        """
        other = pickle.loads(pickle.dumps(_embeddings(embedder)))  # noqa: S301  # our own bytes
        found = other.embed_query(TEXTS[0])
        other.embedder.close()

        expected = embedder.embed_query(TEXTS[0])
        assert_same(np.asarray(found), expected, self.tolerance, "Pickled embeddings differ")

    @pytest.mark.asyncio
    async def test_langchains_own_standard_tests(self, embedder: Embedder) -> None:
        """What LangChain asks of every embeddings class, asked by LangChain's own tests.

        If this fails, LangChain's page about the test that is named tells what to look at.
        """
        embeddings = _embeddings(embedder)
        pytest.importorskip("langchain_tests", reason="langchain-tests is not installed")
        ran = 0
        for case, name in _standard_tests(type(embeddings), embedder):
            test = getattr(case, name)
            wanted = {"model": embeddings} if "model" in inspect.signature(test).parameters else {}
            try:
                outcome = test(**wanted)
                if inspect.isawaitable(outcome):
                    await outcome
            except AssertionError as error:
                raise AssertionError(f"LangChain's standard test {name}: {error}") from error
            ran += 1

        assert ran >= 5, f"Only {ran} of LangChain's standard tests were found"


def _standard_tests(kind: type[Any], embedder: Embedder) -> list[tuple[Any, str]]:
    from langchain_tests.integration_tests import EmbeddingsIntegrationTests
    from langchain_tests.unit_tests import EmbeddingsUnitTests

    told = {
        "embeddings_class": property(lambda _: kind),
        "embedding_model_params": property(lambda _: {"embedder": embedder}),
    }
    found = []
    for suite in (EmbeddingsUnitTests, EmbeddingsIntegrationTests):
        case = type(f"Ours{suite.__name__}", (suite,), told)()
        names = [name for name in dir(case) if name.startswith("test_")]
        found += [(case, name) for name in names if name not in NOT_ABOUT_MODELS]
    return found


def _embeddings(embedder: Embedder) -> EmbedBridgeEmbeddings:
    adapter = "langchain_embedbridge"
    pytest.importorskip(adapter, reason="LangChain or our adapter is not installed")
    from langchain_embedbridge import EmbedBridgeEmbeddings

    return EmbedBridgeEmbeddings(embedder=embedder)
