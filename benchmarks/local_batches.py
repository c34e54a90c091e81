"""The same texts in batches of 10 to 2,048: what the batch size of LlamaIndex does to the time.

LlamaIndex's own class embeds each batch by itself, in the order of the texts: the longer a batch, the
more padding. Ours sorts the whole job, whatever the batch size is; within 10 % is the goal.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from functools import partial

from _interleaved import interleave
from _local_model import NAME
from _local_routes import SameVectors, llama_index_class, load_ours, raw_model
from _options import parse
from _report import Goal, Report, speed_chart

from embedbridge.testing import real_texts
from llama_index.embeddings.embedbridge import EmbedBridgeEmbedding

SIZES = (10, 100, 512, 2048)
THEIR_SIZES = (10, 32)
BASE = "LlamaIndex HuggingFaceEmbedding, 10"
SPREAD = 10


def main() -> None:
    arguments = parse(argparse.ArgumentParser(description=__doc__), texts=(300, 20), rounds=(3, 1))
    report = Report(
        __file__, "Batch size", __doc__, arguments, ("sentence-transformers", "onnxruntime")
    )
    loaded = load_ours(report.say)
    texts = real_texts(arguments.texts)
    theirs = llama_index_class()
    routes: dict[str, Callable[[], object]] = {
        f"LlamaIndex HuggingFaceEmbedding, {size}": partial(
            theirs(embed_batch_size=size).get_text_embedding_batch, texts
        )
        for size in THEIR_SIZES
    }
    for ours, embedder in loaded.items():
        for size in SIZES:
            model = EmbedBridgeEmbedding(embedder=embedder, embed_batch_size=size)
            routes[f"embedbridge {ours.name}, {size}"] = partial(
                model.get_text_embedding_batch, texts
            )
    check = SameVectors(raw_model().encode(texts), list(loaded))
    seconds = interleave(routes, arguments.rounds, check=check)
    title = f"{len(texts)} texts with {NAME}, by embed_batch_size"
    report.bars(speed_chart(title, seconds, BASE, in_order=True))
    report.speeds(title, seconds, count=len(texts), item="text", bases=(BASE,))
    report.goals(
        Goal(
            figure=f"slowest beside fastest batch size, embedbridge {ours.name}",
            here=(max(medians) / min(medians) - 1) * 100,
            goal=SPREAD,
            unit="%",
            at_most=True,
        )
        for ours in loaded
        for medians in [
            [statistics.median(seconds[f"embedbridge {ours.name}, {size}"]) for size in SIZES]
        ]
    )
    report.publish()


if __name__ == "__main__":
    main()
