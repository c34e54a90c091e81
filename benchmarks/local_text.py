"""A real model on texts of mixed length: ours through each door, beside what people use today.

Every route runs all-MiniLM-L6-v2 on the same texts and returns what its users get: lists from the
frameworks, arrays from the others. fastembed runs the same ONNX file as ours, in a process and an
environment of its own. The second table has 30 % exact repeats among the texts.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterable, Iterator
from functools import partial

from _fastembed import LEFT_OUT, FastEmbed, fastembed
from _gemm import gemm_peak, work_of
from _interleaved import Timings, interleave, times_as_fast
from _local_model import NAME, exported
from _local_routes import (
    FASTEMBED,
    LANGCHAIN,
    LLAMA_INDEX,
    RAW,
    Door,
    Ours,
    SameVectors,
    fastembed_door,
    in_core,
    in_langchain,
    in_llama_index,
    load_ours,
    our_doors,
    peer_doors,
    raw_model,
)
from _options import parse
from _repeats import REPEATS, with_repeats
from _report import Goal, Report, speed_chart

from embedbridge.core import Embedder
from embedbridge.testing import real_texts

PACKAGES = ("sentence-transformers", "torch", "onnxruntime")
COSINES = "cosine to sentence-transformers: mean, least"
SMALL = 10
EXACT_REPEATS = (7.5, 4.0)
"""How many times as fast as either peer ours should be with these repeats."""


def main() -> None:
    arguments = parse(argparse.ArgumentParser(description=__doc__), texts=(500, 24), rounds=(3, 1))
    report = Report(__file__, "Local text", __doc__, arguments, PACKAGES)
    loaded = load_ours(report.say)
    with fastembed(exported()) as child:
        report.say(f"fastembed {child.version}." if child else LEFT_OUT)
        measure(report, loaded, child, arguments)
    report.publish()


def measure(
    report: Report,
    loaded: dict[Ours, Embedder],
    child: FastEmbed | None,
    arguments: argparse.Namespace,
) -> None:
    doors = peer_doors(child)
    if child is not None:  # its default makes it slow on texts of mixed length
        doors[f"{FASTEMBED}, batches of {SMALL}"] = fastembed_door(child, SMALL)
    for ours, embedder in loaded.items():
        doors |= our_doors(ours.name, embedder)
    texts = real_texts(arguments.texts)
    seconds, cosines = compare(doors, texts, loaded, arguments.rounds)
    title = f"{len(texts)} texts with {NAME}"
    arrays = [in_core(ours.name) for ours in loaded]
    shown = {name: runs for name, runs in seconds.items() if name not in arrays}
    report.bars(speed_chart(title, shown, LLAMA_INDEX))
    report.speeds(
        title,
        seconds,
        count=len(texts),
        item="text",
        bases=(RAW, LLAMA_INDEX, LANGCHAIN),
        beside=(COSINES, cosines),
    )

    adapters = [name for ours in loaded if ours.exact for name in through_adapters(ours)]
    some = {
        name: door for name, door in doors.items() if name in {LLAMA_INDEX, LANGCHAIN, *adapters}
    }
    texts = with_repeats(texts)
    repeated, cosines = compare(some, texts, loaded, arguments.rounds)
    report.speeds(
        f"The same with {REPEATS * 100:.0f} % exact repeats",
        repeated,
        count=len(texts),
        item="text",
        bases=(LLAMA_INDEX, LANGCHAIN),
        beside=(COSINES, cosines),
    )
    report.goals(
        [
            *speed_goals(seconds, loaded),
            *repeat_goals(repeated, loaded),
            *peak_goals(report, seconds, loaded, real_texts(arguments.texts)),
        ]
    )


def compare(
    doors: dict[str, Door], texts: list[str], loaded: dict[Ours, Embedder], rounds: int
) -> tuple[Timings, dict[str, str]]:
    """Seconds of each route, and how near it came to sentence-transformers."""
    check = SameVectors(raw_model().encode(texts), list(loaded))
    routes = {name: partial(door.documents, texts) for name, door in doors.items()}
    return interleave(routes, rounds, check=check), check.cosines


def through_adapters(ours: Ours) -> tuple[str, str]:
    return in_llama_index(ours.name), in_langchain(ours.name)


def speed_goals(seconds: Timings, loaded: Iterable[Ours]) -> Iterator[Goal]:
    """Each adapter beside its framework's own class."""
    for ours in loaded:
        yield from adapter_goals(seconds, ours, ours.goals, "")


def repeat_goals(seconds: Timings, loaded: Iterable[Ours]) -> Iterator[Goal]:
    """The same where texts come twice; for the fastest of the exact ones alone."""
    exact = [ours for ours in loaded if ours.exact]
    if exact:
        best = min(exact, key=lambda ours: statistics.median(seconds[in_langchain(ours.name)]))
        yield from adapter_goals(seconds, best, EXACT_REPEATS, ", with repeats")


def adapter_goals(
    seconds: Timings, ours: Ours, goals: tuple[float, float], suffix: str
) -> Iterator[Goal]:
    routes = zip(through_adapters(ours), (LLAMA_INDEX, LANGCHAIN), goals, strict=True)
    for route, peer, goal in routes:
        here = times_as_fast(seconds[route], seconds[peer])
        yield Goal(figure=f"{route} beside {peer}{suffix}", here=here, goal=goal)


def peak_goals(
    report: Report, seconds: Timings, loaded: dict[Ours, Embedder], texts: list[str]
) -> Iterator[Goal]:
    """How much of what the processor can multiply at all is spent on these texts."""
    shares = {ours: ours.share for ours in loaded if ours.share is not None}
    if not shares:
        return
    model = loaded[next(iter(shares))].model  # all of them count alike
    peak, work = gemm_peak(), work_of(model.count_tokens(texts) or ())
    report.say(
        f"float32 GEMM peak of this machine: {peak / 1e9:.0f} GFLOP/s; "
        f"the texts take {work / 1e9:.0f} GFLOP without padding."
    )
    for ours, goal in shares.items():
        name = in_core(ours.name)
        share = work / statistics.median(seconds[name]) / peak
        figure = f"share of the GEMM peak, {name}"
        yield Goal(figure=figure, here=share * 100, goal=goal * 100, unit="%")


if __name__ == "__main__":
    main()
