"""A real model on texts of mixed length: ours through each door, beside what people use today.

Every route runs all-MiniLM-L6-v2 on the same texts and returns what its users get: lists from the
frameworks, arrays from the others. fastembed runs the same ONNX file as ours, in a process and an
environment of its own. The second table has 30 % exact repeats among the texts.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from _fastembed import LEFT_OUT, FastEmbed, fastembed
from _gemm import WORK_OF_PRODUCTS, products, work_of
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

from embedbridge.contract.local import this_processor
from embedbridge.core import Embedder
from embedbridge.testing import real_texts

PACKAGES = ("sentence-transformers", "torch", "onnxruntime")
COSINES = "cosine to sentence-transformers: mean, least"
SMALL = 10
GAIN = 1.35
"""How many times as fast the fastest exact one should be where texts repeat; 1.43 is all there is to gain."""
GEMM = "float32 GEMM alone"


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
    seconds, cosines = compare(doors, texts, loaded, arguments.rounds, **{GEMM: products()})
    gemm = seconds.pop(GEMM)
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
            *peak_goals(report, seconds, gemm, loaded, real_texts(arguments.texts)),
            *rounded_goals(seconds, loaded),
            *repeat_goals(seconds, repeated, loaded),
        ]
    )


def compare(
    doors: dict[str, Door],
    texts: list[str],
    loaded: dict[Ours, Embedder],
    rounds: int,
    **others: Callable[[], object],
) -> tuple[Timings, dict[str, str]]:
    """Seconds of each route, and how near it came to sentence-transformers; others are only timed."""
    same = SameVectors(raw_model().encode(texts), list(loaded))

    def check(name: str, answer: object) -> None:
        if name not in others:
            same(name, answer)

    routes = {name: partial(door.documents, texts) for name, door in doors.items()}
    return interleave({**routes, **others}, rounds, check=check), same.cosines


def through_adapters(ours: Ours) -> tuple[str, str]:
    return in_llama_index(ours.name), in_langchain(ours.name)


def peak_goals(
    report: Report,
    seconds: Timings,
    gemm: list[float],
    loaded: dict[Ours, Embedder],
    texts: list[str],
) -> Iterator[Goal]:
    """How much of what the processor can multiply at all is spent on these texts."""
    shares = {ours: ours.share for ours in loaded if ours.share is not None}
    if not shares:
        return
    model = loaded[next(iter(shares))].model  # all of them count alike
    work = work_of(model.count_tokens(texts) or ())
    report.say(
        f"float32 GEMM of this machine, in turns with the rest: {WORK_OF_PRODUCTS / statistics.median(gemm) / 1e9:.0f} "
        f"GFLOP/s; the texts take {work / 1e9:.0f} GFLOP without padding."
    )
    for ours, goal in shares.items():
        name = in_core(ours.name)
        share = times_as_fast(seconds[name], gemm) * work / WORK_OF_PRODUCTS
        figure = f"share of the GEMM peak, {name}"
        yield Goal(figure=figure, here=share * 100, goal=goal * 100, unit="%")


def rounded_goals(seconds: Timings, loaded: Iterable[Ours]) -> Iterator[Goal]:
    """What fewer bits gain, through each adapter."""
    for ours in loaded:
        imitated = ours.options.get("precision") == "bf16" and not this_processor().bf16
        if ours.beside is None or imitated:
            continue
        exact, goal = ours.beside
        for route, base in zip(
            through_adapters(ours), (in_llama_index(exact), in_langchain(exact)), strict=True
        ):
            here = times_as_fast(seconds[route], seconds[base])
            yield Goal(figure=f"{route} beside exact", here=here, goal=goal)


def repeat_goals(seconds: Timings, repeated: Timings, loaded: Iterable[Ours]) -> Iterator[Goal]:
    """What repeats gain; for the fastest of the exact ones alone."""
    exact = [ours for ours in loaded if ours.exact]
    if exact:
        best = min(exact, key=lambda ours: statistics.median(seconds[in_langchain(ours.name)]))
        for route in through_adapters(best):
            here = times_as_fast(repeated[route], seconds[route])
            yield Goal(figure=f"{route} with repeats, beside none", here=here, goal=GAIN)


if __name__ == "__main__":
    main()
