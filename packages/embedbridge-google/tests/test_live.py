"""The real APIs, for those who have a key or credentials: `pytest -m live --force-enable-socket`."""

from __future__ import annotations

import os

import numpy as np
import pytest

from embedbridge.contract import Image, Mixed
from embedbridge.core import load_embedder
from embedbridge.testing import tiny_png

# At import: the fixtures of conftest.py clear the environment.
KEY = os.environ.get("GOOGLE_API_KEY") or os.environ.get("GEMINI_API_KEY")
PROJECT = os.environ.get("GOOGLE_CLOUD_PROJECT")
TOKEN = os.environ.get("GOOGLE_ACCESS_TOKEN")  # of `gcloud auth print-access-token`
TEXTS = ["A cat sat on the mat.", "A kitten rested on the rug.", "Interest rates were raised."]

pytestmark = pytest.mark.live
with_key = pytest.mark.skipif(not KEY, reason="GOOGLE_API_KEY is not set")
with_token = pytest.mark.skipif(
    not (PROJECT and TOKEN), reason="GOOGLE_CLOUD_PROJECT and GOOGLE_ACCESS_TOKEN are not set"
)


def assert_related(vectors: np.ndarray) -> None:
    cat, kitten, rates = vectors

    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)
    assert cat @ kitten > cat @ rates + 0.05


@with_key
@pytest.mark.parametrize("dimensions", [None, 256])
@pytest.mark.parametrize("model", ["gemini-embedding-001", "gemini-embedding-2"])
def test_related_texts_are_close(model: str, dimensions: int | None) -> None:
    """Width, length and meaning, each as documented; one vector for each text."""
    with load_embedder(f"google:{model}", api_key=KEY, dimensions=dimensions) as embedder:
        vectors = embedder.embed_documents(TEXTS)

    assert vectors.shape == (3, dimensions or 3072)
    assert_related(vectors)


@with_key
def test_images_share_the_space_of_texts() -> None:
    """A red square is nearer to its name than to another's."""
    red = Image.from_bytes(tiny_png(255, 0, 0, size=64))
    with load_embedder("google:gemini-embedding-2", api_key=KEY) as embedder:
        queries = embedder.embed_queries(["a plain red picture", "a tax form"])
        image, mixed = embedder.embed([red, Mixed("Red.", red)], role="document").vectors

    assert queries[0] @ image > queries[1] @ image
    assert queries[0] @ mixed > queries[1] @ mixed


@with_token
@pytest.mark.parametrize(
    "model", ["gemini-embedding-001", "gemini-embedding-2", "text-embedding-005"]
)
def test_vertex(model: str) -> None:
    """Both forms of requests are taken."""
    with load_embedder(f"vertex:{model}", api_key=TOKEN, project=PROJECT, location="us-central1") as embedder:  # fmt: skip
        assert_related(embedder.embed_documents(TEXTS))
