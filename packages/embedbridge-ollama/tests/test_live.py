"""A real server, for those who run one: `OLLAMA_TEST_MODEL=nomic-embed-text pytest -m live --force-enable-socket`."""

from __future__ import annotations

import os

import numpy as np
import pytest

from embedbridge.core import load_embedder

MODEL = os.environ.get("OLLAMA_TEST_MODEL")

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not MODEL, reason="OLLAMA_TEST_MODEL is not set"),
]


def test_related_texts_are_close() -> None:
    """Width and meaning; a text that is too long is cut and reported."""
    texts = ["A cat sat on the mat.", "A kitten rested on the rug.", "Interest rates were raised."]
    with load_embedder(f"ollama:{MODEL}") as embedder:
        result = embedder.embed([*texts, "long " * 50_000], role="document")
    cat, kitten, rates, _ = result.vectors

    assert result.truncated.tolist() == [False, False, False, True]
    assert np.linalg.norm(cat) == pytest.approx(1, abs=1e-3)
    assert cat @ kitten > cat @ rates
