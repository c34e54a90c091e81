"""Image files through the provider clip: the core and the adapters beside hand-written loops.

Every route gets the same files in one process, decodes them, and returns what its users get (lists
from the frameworks). One loop is written as transformers' documentation does it, with the batch
size that we use; the other embeds one image at a time, as LlamaIndex's own ClipEmbedding does. The
routes of onnx compute what `embedbridge export` made of the same model, without torch.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _clip_model import Folders, model_folders, write_files
from _interleaved import Timings, interleave, times_as_fast
from _options import parse
from _report import Goal, Report, speed_chart
from PIL import Image as Pillow
from transformers import AutoImageProcessor, AutoModel

from embedbridge.contract import Image
from embedbridge.core import load_embedder
from langchain_embedbridge import EmbedBridgeEmbeddings
from llama_index.embeddings.embedbridge import EmbedBridgeEmbedding

BATCH = 32
LOOP = f"hand-written loop, batches of {BATCH}"
SINGLE = "hand-written loop, one image at a time"
CLIP = "embedbridge clip, arrays"
ENGINES = ("onnxruntime", "openvino")
GOALS = {"exact": 1.05, "int8": 2.2}
"""OpenVINO beside clip, by precision, with a large model; int8 on a processor with VNNI."""
NEAR = 0.99
"""Cosine of int8 to exact vectors, in the mean."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true", help="a random model of ViT-B/32's size")
    arguments = parse(parser, images=(128, 8), rounds=(15, 1), side=(96, 96))
    packages = ("transformers", "torch", "pillow", "onnxruntime", "openvino")
    report = Report(__file__, "Images", __doc__, arguments, packages)
    with tempfile.TemporaryDirectory() as place:
        folders = model_folders(Path(place), large=arguments.large)
        files = write_files(Path(place), arguments.images, arguments.side)
        measure(report, folders, files, arguments)
    report.publish()


def measure(
    report: Report, folders: Folders, files: list[str], arguments: argparse.Namespace
) -> None:
    embedder = load_embedder(f"clip:{folders.torch}", device="cpu", batch_size=BATCH)
    llama_index = EmbedBridgeEmbedding(embedder=embedder)
    langchain = EmbedBridgeEmbeddings(embedder=embedder)
    images = [Image.from_path(file) for file in files]
    loop = by_hand(folders.torch)
    routes: dict[str, Callable[[], object]] = {
        LOOP: lambda: loop(files, BATCH),
        SINGLE: lambda: loop(files, 1),
        CLIP: lambda: embedder.embed_images(images),
        "embedbridge clip, LlamaIndex": lambda: llama_index.get_image_embedding_batch(files),
        "embedbridge clip, LangChain": lambda: langchain.embed_images(files),
    }
    for engine, precision in product(ENGINES, GOALS):
        towers = load_embedder(
            f"onnx:{folders.exported}", backend=engine, precision=precision, batch_size=BATCH
        )
        routes[onnx(engine, precision)] = partial(towers.embed_images, images)
    expected = loop(files, BATCH)

    def check(name: str, answer: Any) -> None:
        vectors = np.asarray(answer, dtype=np.float32)
        if name.endswith("int8"):
            cosine = float(np.sum(vectors * expected, axis=1).mean())
            assert cosine >= NEAR, (name, cosine)
            return
        gap = float(np.abs(vectors - expected).max())
        assert gap < 1e-5, (name, gap)

    seconds = interleave(routes, arguments.rounds, check=check)
    model = "a model of ViT-B/32's size" if arguments.large else "a tiny CLIP"
    title = f"{len(files)} image files of {arguments.side} pixels with {model}"
    report.bars(speed_chart(title, seconds, LOOP))
    report.speeds(title, seconds, count=len(files), item="image", bases=(LOOP, SINGLE, CLIP))
    if arguments.large:
        report.goals(goals(seconds))


def onnx(engine: str, precision: str) -> str:
    """The name of a route without torch."""
    return f"embedbridge onnx, {engine} {precision}"


def goals(seconds: Timings) -> Iterator[Goal]:
    for precision, goal in GOALS.items():
        name = onnx("openvino", precision)
        here = times_as_fast(seconds[name], seconds[CLIP])
        yield Goal(figure=f"{name} beside {CLIP}", here=here, goal=goal)


def by_hand(folder: Path) -> Callable[[list[str], int], Any]:
    """What one writes with transformers alone."""
    auto: Any = AutoModel
    processors: Any = AutoImageProcessor
    model = auto.from_pretrained(folder).eval()
    processor = processors.from_pretrained(folder, backend="pil")

    def loop(files: list[str], batch: int) -> Any:
        made = []
        with torch.inference_mode():
            for start in range(0, len(files), batch):
                opened = [Pillow.open(file).convert("RGB") for file in files[start : start + batch]]
                pixels = processor(images=opened, return_tensors="pt")
                vectors = model.get_image_features(**pixels).pooler_output
                made.append(torch.nn.functional.normalize(vectors))
        return torch.cat(made).numpy()

    return loop


if __name__ == "__main__":
    main()
