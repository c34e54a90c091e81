"""The real API, for those who have a key: `pytest -m live --force-enable-socket`."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

from embedbridge.contract import Image, InputTooLongError, Mixed
from embedbridge.core import load_embedder
from embedbridge.testing import tiny_png

KEY = os.environ.get("JINA_API_KEY")

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not KEY, reason="JINA_API_KEY is not set"),
]


@pytest.mark.parametrize("output_type", ["float", "base64"])
@pytest.mark.parametrize(
    ("model", "width"),
    [("jina-embeddings-v5-text-small", 1024), ("jina-embeddings-v3", 1024), ("jina-embeddings-v4", 2048)],
)  # fmt: skip
def test_related_texts_are_close(model: str, width: int, output_type: str) -> None:
    """Width, length and meaning, each as documented; base64 holds the same floats."""
    texts = ["A cat sat on the mat.", "A kitten rested on the rug.", "Interest rates were raised."]
    with load_embedder(f"jina:{model}", api_key=KEY, output_type=output_type) as embedder:
        cat, kitten, rates = vectors = embedder.embed_documents(texts)

    assert vectors.shape == (3, width)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)
    assert cat @ kitten > cat @ rates + 0.1


@pytest.mark.parametrize("model", ["jina-embeddings-v5-omni-small", "jina-clip-v2"])
def test_images_share_the_space_of_texts(model: str) -> None:
    """A red square is nearer to its name than to another's."""
    red = Image.from_bytes(tiny_png(255, 0, 0, size=64))
    with load_embedder(f"jina:{model}", api_key=KEY) as embedder:
        queries = embedder.embed_queries(["a plain red picture", "a tax form"])
        inputs: list[Any] = [red, Mixed("Red.", red)] if "omni" in model else [red]
        found = embedder.embed(inputs, role="document").vectors

    assert (found @ queries[0] > found @ queries[1]).all()


def test_what_is_too_long_is_refused() -> None:
    """The code that the engine cuts by."""
    with (
        load_embedder("jina:jina-embeddings-v3", api_key=KEY, on_too_long="error") as embedder,
        pytest.raises(InputTooLongError),
    ):
        embedder.embed_documents(["wordy " * 9_000])
