"""Fingerprint and space of a model: how its vectors are made, and what they compare with.

Vectors of two spaces are never compared. The fingerprint is part of every cache key; vectors of one
space with two fingerprints give a warning. Device and batch size are in neither.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from dataclasses import dataclass, field

from embedbridge.contract.callers import level_of_caller
from embedbridge.contract.errors import SpaceMismatchError
from embedbridge.contract.forks import ForkSafeLock
from embedbridge.contract.model import EmbeddingModel, LocalEmbeddingModel
from embedbridge.core.engine.job_spec import Pinned

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
            stacklevel=level_of_caller(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Fingerprint and space of the vectors of one loading of the weights."""

    fingerprint: str
    space: str
    edition: int | None
    """Which loading of the weights, see `LocalEmbeddingModel.weights_edition`."""
    pinned: Pinned = field(default_factory=Pinned)


class KnownIdentity:
    """The identity of one model: reckoned once, and again when its weights are loaded anew.

    A closed model may be used again, and a forked child reads its weights again: from files that may
    be other ones by then. All embedders of one model object share this.

    Args:
        model: The model.
    """

    def __init__(self, model: EmbeddingModel) -> None:
        self._model = model
        self._known: Identity | None = None
        self._lock = ForkSafeLock()

    @property
    def pinned_dimensions(self) -> int | None:
        """The width of the first answer, if there was one."""
        return None if self._known is None else self._known.pinned.dimensions

    def for_job(self) -> Identity:
        """The identity of the vectors that are made now; the weights are loaded for it."""
        known = self._known
        if known is None or _is_outdated(known, self._edition()):
            with self._lock:
                known = self._known
                if known is None or _is_outdated(known, self._edition()):
                    known = self._known = self._reckoned()
        return known

    def latest(self) -> Identity:
        """That of the weights in memory, else of those before: a closed model is not loaded for it."""
        known = self._known
        if known is not None and self._edition() in (known.edition, 0):
            return known
        return self.for_job()

    def _edition(self) -> int | None:
        model = self._model
        return model.weights_edition if isinstance(model, LocalEmbeddingModel) else None

    def _reckoned(self) -> Identity:
        model = self._model
        if self._edition() == 0:
            model.card  # noqa: B018  # it loads
        # First: where another thread loads anew meanwhile, the next job sees that it did.
        edition = self._edition()
        made, named = fingerprint(model), space(model)
        return Identity(fingerprint=made, space=named, edition=edition)


def _is_outdated(known: Identity, edition: int | None) -> bool:
    """Whether the weights are other ones by now; of those that are yet to be loaded nobody knows."""
    return edition == 0 or edition != known.edition
