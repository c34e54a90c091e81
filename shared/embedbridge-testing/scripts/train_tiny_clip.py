"""Trains the tiny CLIP that ships with `embedbridge.testing`, from nothing, in minutes.

    pip install -c constraints.txt -r requirements-dev.txt
    python shared/embedbridge-testing/scripts/train_tiny_clip.py --out some/folder

Everything is made in code and seeded: pictures, captions, tokenizer, first weights, order of the
batches. Two runs on one machine write the same bytes; other processors differ in the last bits.
The pairs of shape and colour that `Scene.is_held_out` names are never shown.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from embedbridge.testing import tiny_clip
from embedbridge.testing.pictures import Scene, render, scenes

SEED = 4
SIDE = 48
"""Width and height of what the model sees, in pixels."""
RENDERINGS = 12
"""Pictures of each scene."""
BATCH = 192
STEPS = 1500
WARM_UP = 100
FASTEST = 2e-3
"""The learning rate after the warm-up; it then falls along a cosine."""
TEMPLATES = (
    "a {size} {colour} {shape} at the {position}",
    "{size} {colour} {shape}, {position}",
    "a picture of a {size} {colour} {shape} in the {position}",
    "{position}: one {shape}, {size} and {colour}",
)
BEGIN, END = "<|startoftext|>", "<|endoftext|>"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=tiny_clip.folder())
    parser.add_argument("--steps", type=int, default=STEPS)
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    torch.manual_seed(SEED)
    torch.use_deterministic_algorithms(mode=True)
    started = time.perf_counter()
    shown = scenes(held_out=False)
    tokenizer = make_tokenizer(shown)
    processor = make_processor()
    pictures = render_all(shown, processor)
    print(f"{len(pictures) * RENDERINGS} pictures after {time.perf_counter() - started:.0f} s")
    model = CLIPModel(make_config(tokenizer))
    print(f"{sum(weights.numel() for weights in model.parameters())} parameters")
    train(model, tokenizer, shown, pictures, arguments.steps)
    save(model, tokenizer, processor, arguments.out)
    export(arguments.out)
    print(f"done after {time.perf_counter() - started:.0f} s")


def make_tokenizer(shown: list[Scene]) -> Any:
    """CLIP's kind of tokenizer: bytes, in pairs that captions are made of. It reads any text."""
    raw = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    raw.normalizer = normalizers.Lowercase()
    raw.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(" ", "removed"),
            pre_tokenizers.Split(",", "isolated"),
            pre_tokenizers.Split(":", "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=2000,
        min_frequency=100,
        initial_alphabet=letters,
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    captions = (template.format(**fields(scene)) for scene in shown for template in TEMPLATES)
    raw.train_from_iterator(captions, trainer)
    learnt = json.loads(raw.to_str())["model"]
    tokens = [*letters, *(f"{letter}</w>" for letter in letters)]
    tokens += [token for token in learnt["vocab"] if token not in set(tokens)]
    vocabulary = {token: number for number, token in enumerate([*tokens, BEGIN, END])}
    merges: Any = [tuple(pair) for pair in learnt["merges"]]
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=77)


def make_processor() -> CLIPImageProcessorPil:
    size = {"height": SIDE, "width": SIDE}
    return CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size=size)


def make_config(tokenizer: Any) -> CLIPConfig:
    text = {
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": 77,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    vision = {
        "hidden_size": 64,
        "intermediate_size": 192,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "image_size": SIDE,
        "patch_size": 6,
    }
    return CLIPConfig(text_config=text, vision_config=vision, projection_dim=64)


def render_all(shown: list[Scene], processor: CLIPImageProcessorPil) -> torch.Tensor:
    """Shape (scenes, renderings, 3, SIDE, SIDE), as the model gets them."""
    made = torch.empty(len(shown), RENDERINGS, 3, SIDE, SIDE)
    for number, scene in enumerate(shown):
        seeds = range(number * RENDERINGS, (number + 1) * RENDERINGS)
        pictures: Any = [render(scene, seed, look="trained") for seed in seeds]
        made[number] = processor(pictures, return_tensors="pt")["pixel_values"]
    return made


def train(
    model: Any, tokenizer: Any, shown: list[Scene], pictures: torch.Tensor, steps: int
) -> None:
    """Contrastive: a picture is nearer to its own caption than to the others of the batch."""
    encoded = tokenizer(
        [template.format(**fields(scene)) for scene in shown for template in TEMPLATES],
        padding=True,
        return_tensors="pt",
    )
    captions = {name: rows.view(len(shown), len(TEMPLATES), -1) for name, rows in encoded.items()}
    optimizer = torch.optim.AdamW(model.parameters(), lr=FASTEST, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: pace(step, steps))
    chance = np.random.default_rng(SEED)
    started = time.perf_counter()
    model.train()
    for step in range(steps):
        # Scenes of one batch differ, so that no caption fits two of its pictures.
        chosen = torch.from_numpy(chance.permutation(len(shown))[:BATCH])
        which = torch.from_numpy(chance.integers(RENDERINGS, size=BATCH))
        worded = torch.from_numpy(chance.integers(len(TEMPLATES), size=BATCH))
        seen = pictures[chosen, which]
        read = {name: rows[chosen, worded] for name, rows in captions.items()}
        noise = 0.05 * torch.randn_like(seen)
        loss = model(pixel_values=seen + noise, return_loss=True, **read).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            model.logit_scale.clamp_(max=math.log(100))
        if step % 100 == 0 or step == steps - 1:
            print(
                f"step {step}: loss {loss:.3f}, {time.perf_counter() - started:.0f} s", flush=True
            )
    model.eval()


def pace(step: int, steps: int) -> float:
    """The part of the fastest learning rate: up in a line, down along a cosine."""
    if step < WARM_UP:
        return (step + 1) / WARM_UP
    return 0.5 * (1 + math.cos(math.pi * (step - WARM_UP) / max(steps - WARM_UP, 1)))


def save(model: Any, tokenizer: Any, processor: Any, folder: Path) -> None:
    """A folder as transformers loads it; README.md and LICENSE stay as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in (*folder.glob("*.json"), *folder.glob("*.safetensors")):
        old.unlink()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    processor.save_pretrained(folder)
    for file in folder.iterdir():
        file.chmod(0o644)  # safetensors writes for its owner alone


def export(folder: Path) -> None:
    """Both towers as ONNX beside the weights, with which their space is shared."""
    with tempfile.TemporaryDirectory() as place:
        command = [sys.executable, "-m", "embedbridge.cli", "export", f"clip:{folder}"]
        subprocess.run([*command, f"{place}/exported"], check=True)  # noqa: S603  # our own
        shutil.rmtree(folder / "onnx", ignore_errors=True)
        shutil.copytree(f"{place}/exported/onnx", folder / "onnx")


def fields(scene: Scene) -> dict[str, str]:
    return {name: getattr(scene, name) for name in ("size", "colour", "shape", "position")}


if __name__ == "__main__":
    main()
