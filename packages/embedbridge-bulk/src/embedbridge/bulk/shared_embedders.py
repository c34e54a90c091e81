"""Memoization of embedders: all stages of a process that have one configuration share one embedder.

A worker gets a stage with each task; the model is loaded with the first. Embedders are looked up by a
keyed digest: two API keys make two embedders, and the table holds neither of them. Only the last few are
held: a notebook with jobs of many models does not keep all of these in memory.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import PurePath
from typing import Any

from pydantic import SecretStr

from embedbridge.contract.local import LazyModel
from embedbridge.core import Embedder, load_embedder

SALT = os.urandom(16)
"""Random for each process: without it, a digest could be compared with those of guessed keys."""
HELD = 8
"""Embedders at most; an older one lives as long as a stage has it."""
PLAIN = (bool, int, float, str, bytes, type(None))

_embedders: dict[bytes, Embedder] = {}
"""Of this process, by configuration."""


def shared_embedder(
    model: str | Mapping[str, Any], options: Mapping[str, Any], place: str | None = None
) -> Embedder:
    """The embedder of a configuration, loaded when it is first asked for.

    One with an option that is no plain value, such as a client or a cache object, is not shared:
    two objects may look alike and belong to two accounts.

    Args:
        model: `"provider:model"`, or what `Embedder.to_config` returned.
        options: As for `load_embedder`.
        place: Where the model's folder is in the process that the configuration is from, if it has one.
    """
    key = _key(model, options, place)
    if key is None:
        return _made(model, options, place)
    if key not in _embedders:
        # Without a lock, which a forked child might find held: two threads may each make one, which
        # loads nothing yet, and the first is kept.
        made = _embedders.setdefault(key, _made(model, options, place))
        for older in list(_embedders)[:-HELD]:
            _embedders.pop(older, None)
        return made
    return _embedders[key]


def place_of(embedder: Embedder) -> str | None:
    """Where a model's folder is, if it is one that is read in this process."""
    model = embedder.model
    return str(model.place) if isinstance(model, LazyModel) else None


def _made(
    model: str | Mapping[str, Any], options: Mapping[str, Any], place: str | None
) -> Embedder:
    made = load_embedder(model, **options)
    if place is not None and isinstance(made.model, LazyModel):
        made.model.found_at(place)
    return made


def _key(
    model: str | Mapping[str, Any], options: Mapping[str, Any], place: str | None
) -> bytes | None:
    """A digest of all that decides which embedder is made; `None` if it cannot be told.

    Keys and settings that are left out come from the environment, and a model's folder may be named
    relative to the current one.
    """
    try:
        text = _described([model, options, place, dict(os.environ), os.path.abspath(".")])  # noqa: PTH100
    except (TypeError, OSError, AttributeError, pickle.PickleError):
        return None
    return blake2b(text.encode("utf-8", "surrogateescape"), key=SALT, digest_size=16).digest()


def _described(value: object) -> str:
    """A text that is the same for equal values only.

    Raises:
        TypeError: The value is not plain.
    """
    kind = type(value).__name__
    if type(value) in PLAIN or isinstance(value, PurePath):
        return f"{kind} {value!r}"
    if isinstance(value, SecretStr):
        return f"{kind} {value.get_secret_value()!r}"
    if isinstance(value, Mapping):
        pairs = sorted((_described(name), _described(each)) for name, each in value.items())
        return f"mapping {pairs!r}"
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return f"sequence {[_described(each) for each in value]!r}"
    if isinstance(getattr(value, "books", None), str):
        # A limiter that travels: a pickle of it asks the same books, so equal pickles do.
        return f"limiter {pickle.dumps(value)!r}"
    raise TypeError
