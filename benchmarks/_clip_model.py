"""The models and pictures of the benchmarks on images."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, NamedTuple

from embedbridge.testing import tiny_clip
from embedbridge.testing.pictures import render, some_scenes


class Folders(NamedTuple):
    """One model in two forms."""

    torch: Path
    """For `clip:`."""
    exported: Path
    """For `onnx:`."""


def model_folders(place: Path, *, large: bool) -> Folders:
    """The tiny CLIP as it ships, or a random one of ViT-B/32's size, written and exported here."""
    if not large:
        return Folders(tiny_clip.folder(), tiny_clip.folder())
    from embedbridge.cli.export.command import export

    folder, exported = save_large(place / "model"), place / "exported"
    export(f"clip:{folder}", exported)
    return Folders(folder, exported)


def save_large(folder: Path) -> Path:
    """A model of the size of OpenAI's ViT-B/32, with random weights and the tiny one's words."""
    import torch
    from transformers import AutoImageProcessor, CLIPConfig, CLIPModel

    torch.manual_seed(0)
    small = CLIPConfig.from_pretrained(tiny_clip.folder()).text_config
    words = {name: getattr(small, name) for name in ("vocab_size", "bos_token_id", "eos_token_id")}
    CLIPModel(CLIPConfig(text_config=words)).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tiny_clip.folder() / name, folder / name)
    processors: Any = AutoImageProcessor
    processor = processors.from_pretrained(tiny_clip.folder(), backend="pil")
    processor.size = {"shortest_edge": 224}
    processor.crop_size = {"height": 224, "width": 224}
    processor.save_pretrained(folder)
    return folder


def write_files(place: Path, count: int, side: int) -> list[str]:
    """Pictures as JPEG files."""
    files = [str(place / f"{number}.jpg") for number in range(count)]
    for number, (file, scene) in enumerate(zip(files, some_scenes(count, 0), strict=True)):
        render(scene, number, side=side).save(file, quality=90)
    return files
