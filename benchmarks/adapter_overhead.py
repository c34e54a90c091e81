"""What an embedder and its adapters cost above the model.

The model takes no time and answers normalised vectors; the cache is off. The routes stop before the conversion to lists, which is timed by itself: frameworks want lists,
and no adapter can make that conversion cheaper.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from _charts import Bar, Chart
from _interleaved import interleave
from _options import parse
from _report import OURS, Goal, Report
from llama_index.core.base.embeddings.base import BaseEmbedding

from embedbridge.contract import Batch, BatchResult, Limits, LocalEmbeddingModel, ModelCard
from embedbridge.core import Embedder
from langchain_embedbridge import EmbedBridgeEmbeddings
from llama_index.embeddings.embedbridge import EmbedBridgeEmbedding

DIMENSIONS = 384
CORE = "embedbridge, arrays"
LANGCHAIN = "embedbridge, LangChain"
LLAMA_INDEX = "embedbridge, LlamaIndex"
ITSELF = "LlamaIndex itself, batches of 100"
CONVERTING = "converting arrays to lists"
GOALS = {LANGCHAIN: 1.5, LLAMA_INDEX: 2.0}
"""µs per text that the adapters should take at most."""


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
    arguments = parse(
        argparse.ArgumentParser(description=__doc__), texts=(100_000, 2000), rounds=(5, 1)
    )
    report = Report(__file__, "Above the model", __doc__, arguments)
    texts = [f"text number {number} with a few words" for number in range(arguments.texts)]
    embedder = FreeLists(ZeroCostModel("zero"))
    array = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
    llama_index = EmbedBridgeEmbedding(embedder=embedder)
    langchain = EmbedBridgeEmbeddings(embedder=embedder)
    bare = ZeroCostLlamaIndex(embed_batch_size=100)
    routes: dict[str, Callable[[], object]] = {
        CORE: partial(embedder.embed_documents, texts),
        LANGCHAIN: partial(langchain.embed_documents, texts),
        LLAMA_INDEX: partial(llama_index.get_text_embedding_batch, texts),
        ITSELF: partial(bare.get_text_embedding_batch, texts),
        CONVERTING: array.tolist,
    }

    def check(name: str, answer: Any) -> None:
        assert len(answer) == len(texts), name
        # LlamaIndex has no say in what its model answers: its row is all zeros.
        assert name in (ITSELF, CONVERTING) or len(answer[0]) == DIMENSIONS, name

    seconds = interleave(routes, arguments.rounds, check=check)
    micros = {name: statistics.median(runs) / len(texts) * 1e6 for name, runs in seconds.items()}
    bars = [
        Bar(label=name, value=value, shown=f"{value:.2f} µs", ours=name.startswith(OURS))
        for name, value in sorted(micros.items(), key=lambda item: item[1])
    ]
    title = "What a text costs above the model's own time"
    report.bars(Chart(title=title, subtitle="µs per text; shorter is better", bars=bars))
    report.speeds(
        f"{len(texts):,} texts, {DIMENSIONS} dimensions",
        seconds,
        count=len(texts),
        item="text",
        bases=(ITSELF,),
    )
    before = ZeroCostModel.calls
    llama_index.get_text_embedding_batch(texts)
    report.say(f"Calls to the model for one job through LlamaIndex: {ZeroCostModel.calls - before}")
    report.goals(
        Goal(figure=f"µs per text, {name}", here=micros[name], goal=goal, unit="µs", at_most=True)
        for name, goal in GOALS.items()
    )
    report.publish()


if __name__ == "__main__":
    main()
