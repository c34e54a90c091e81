"""What a vector is: the fingerprint says exactly how it was made, the space what it compares to.

The space decides: vectors of two spaces are never mixed. The fingerprint informs: it keys the
cache, and a difference is a warning. Device and batch size are in neither.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from embedbridge.contract.model import EmbeddingModel

ENGINE_VERSION = 1
"""Raised when the engine itself would make another vector from the same input."""


def fingerprint(model: EmbeddingModel) -> str:
    """SHA-256 in 64 hexadecimal digits over all that decides how a vector comes out."""
    identity = dict(model.identity())
    described = {
        "engine": ENGINE_VERSION,
        "provider": model.provider,
        "model": identity.pop("model", model.name),
        "prompts": [model.prompt("query"), model.prompt("document")],
        "identity": identity,
    }
    text = json.dumps(described, sort_keys=True, ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def space(model: EmbeddingModel) -> str:
    """The name of the space; shortened vectors have one of their own."""
    card = model.card
    name = model.options.space or card.space or f"{model.provider}:{model.name}"
    dimensions = model.options.dimensions
    shortened = dimensions is not None and dimensions != card.dimensions
    return f"{name}#{dimensions}" if shortened else name
