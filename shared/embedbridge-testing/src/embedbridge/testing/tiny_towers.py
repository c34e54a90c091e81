"""Tiny models with two towers and random weights, one of each architecture, made in code.

They take torch, transformers and, for SigLIP, sentencepiece, which are imported when one is made.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from embedbridge.testing.corpus import real_texts

TOWER: Mapping[str, int] = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
}
SIDE, PATCH = 32, 8
"""Pixels of a picture and of a patch, each way."""
LETTERS = [chr(code) for code in range(33, 127)]


def _save_clip(where: Path) -> None:
    from transformers import CLIPConfig, CLIPModel, CLIPTokenizer
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    words = [*LETTERS, *(f"{letter}</w>" for letter in LETTERS), "<|startoftext|>", "<|endoftext|>"]
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


def _save_siglip(where: Path) -> None:
    import sentencepiece
    from transformers import SiglipConfig, SiglipModel, SiglipTokenizer
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

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


def _save_siglip2(where: Path) -> None:
    from transformers import Siglip2Config, Siglip2Model, Siglip2Tokenizer
    from transformers.models.siglip2.image_processing_pil_siglip2 import Siglip2ImageProcessorPil

    words = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "▁", *LETTERS]
    words += [f"<0x{byte:02X}>" for byte in range(256)]
    vocabulary: Any = {word: number for number, word in enumerate(words)}
    tokenizer = Siglip2Tokenizer(vocab=vocabulary, merges=[], model_input_names=["input_ids"])
    tokenizer.save_pretrained(where)
    text = {**TOWER, "vocab_size": len(words), "max_position_embeddings": 64, "projection_size": 16}
    vision = {**TOWER, "patch_size": 8, "num_patches": 16}
    Siglip2Model(Siglip2Config(text_config=text, vision_config=vision)).save_pretrained(where)
    Siglip2ImageProcessorPil(patch_size=8, max_num_patches=16).save_pretrained(where)


def _save_align(where: Path) -> None:
    from transformers import AlignConfig, AlignModel
    from transformers.models.bert.tokenization_bert import BertTokenizer
    from transformers.models.efficientnet.image_processing_pil_efficientnet import (
        EfficientNetImageProcessorPil,
    )

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *(f"##{c}" for c in LETTERS)]
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


MAKERS: Mapping[str, Callable[[Path], None]] = {
    "clip": _save_clip,
    "siglip": _save_siglip,
    "siglip2": _save_siglip2,
    "align": _save_align,
}
"""By `model_type`."""


def save(kind: str, folder: Path) -> Path:
    """Write a model that the provider clip loads; the same weights each time.

    Args:
        kind: One of `MAKERS`.
        folder: Where to write; must not exist yet.
    """
    import torch

    torch.manual_seed(0)
    MAKERS[kind](folder)
    return folder
