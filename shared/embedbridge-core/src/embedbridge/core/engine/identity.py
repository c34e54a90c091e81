"""Fingerprint and space of a model: how its vectors are made, and what they compare with.

Vectors of two spaces are never compared. The fingerprint is part of every cache key; vectors of one
space with two fingerprints give a warning. Device and batch size are in neither.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from typing import TYPE_CHECKING

from embedbridge.contract.errors import SpaceMismatchError

if TYPE_CHECKING:
    from embedbridge.contract.model import EmbeddingModel

ENGINE_VERSION = 1
"""To be increased when the engine itself makes another vector from the same input."""


def fingerprint(model: EmbeddingModel) -> str:
    """SHA-256, as 64 hexadecimal digits, of everything that decides the numbers of a vector."""
    identity = dict(model.identity())
    if "dimensions" in identity and identity["dimensions"] == model.card.dimensions:
        del identity["dimensions"]  # the model's own width, written out
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


def check_compatible(stored: object, *, space: str, fingerprint: str) -> None:
    """Make sure that stored vectors may be compared with those of this space.

    Args:
        stored: A space's name, or anything with `space` and `fingerprint`.
        space: The space of the model that is used now.
        fingerprint: How its vectors are made; another one is a warning.

    Raises:
        SpaceMismatchError: They are of another space.
    """
    theirs = stored if isinstance(stored, str) else getattr(stored, "space", None)
    if theirs is None:
        raise SpaceMismatchError(
            f"{type(stored).__name__} does not know its space.",
            hint="Pass the space's name, or what load_vectors or embed returned.",
        )
    if theirs != space:
        raise SpaceMismatchError(
            f"The stored vectors are of space {theirs!r}, this model's are of {space!r}.",
            hint="Embed again with this model, or load the model that made them.",
        )
    made = getattr(stored, "fingerprint", None)
    if made is not None and made != fingerprint:
        warnings.warn(
            "The stored vectors are of the same space but were made differently "
            "(another revision, prompt or option).",
            UserWarning,
            stacklevel=3,
        )
