"""Static models: paragraphs and single queries, beside model2vec and sentence-transformers.

One table of 256 dimensions, in the format of each library: the words of all-MiniLM-L6-v2. Every
route has one thread. "New words" is a model that has just been loaded and has seen no text;
"known words" is one that has seen these texts before. Of a query, one word is new: a number.
Vectors must be equal to 1e-6.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

os.environ["TOKENIZERS_PARALLELISM"] = "false"  # one thread, in every library

import numpy as np
import torch
from _charts import Bar, Chart
from _interleaved import Timings, interleave, times_as_fast
from _local_model import original
from _options import parse
from _paragraphs import paragraphs
from _report import OURS, Goal, Report, speed_chart
from model2vec import StaticModel
from numpy.typing import ArrayLike, NDArray
from safetensors.numpy import load_file, save_file
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer

from embedbridge.core import Embedder, load_embedder

WIDTH = 256
MODEL2VEC, SENTENCE = "model2vec", "sentence-transformers"
TENSORS = {MODEL2VEC: "embeddings", SENTENCE: "embedding.weight"}
NEW, KNOWN = f"{OURS}, new words", f"{OURS}, known words"
QUERIES = (f"{OURS}, embed_query, a new word", f"{OURS}, embed_query, known words")
TOKENIZER = "the tokenizer alone"
TOLERANCE = 1e-6
MORE_THAN_ANY = 10**6
"""Tokens that no text has."""
TIMES, MICROS = 3, 120
"""How many times as fast as the library; µs that a query may take above its tokenizer."""


def main() -> None:
    arguments = parse(
        argparse.ArgumentParser(description=__doc__),
        texts=(20_000, 300),
        queries=(1000, 50),
        rounds=(5, 1),
    )
    torch.set_num_threads(1)
    packages = ("embedbridge-static", MODEL2VEC, SENTENCE, "tokenizers", "torch")
    report = Report(__file__, "Static models", __doc__, arguments, packages)
    texts = paragraphs(arguments.texts)
    report.say(f"{len(texts)} paragraphs of {sum(map(len, texts)) / len(texts):.0f} characters.")
    goals = []
    with tempfile.TemporaryDirectory() as where:
        for library in TENSORS:
            folder = Path(where, library)
            write(folder, library)
            seconds = many(library, folder, texts, arguments.rounds)
            title = f"{len(texts)} paragraphs in the format of {library}"
            report.bars(speed_chart(title, seconds, library), f"_{library}")
            report.speeds(title, seconds, count=len(texts), item="text", bases=(library,))
            goals += [
                Goal(
                    figure=f"{library} format, {name}",
                    here=times_as_fast(seconds[name], seconds[library]),
                    goal=TIMES,
                )
                for name in (NEW, KNOWN)
            ]
        latencies = one_by_one(Path(where, SENTENCE), arguments.queries)
    show_latencies(report, latencies)
    micros = {name: statistics.median(runs) * 1e6 for name, runs in latencies.items()}
    for query in QUERIES:
        goals += [
            Goal(
                figure=f"{query}, beside {SENTENCE}",
                here=micros[SENTENCE] / micros[query],
                goal=TIMES,
            ),
            Goal(
                figure=f"{query}, above the tokenizer",
                here=micros[query] - micros[TOKENIZER],
                goal=MICROS,
                unit="µs",
                at_most=True,
            ),
        ]
    report.goals(goals)
    report.publish()


def write(folder: Path, library: str) -> None:
    """A model of real words, without a limit of length, as the library writes it."""
    folder.mkdir()
    words = load_file(Path(original(), "model.safetensors"))["embeddings.word_embeddings.weight"]
    table = np.ascontiguousarray(words[:, :WIDTH].astype(np.float32))
    save_file({TENSORS[library]: table}, folder / "model.safetensors", metadata={"format": "pt"})
    tokenizer = Tokenizer.from_file(str(Path(original(), "tokenizer.json")))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.save(str(folder / "tokenizer.json"))
    module = "sentence_transformers.models.StaticEmbedding"
    for name, content in {
        "modules.json": [{"idx": 0, "name": "0", "path": "", "type": module}],
        "config_sentence_transformers.json": {},
        **(
            {"config.json": {"normalize": True, "max_length": None}} if library == MODEL2VEC else {}
        ),
    }.items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")


def load_ours(library: str, folder: Path, number: int = 0) -> Embedder:
    """A loaded model; those of different numbers are not equal, so that they share no words."""
    embedder = load_embedder(
        f"static:{folder}",
        compatible_with=MODEL2VEC if library == MODEL2VEC else None,
        max_length=MORE_THAN_ANY + number,
        on_zero_vector="allow",
        cache=False,
    )
    _ = embedder.card  # loads it
    return embedder


def many(library: str, folder: Path, texts: list[str], rounds: int) -> Timings:
    """Seconds of each route for all texts."""
    known = load_ours(library, folder)
    fresh = [load_ours(library, folder, number + 1) for number in range(rounds + 1)]
    if library == MODEL2VEC:
        encode = partial(StaticModel.from_pretrained(folder).encode, use_multiprocessing=False)
    else:
        encode = SentenceTransformer(str(folder), device="cpu").encode
    routes: dict[str, Callable[[], object]] = {
        library: lambda: encode(texts),
        NEW: lambda: fresh.pop().embed_documents(texts),
        KNOWN: lambda: known.embed_documents(texts),
    }
    return interleave(routes, rounds, check=Same(encode(texts)))


class Same:
    """Raises where the vectors of a route are not the library's own."""

    def __init__(self, expected: ArrayLike) -> None:
        self._expected = np.asarray(expected)

    def __call__(self, name: str, found: object) -> None:
        np.testing.assert_allclose(
            np.asarray(found), self._expected, rtol=0, atol=TOLERANCE, err_msg=name
        )


def one_by_one(folder: Path, count: int) -> dict[str, list[float]]:
    """Seconds of each single query, the routes in turns.

    Our two never in the same turn: the second would find the code of both in the processor's caches.
    """
    texts = [f"How does a program read line {number} of a text file?" for number in range(count)]
    new, known = load_ours(SENTENCE, folder), load_ours(SENTENCE, folder, 1)
    known.embed_queries(texts)
    theirs = SentenceTransformer(str(folder), device="cpu")
    model2vec = StaticModel.from_pretrained(folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    seconds: dict[str, list[float]] = {}
    for query, ours in zip(QUERIES, (new, known), strict=True):
        Same(theirs.encode("Where is it?"))(query, ours.embed_query("Where is it?"))
        routes: dict[str, Callable[[str], object]] = {
            SENTENCE: theirs.encode,
            MODEL2VEC: model2vec.encode,
            query: ours.embed_query,
            TOKENIZER: partial(tokenizer.encode, add_special_tokens=False),
        }
        for text in texts:
            for name, route in routes.items():
                begun = time.perf_counter()
                route(text)
                seconds.setdefault(name, []).append(time.perf_counter() - begun)
    return seconds


def show_latencies(report: Report, latencies: Mapping[str, list[float]]) -> None:
    micros = {name: percentiles(runs) for name, runs in latencies.items()}
    title = "One query with a static model"
    bars = [
        Bar(label=name, value=p50, shown=f"{p50:.0f} µs", detail="", ours=name.startswith(OURS))
        for name, (p50, _, _) in sorted(micros.items(), key=lambda pair: pair[1][0])
    ]
    report.bars(Chart(title=title, subtitle="median time; shorter is better", bars=bars), "_query")
    report.table(
        title,
        ("route", "p50 µs", "p90 µs", "p99 µs"),
        [[name, *(f"{value:.0f}" for value in values)] for name, values in micros.items()],
    )


def percentiles(seconds: list[float]) -> tuple[float, float, float]:
    """The 50th, 90th and 99th, in µs."""
    values: NDArray[np.float64] = np.percentile(seconds, [50, 90, 99]) * 1e6
    return float(values[0]), float(values[1]), float(values[2])


if __name__ == "__main__":
    main()
