"""Where the tiny CLIP lies that ships with this package; nothing is imported to say it."""

from __future__ import annotations

from pathlib import Path


def folder() -> Path:
    """A CLIP for `pictures`: in the files of transformers, for `clip:`, and as ONNX, for `onnx:`.

    It was trained by `scripts/train_tiny_clip.py`; its README.md says on what, and how well it
    finds pictures.
    """
    return Path(__file__).parent / "data" / "tiny-clip"
