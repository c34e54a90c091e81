"""Ours and theirs on one server on loopback: 10,000 texts, 1,536 dimensions, 50 ms per request.

Every route keeps the defaults that its users get, gets the same texts, and returns what its users
get: an array from the core, lists from the frameworks. The vectors are compared first. How much
memory a route takes is measured in a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import numpy as np
from _embedding_server import expected, make_texts, serving
from _interleaved import interleave, print_machine, print_table

MODEL = "text-embedding-3-small"
KEY = "sk-loopback-0123456789abcdef"
LANGCHAIN = "peer: langchain-openai, sync"
OURS = "ours: "
RAW_BATCH, RAW_IN_FLIGHT = 256, 8
SELF_STATUS = Path("/proc/self/status")

Route = Callable[[list[str]], Any]


def our_array(url: str) -> Route:
    from embedbridge.core import load_embedder

    return load_embedder(f"openai:{MODEL}", base_url=url, api_key=KEY).embed_documents


def our_compatible_array(url: str) -> Route:
    from embedbridge.core import load_embedder

    return load_embedder(f"openai-compatible:{MODEL}", base_url=url).embed_documents


def our_llama_index(url: str) -> Route:
    from llama_index.embeddings.embedbridge import EmbedBridgeEmbedding

    embedding = EmbedBridgeEmbedding(f"openai:{MODEL}", base_url=url, api_key=KEY)
    return embedding.get_text_embedding_batch


def our_langchain(url: str) -> Route:
    from langchain_embedbridge import EmbedBridgeEmbeddings

    return EmbedBridgeEmbeddings(f"openai:{MODEL}", base_url=url, api_key=KEY).embed_documents


def their_langchain(url: str) -> Route:
    from langchain_openai import OpenAIEmbeddings

    # By default it downloads an encoding first, which fails offline.
    return OpenAIEmbeddings(
        model=MODEL, base_url=url, api_key=KEY, check_embedding_ctx_length=False
    ).embed_documents


def their_llama_index(url: str) -> Route:
    from llama_index.embeddings.openai import OpenAIEmbedding

    return OpenAIEmbedding(model=MODEL, api_base=url, api_key=KEY).get_text_embedding_batch


def their_llama_index_async(url: str) -> Route:
    from llama_index.embeddings.openai import OpenAIEmbedding

    theirs = OpenAIEmbedding(model=MODEL, api_base=url, api_key=KEY, num_workers=8)
    return waiting_for(theirs.aget_text_embedding_batch)


def raw_sdk(url: str) -> Route:
    import openai

    client = openai.AsyncOpenAI(base_url=url, api_key=KEY)
    slots = asyncio.Semaphore(RAW_IN_FLIGHT)

    async def ask(texts: list[str]) -> list[list[float]]:
        async with slots:
            reply = await client.embeddings.create(input=texts, model=MODEL)
        return [row.embedding for row in reply.data]

    async def embed(texts: list[str]) -> list[list[float]]:
        starts = range(0, len(texts), RAW_BATCH)
        batches = await asyncio.gather(*(ask(texts[at : at + RAW_BATCH]) for at in starts))
        return [row for batch in batches for row in batch]

    return waiting_for(embed)


def waiting_for(embed: Callable[[list[str]], Coroutine[Any, Any, Any]]) -> Route:
    """An async route on a loop of its own: a client's connections do not outlive their loop."""
    runner = asyncio.Runner()
    return lambda texts: runner.run(embed(texts))


ROUTES: dict[str, Callable[[str], Route]] = {
    "ours: Embedder, array out": our_array,
    "ours: LlamaIndex adapter": our_llama_index,
    "ours: LangChain adapter": our_langchain,
    LANGCHAIN: their_langchain,
    "peer: llama-index-embeddings-openai, sync": their_llama_index,
    "peer: llama-index-embeddings-openai, async, num_workers=8": their_llama_index_async,
    f"raw AsyncOpenAI, {RAW_BATCH} x {RAW_IN_FLIGHT}": raw_sdk,
}
COMPATIBLE = "ours: Embedder, openai-compatible, array out"
# Not a rival of the others: its 32 texts per request alone are 2 s of latency.
EXTRA = {COMPATIBLE: our_compatible_array}


class Measured:
    """A route that keeps count of its CPU seconds, and of its requests."""

    def __init__(self, route: Route, texts: list[str], url: str) -> None:
        self._route, self._texts, self._url = route, texts, url
        self.cpu: list[float] = []
        self.counts: dict[str, int] = {}

    def vectors(self) -> Any:
        return self._route(self._texts)

    def __call__(self) -> None:
        begun = time.process_time()
        self.vectors()
        self.cpu.append(time.process_time() - begun)

    def count(self) -> None:
        """One more run, for how many requests it makes and how many at once."""
        counts_of(self._url)
        self.vectors()
        self.counts = counts_of(self._url)


def counts_of(url: str) -> dict[str, int]:
    with urllib.request.urlopen(url) as reply:  # noqa: S310  # our own server
        counts: dict[str, int] = json.load(reply)
    return counts


def memory(name: str, url: str, texts: list[str]) -> None:
    """Run one route once, and print by how many MB the process grew at its highest."""
    route = {**ROUTES, **EXTRA}[name](url)
    route(texts[:10])  # what is imported late is no growth
    before = status_mb("VmRSS")
    vectors = route(texts)
    print(status_mb("VmHWM") - before, len(vectors))


def status_mb(field: str) -> float:
    # Not getrusage: its peak begins with that of the process that started this one.
    line = next(x for x in SELF_STATUS.read_text().splitlines() if x.startswith(field))
    return int(line.split()[1]) * 1024 / 1e6


def memory_of(name: str, url: str, arguments: argparse.Namespace) -> float | None:
    if not SELF_STATUS.exists():
        return None
    command = [sys.executable, __file__, f"--memory-of={name}", f"--url={url}"]
    answer = subprocess.run(
        [*command, f"--texts={arguments.texts}"], check=True, capture_output=True, text=True
    )
    return float(answer.stdout.split()[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dimensions", type=int, default=1536)
    parser.add_argument("--latency", type=float, default=0.05)
    parser.add_argument(
        "--floats", action="store_true", help="a server that knows no base64: peers take 20 s each"
    )
    parser.add_argument("--memory-of", choices=[*ROUTES, *EXTRA], help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    texts = make_texts(arguments.texts)
    os.environ.setdefault("TIKTOKEN_CACHE_DIR", "")  # no file, no counting: alike on all machines
    if arguments.memory_of:
        memory(arguments.memory_of, arguments.url, texts)
        return
    with serving(arguments.dimensions, arguments.latency, floats=arguments.floats) as url:
        run(url, texts, arguments)


def run(url: str, texts: list[str], arguments: argparse.Namespace) -> None:
    routes = {name: Measured(make(url), texts, url) for name, make in (ROUTES | EXTRA).items()}
    compare(routes, expected(texts, arguments.dimensions))
    print_machine()
    seconds = interleave(routes, arguments.rounds)
    print_table(seconds, base=LANGCHAIN, count=len(texts), unit="µs per text")
    print_costs(routes, url, arguments)
    print_goals(seconds)


def compare(routes: dict[str, Measured], vectors: np.ndarray) -> None:
    """Every route must give the vectors that the server has for these texts, in order."""
    for name, route in routes.items():
        gap = float(np.abs(np.asarray(route.vectors(), dtype=np.float32) - vectors).max())
        assert gap < 1e-7, (name, gap)
        gc.collect()


def print_costs(routes: dict[str, Measured], url: str, arguments: argparse.Namespace) -> None:
    print("\n| route | client CPU s | RSS growth MB | requests | in flight |")
    print("|---|---|---|---|---|")
    for name, route in routes.items():
        route.count()
        grown = memory_of(name, url, arguments)
        print(
            f"| {name} | {statistics.median(route.cpu[1:]):.2f} | "
            f"{'not measured' if grown is None else f'{grown:.0f}'} | "
            f"{route.counts['requests']} | {route.counts['in_flight']} |"
        )


def print_goals(seconds: dict[str, list[float]]) -> None:
    """Each of ours against LangChain, and against the faster peer; round by round."""
    peers = [name for name in seconds if name.startswith("peer")]
    faster = min(peers, key=lambda name: statistics.median(seconds[name]))
    print(f"\nThe faster peer is {faster.removeprefix('peer: ')}.")
    for name, runs in seconds.items():
        if name.startswith(OURS):
            print(
                f"{name.removeprefix(OURS)}: {ratio(seconds[faster], runs):.2f} times as fast "
                f"as that, {ratio(seconds[LANGCHAIN], runs):.2f} times as fast as LangChain's."
            )


def ratio(theirs: list[float], ours: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(theirs, ours, strict=True))


if __name__ == "__main__":
    main()
