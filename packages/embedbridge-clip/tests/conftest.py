"""Tiny models with random weights, one of each architecture, made in code; and odd pictures."""

import io
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from transformers import (
    AlignConfig,
    AlignModel,
    CLIPConfig,
    CLIPModel,
    CLIPTokenizer,
    Siglip2Config,
    Siglip2Model,
    Siglip2Tokenizer,
    SiglipConfig,
    SiglipModel,
    SiglipTokenizer,
)
from transformers.models.bert.tokenization_bert import BertTokenizer
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.efficientnet.image_processing_pil_efficientnet import (
    EfficientNetImageProcessorPil,
)
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
from transformers.models.siglip2.image_processing_pil_siglip2 import Siglip2ImageProcessorPil

from embedbridge.contract import LoadedImage
from embedbridge.core import Embedder, load_embedder
from embedbridge.testing import real_texts

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOWER = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
}
KINDS = ("clip", "siglip", "siglip2", "align")

Save = Callable[[Path], None]


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """By `model_type`: the folder of a model that loads at once."""
    makers: dict[str, Save] = {
        "clip": save_clip,
        "siglip": save_siglip,
        "siglip2": save_siglip2,
        "align": save_align,
    }
    made = {}
    for kind, save in makers.items():
        where = tmp_path_factory.mktemp(kind) / "model"
        torch.manual_seed(0)
        save(where)
        made[kind] = str(where)
    return made


def save_clip(where: Path) -> None:
    letters = [chr(code) for code in range(33, 127)]
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    text = {
        **TOWER,
        "vocab_size": len(words),
        "max_position_embeddings": 77,
        "bos_token_id": len(words) - 2,
        "eos_token_id": len(words) - 1,
    }
    vision = {**TOWER, "image_size": 32, "patch_size": 8}
    CLIPModel(
        CLIPConfig(text_config=text, vision_config=vision, projection_dim=12)
    ).save_pretrained(where)
    vocabulary = {word: number for number, word in enumerate(words)}
    CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=77).save_pretrained(where)
    size = {"height": 32, "width": 32}
    CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=size).save_pretrained(where)


def save_siglip(where: Path) -> None:
    import sentencepiece

    where.mkdir()
    pieces = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(real_texts(200)),
        model_writer=pieces,
        vocab_size=200,
        model_type="unigram",
        pad_id=-1,
        bos_id=-1,
        unk_id=2,
        eos_id=1,
        minloglevel=2,
        hard_vocab_limit=False,
    )
    spelling = where / "spiece.model"
    spelling.write_bytes(pieces.getvalue())
    # As on the Hub: it was trained on padded texts without a mask.
    tokenizer: Any = SiglipTokenizer(str(spelling), model_input_names=["input_ids"])
    tokenizer.save_pretrained(where)
    text = {**TOWER, "vocab_size": 200, "max_position_embeddings": 64, "projection_size": 16}
    vision = {**TOWER, "image_size": 32, "patch_size": 8}
    SiglipModel(SiglipConfig(text_config=text, vision_config=vision)).save_pretrained(where)
    SiglipImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(where)


def save_siglip2(where: Path) -> None:
    letters = [chr(code) for code in range(33, 127)]
    words = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "▁", *letters]
    words += [f"<0x{byte:02X}>" for byte in range(256)]
    vocabulary: Any = {word: number for number, word in enumerate(words)}
    tokenizer = Siglip2Tokenizer(vocab=vocabulary, merges=[], model_input_names=["input_ids"])
    tokenizer.save_pretrained(where)
    text = {**TOWER, "vocab_size": len(words), "max_position_embeddings": 64, "projection_size": 16}
    vision = {**TOWER, "patch_size": 8, "num_patches": 16}
    Siglip2Model(Siglip2Config(text_config=text, vision_config=vision)).save_pretrained(where)
    Siglip2ImageProcessorPil(patch_size=8, max_num_patches=16).save_pretrained(where)


def save_align(where: Path) -> None:
    letters = [chr(code) for code in range(33, 127)]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters)]
    vocabulary: Any = {word: number for number, word in enumerate(words)}
    BertTokenizer(vocab=vocabulary, model_max_length=64).save_pretrained(where)
    text = {**TOWER, "vocab_size": len(words), "max_position_embeddings": 64}
    vision = {
        "image_size": 32,
        "width_coefficient": 1.0,
        "depth_coefficient": 1.0,
        "hidden_dim": 16,
        "kernel_sizes": [3],
        "in_channels": [32],
        "out_channels": [16],
        "strides": [1],
        "num_block_repeats": [1],
        "expand_ratios": [1],
    }
    AlignModel(
        AlignConfig(text_config=text, vision_config=vision, projection_dim=16)
    ).save_pretrained(where)
    EfficientNetImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(where)


@pytest.fixture(scope="session")
def clip_folder(folders: dict[str, str]) -> str:
    """A CLIP, which reads 77 tokens."""
    return folders["clip"]


@pytest.fixture
def own_folder(clip_folder: str, tmp_path: Path) -> str:
    """A copy of it for tests that change a loaded model, which equal models would share."""
    return str(shutil.copytree(clip_folder, tmp_path / "own"))


@pytest.fixture(scope="session")
def clip(clip_folder: str) -> Embedder:
    """The CLIP, with us."""
    return load_embedder(f"clip:{clip_folder}", device="cpu")


@pytest.fixture
def hub(clip_folder: str, tmp_path: Path) -> Callable[..., str]:
    """A function that puts the CLIP into a Hub cache under any id, and returns the cache."""

    def download(hub_id: str, commit: str = COMMIT) -> str:
        repository = tmp_path / "hub" / f"models--{hub_id.replace('/', '--')}"
        shutil.copytree(clip_folder, repository / "snapshots" / commit, copy_function=os.symlink)
        (repository / "refs").mkdir()
        (repository / "refs" / "main").write_text(commit, encoding="utf-8")
        return str(tmp_path / "hub")

    return download


@pytest.fixture(scope="session")
def photos() -> list[Pillow.Image]:
    """Pictures of every shape: wide, high, tiny, and so large that threads share the work."""
    chance = np.random.default_rng(0)
    sizes = [(40, 30), (30, 40), (3, 5), (200, 20), (32, 32), (1, 1), (65, 129), (1600, 1300)]
    noise = [chance.integers(0, 256, (h, w, 3), dtype=np.uint8) for w, h in sizes]
    return [Pillow.fromarray(pixels) for pixels in noise]


@pytest.fixture(scope="session")
def loaded(photos: list[Pillow.Image]) -> list[LoadedImage]:
    """The same pictures, as a model gets them."""
    return [LoadedImage(pixels=photo, described="test") for photo in photos]
