"""The architectures with two towers, one for texts and one for images, and what their configuration says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Padding: TypeAlias = Literal["longest", "max_length"]

PADDING: dict[str, Padding] = {
    "align": "longest",
    "altclip": "longest",
    "chinese_clip": "longest",
    "clip": "longest",
    "metaclip_2": "longest",
    # Trained on texts that were filled up, without a mask:
    # https://huggingface.co/docs/transformers/model_doc/siglip
    "siglip": "max_length",
    "siglip2": "max_length",
}
"""By `model_type` of transformers: to which length the texts of a batch are filled up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoTowers:
    """What is known of two towers without their weights."""

    padding: Padding
    """To which length the texts of a batch are filled up."""
    max_length: int
    """Tokens for which the text tower has learnt a position, or fewer if its tokenizer says so."""
    dimensions: int
    """Width of a vector."""


def describe_towers(config: Mapping[str, Any], tokenizer: Mapping[str, Any]) -> TwoTowers:
    """Read a configuration of transformers, with every default written out.

    Args:
        config: As in `config.json`; of an architecture of `PADDING`.
        tokenizer: As in `tokenizer_config.json`; its limit is enormous where there is none.

    Raises:
        KeyError: It does not say how wide the vectors are, or how long the texts.
    """
    text = config["text_config"]
    positions: int = text["max_position_embeddings"]
    # SigLIP has no projection; its vision tower is as wide as the text tower's last layer.
    width: int = config.get("projection_dim") or text.get("projection_size") or text["hidden_size"]
    return TwoTowers(
        padding=PADDING[config["model_type"]],
        max_length=min(positions, tokenizer.get("model_max_length", positions)),
        dimensions=width,
    )
