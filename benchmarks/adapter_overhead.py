"""What an embedder and its adapters cost above the model: a model that takes no time, 100,000 texts.

The routes stop before the conversion to lists, which is timed by itself: frameworks want lists,
and no adapter can make that conversion cheaper.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from _interleaved import interleave, print_machine, print_table
from llama_index.core.base.embeddings.base import BaseEmbedding

from embedbridge.contract import Batch, BatchResult, Limits, LocalEmbeddingModel, ModelCard
from embedbridge.core import Embedder
from langchain_embedbridge import EmbedBridgeEmbeddings
from llama_index.embeddings.embedbridge import EmbedBridgeEmbedding

DIMENSIONS = 384


class ArrayThatStays(np.ndarray):
    """An array whose conversion to lists is free, so that it does not hide what is measured."""

    def tolist(self) -> list[list[float]]:  # type: ignore[override]
        return [ROW] * len(self)


ROW = [0.0] * DIMENSIONS


class ZeroCostModel(LocalEmbeddingModel):
    """Answers at once, with normalised vectors."""

    provider = "zero"
    cards = (
        ModelCard(
            name="zero", dimensions=DIMENSIONS, normalized=True, limits=Limits(max_items=256)
        ),
    )
    calls = 0
    vectors = np.full((256, DIMENSIONS), DIMENSIONS**-0.5, dtype=np.float32)

    def embed_batch(self, batch: Batch) -> BatchResult:
        ZeroCostModel.calls += 1
        return BatchResult(vectors=self.vectors[: len(batch)])


class FreeLists(Embedder):
    """The engine as it is, with results whose `tolist` is free."""

    def embed(self, *args: object, **options: object) -> object:  # type: ignore[override]
        result = super().embed(*args, **options)  # type: ignore[arg-type]
        object.__setattr__(result, "vectors", result.vectors.view(ArrayThatStays))
        return result

    def using(self, **changes: object) -> Embedder:
        twin = super().using(**changes)
        twin.__class__ = FreeLists
        return twin


class ZeroCostLlamaIndex(BaseEmbedding):
    """LlamaIndex's own machinery over a model that takes no time: what no adapter can undercut."""

    def _get_text_embedding(self, text: str) -> list[float]:
        return ROW

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return [ROW] * len(texts)

    def _get_query_embedding(self, query: str) -> list[float]:
        return ROW

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return ROW


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    texts = [f"text number {number} with a few words" for number in range(arguments.texts)]
    embedder = FreeLists(ZeroCostModel("zero"))
    array = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
    llama_index = EmbedBridgeEmbedding(embedder=embedder)
    bare = ZeroCostLlamaIndex(embed_batch_size=100)
    routes: dict[str, Callable[[], object]] = {
        "Embedder, array out": lambda: embedder.embed_documents(texts),
        "LangChain adapter": lambda: EmbedBridgeEmbeddings(embedder=embedder).embed_documents(
            texts
        ),
        "LlamaIndex adapter": lambda: llama_index.get_text_embedding_batch(texts),
        "LlamaIndex itself, batches of 100": lambda: bare.get_text_embedding_batch(texts),
        "converting to lists": array.tolist,
    }
    seconds = interleave(routes, arguments.rounds)
    before = ZeroCostModel.calls
    llama_index.get_text_embedding_batch(texts)
    print_machine()
    print_table(seconds, base="Embedder, array out", count=len(texts), unit="µs per text")
    print(f"\nCalls to the model for one job through LlamaIndex: {ZeroCostModel.calls - before}")


if __name__ == "__main__":
    main()
