"""Comparing vectors, and making twins of the embedder under test that differ in one option."""

from __future__ import annotations

from typing import Any

import numpy as np

from embedbridge.core import Embedder


def gap_between(found: Any, expected: Any) -> float:
    """The largest difference between two arrays; infinite if their shapes differ."""
    if np.shape(found) != np.shape(expected):
        return float("inf")
    return float(np.abs(np.asarray(found) - np.asarray(expected)).max(initial=0.0))


def assert_same(found: Any, expected: Any, tolerance: float, matter: str) -> None:
    """Two arrays have one shape and differ nowhere by more than the tolerance."""
    shapes = (np.shape(found), np.shape(expected))
    assert shapes[0] == shapes[1], f"{matter}: the shapes are {shapes[0]} and {shapes[1]}"
    gap = gap_between(found, expected)
    assert gap <= tolerance, (
        f"{matter}: they differ by {gap:.2g}{_rows(found, expected, tolerance)}"
    )


def assert_different(found: Any, other: Any, tolerance: float, matter: str) -> None:
    """Two arrays differ somewhere by more than the tolerance."""
    gap = gap_between(found, other)
    assert gap > tolerance, f"{matter}: they differ by {gap:.2g} only"


def twin(embedder: Embedder, **options: Any) -> Embedder:
    """An embedder of its own for the same model with other options; close it after use."""
    model = embedder.model
    given = {name: getattr(model.options, name) for name in model.options.model_fields_set}
    made = type(model)(model.name, **{**given, **options})
    return Embedder(made, settings=embedder.settings)


def _rows(found: Any, expected: Any, tolerance: float) -> str:
    """Which rows of two matrices differ."""
    if np.ndim(found) != 2:
        return ""
    apart = np.abs(np.asarray(found) - np.asarray(expected)).max(axis=1) > tolerance
    return f" at inputs {np.flatnonzero(apart).tolist()[:10]}"
