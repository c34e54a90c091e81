"""The real API, for those who have a key: `pytest -m live --force-enable-socket`."""

from __future__ import annotations

import os

import numpy as np
import pytest

from embedbridge.core import load_embedder

KEY = os.environ.get("OPENAI_API_KEY")

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not KEY, reason="OPENAI_API_KEY is not set"),
]


@pytest.mark.parametrize("dimensions", [None, 256])
def test_related_texts_are_close(dimensions: int | None) -> None:
    """Width, length and meaning, each as documented."""
    texts = ["A cat sat on the mat.", "A kitten rested on the rug.", "Interest rates were raised."]
    model = "openai:text-embedding-3-small"
    with load_embedder(model, api_key=KEY, dimensions=dimensions) as embedder:
        cat, kitten, rates = embedder.embed_documents(texts)

    assert cat.shape == (dimensions or 1536,)
    assert np.linalg.norm(cat) == pytest.approx(1.0, abs=1e-3)
    assert cat @ kitten > cat @ rates + 0.2
