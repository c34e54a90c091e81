"""The real API, for those who have a key: `pytest -m live --force-enable-socket`."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

from embedbridge.contract import Image, Mixed
from embedbridge.core import load_embedder
from embedbridge.testing import tiny_png

KEY = os.environ.get("VOYAGE_API_KEY")

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not KEY, reason="VOYAGE_API_KEY is not set"),
]


@pytest.mark.parametrize(
    ("options", "width"),
    [({}, 1024), ({"dimensions": 256}, 256), ({"output_type": "int8"}, 1024)],
    ids=str,
)
def test_related_texts_are_close(options: dict[str, Any], width: int) -> None:
    """Width and meaning, each as documented; also as whole numbers out of base64."""
    texts = ["A cat sat on the mat.", "A kitten rested on the rug.", "Interest rates were raised."]
    with load_embedder("voyage:voyage-4-lite", api_key=KEY, **options) as embedder:
        vectors = embedder.embed_documents(texts)
    cat, kitten, rates = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    assert vectors.shape == (3, width)
    assert cat @ kitten > cat @ rates + 0.1


def test_images_share_the_space_of_texts() -> None:
    """A red square is nearer to its name than to another's."""
    red = Image.from_bytes(tiny_png(255, 0, 0, size=64))
    with load_embedder("voyage:voyage-multimodal-3.5", api_key=KEY) as embedder:
        queries = embedder.embed_queries(["a plain red picture", "a tax form"])
        image, mixed = embedder.embed([red, Mixed("Red.", red)], role="document").vectors

    assert queries[0] @ image > queries[1] @ image
    assert queries[0] @ mixed > queries[1] @ mixed
