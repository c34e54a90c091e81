"""Smoke test: `embedbridge doctor MODEL` embeds one text, and says what came of it."""

from __future__ import annotations

from time import perf_counter
from typing import Any

from embedbridge.cli.doctor.remedies import explained

TEXT = "A cat sleeps on the warm stove."


def try_model(model: str, options: dict[str, Any]) -> dict[str, Any]:
    """Load a model and embed one text with it, not with what a cache holds.

    Args:
        model: `"provider:model"`.
        options: As `load_embedder` takes them.
    """
    import numpy as np

    from embedbridge.core import load_embedder

    facts: dict[str, Any] = {"model": model, "works": False}
    begun = perf_counter()
    try:
        with (
            load_embedder(model, **{**options, "errors": "raise"}) as loaded,
            loaded.using(cache=False) as embedder,
        ):
            facts["space"], facts["fingerprint"] = embedder.space, embedder.fingerprint
            facts["seconds_to_load"] = perf_counter() - begun
            begun = perf_counter()
            result = embedder.embed([TEXT], role="query", show_progress=False)
            facts["seconds"] = perf_counter() - begun
            facts["dimensions"] = int(result.vectors.shape[1])
            facts["length"] = float(np.linalg.norm(result.vectors[0]))
            facts["tokens"] = result.usage.tokens
            facts["learned_limits"] = dict(embedder.learned_limits)
    except Exception as error:  # noqa: BLE001  # a model of others may raise anything
        return {**facts, **explained(error)}
    return {**facts, "works": True}
