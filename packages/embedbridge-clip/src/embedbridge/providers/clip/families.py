"""The architectures with two towers, one for texts and one for images, and how each reads a text."""

from __future__ import annotations

from typing import Literal, TypeAlias

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
