"""What importing and listing the providers costs, in fresh processes.

Each figure is the time of a whole process less that of one that does nothing. The scan is timed inside a
process that has everything loaded: reading which providers are installed, once more.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from functools import partial

from _charts import Bar, Chart
from _fresh_python import environment
from _interleaved import Timings, interleave
from _options import parse
from _report import OURS, Goal, Report

BARE = "bare Python"
CORE = "embedbridge.core"
LISTING = "embedbridge.core, list_providers()"
LOADING = "embedbridge.core, load_embedder"
LIST = "from embedbridge.core import list_providers; list_providers()"
ROUTES = {
    BARE: "pass",
    CORE: "import embedbridge.core",
    LISTING: LIST,
    LOADING: "from embedbridge.core import load_embedder",
    "embedbridge, LangChain": "from langchain_embedbridge import EmbedBridgeEmbeddings",
    "embedbridge, LlamaIndex": (
        "from llama_index.embeddings.embedbridge import EmbedBridgeEmbedding"
    ),
}
PEERS = {
    BARE: "pass",
    "langchain_core.embeddings": "import langchain_core.embeddings",
    "llama_index.core": "import llama_index.core",
    "langchain_huggingface": "import langchain_huggingface",
    "langchain_openai": "import langchain_openai",
    "llama_index.embeddings.openai": "import llama_index.embeddings.openai",
    "sentence_transformers": "import sentence_transformers",
    "llama_index.embeddings.huggingface": "import llama_index.embeddings.huggingface",
}
SCAN = f"""
import time
{LIST}
from embedbridge.core import Registry
from embedbridge.core.discovery import entry_points
entry_points._look_once.cache_clear()  # what the list above has found is not the answer
begun = time.perf_counter()
Registry().providers()
print(time.perf_counter() - begun)
"""
GOALS = {LISTING: 80, LOADING: 150}
"""Milliseconds above bare Python that are allowed."""
SCAN_MS = 10
FORBIDDEN = ("torch", "transformers", "openai", "llama_index", "langchain_core")


def main() -> None:
    arguments = parse(
        argparse.ArgumentParser(description=__doc__), rounds=(15, 1), peer_rounds=(3, 1)
    )
    report = Report(__file__, "Start", __doc__, arguments, ("openai", "torch"))
    above = milliseconds_above(measure(ROUTES, arguments.rounds))
    above |= milliseconds_above(measure(PEERS, arguments.peer_rounds))
    title = "Time to import"
    subtitle = "milliseconds above bare Python; shorter is better"
    bars = [
        Bar(label=name, value=ms, shown=f"{ms:.0f} ms", ours=name.startswith(OURS))
        for name, (ms, _) in sorted(above.items(), key=lambda item: item[1][0])
    ]
    report.bars(Chart(title=title, subtitle=subtitle, bars=bars))
    rows = [(name, f"{ms:.0f}", spread) for name, (ms, spread) in above.items()]
    report.table(title, ("import", "ms above bare Python", "whole process, ms"), rows)
    loaded = answer_of(f"import sys; {LIST}; print(sorted(sys.modules))")
    found = [name for name in FORBIDDEN if f"'{name}'" in loaded]
    report.say(
        f"After listing, of {', '.join(FORBIDDEN)} are loaded: {', '.join(found) or 'none'}."
    )
    scans = [float(answer_of(SCAN)) * 1e3 for _ in range(arguments.rounds)]
    report.goals(
        [
            *(
                Goal(figure=name, here=above[name][0], goal=goal, unit="ms", at_most=True)
                for name, goal in GOALS.items()
            ),
            Goal(
                figure="scan of the installed providers",
                here=statistics.median(scans),
                goal=SCAN_MS,
                unit="ms",
                at_most=True,
            ),
        ]
    )
    report.publish()


def measure(codes: dict[str, str], rounds: int) -> Timings:
    def check(name: str, answer: object) -> None:
        assert answer == "", (name, answer)  # it said nothing, and did not fail

    routes = {name: partial(answer_of, code) for name, code in codes.items()}
    return interleave(routes, rounds, check=check)


def answer_of(code: str) -> str:
    """What a fresh Python prints."""
    command = [sys.executable, "-W", "ignore", "-c", code]
    return subprocess.run(
        command, check=True, capture_output=True, text=True, env=environment()
    ).stdout


def milliseconds_above(seconds: Timings) -> dict[str, tuple[float, str]]:
    """The median less that of bare Python, and the range of the whole process."""
    bare = statistics.median(seconds[BARE])
    return {
        name: (
            (statistics.median(runs) - bare) * 1e3,
            f"{min(runs) * 1e3:.0f}..{max(runs) * 1e3:.0f}",
        )
        for name, runs in seconds.items()
        if name != BARE
    }


if __name__ == "__main__":
    main()
