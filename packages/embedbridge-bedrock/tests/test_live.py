"""The real API, for those who have credentials: `pytest -m live --force-enable-socket`."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

from embedbridge.core import load_embedder

REGION = os.environ.get("AWS_REGION")
ACCOUNT = any(os.environ.get(name) for name in ("AWS_BEARER_TOKEN_BEDROCK", "AWS_ACCESS_KEY_ID"))
TEXTS = ["A cat sat on the mat.", "A kitten rested on the rug.", "Interest rates were raised."]

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not (REGION and ACCOUNT), reason="no credentials and region of AWS are set"),
]


@pytest.fixture(autouse=True)
def _no_environment() -> None:
    """The developer's own environment is what is asked for here."""


@pytest.mark.parametrize(
    ("name", "options", "width"),
    [
        ("amazon.titan-embed-text-v2:0", {}, 1024),
        ("amazon.titan-embed-text-v2:0", {"dimensions": 256}, 256),
        ("amazon.titan-embed-image-v1", {}, 1024),
        ("amazon.nova-2-multimodal-embeddings-v1:0", {"dimensions": 384}, 384),
        ("us.cohere.embed-v4:0", {"dimensions": 512}, 512),
        ("cohere.embed-english-v3", {"output_type": "int8"}, 1024),
        ("us.twelvelabs.marengo-embed-3-0-v1:0", {}, 512),
    ],
    ids=str,
)
def test_related_texts_are_close(name: str, options: dict[str, Any], width: int) -> None:
    """Width, tokens and meaning, each as documented."""
    with load_embedder(f"bedrock:{name}", **options) as embedder:
        result = embedder.embed(TEXTS, role="document")
    cat, kitten, rates = result.vectors / np.linalg.norm(result.vectors, axis=1, keepdims=True)

    assert result.vectors.shape == (3, width)
    assert not result.usage.estimated
    assert cat @ kitten > cat @ rates
