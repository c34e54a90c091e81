"""The real API, for those who have a key: `pytest -m live --force-enable-socket`."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

from embedbridge.core import load_embedder

KEY = os.environ.get("MISTRAL_API_KEY")

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not KEY, reason="MISTRAL_API_KEY is not set"),
]


@pytest.mark.parametrize(
    ("model", "options", "width"),
    [
        ("mistral-embed", {}, 1024),
        ("codestral-embed", {}, 1536),
        ("codestral-embed", {"dimensions": 3072}, 3072),
        ("codestral-embed", {"output_type": "int8"}, 1536),
        ("codestral-embed", {"output_type": "ubinary"}, 192),
    ],
    ids=str,
)
def test_widths_and_types(model: str, options: dict[str, Any], width: int) -> None:
    """Each as documented; more inputs than one request takes."""
    texts = [f"text number {number}" for number in range(300)]
    with load_embedder(f"mistral:{model}", api_key=KEY, **options) as embedder:
        assert embedder.embed_documents(texts).shape == (300, width)


def test_related_texts_are_close() -> None:
    """Meaning, and unit length."""
    texts = ["A cat sat on the mat.", "A kitten rested on the rug.", "Interest rates were raised."]
    with load_embedder("mistral:mistral-embed", api_key=KEY) as embedder:
        cat, kitten, rates = embedder.embed_documents(texts)

    assert cat @ kitten > cat @ rates + 0.1
    assert np.linalg.norm(cat) == pytest.approx(1.0, abs=1e-3)
