"""The hosted models, for those who have a key: `pytest -m live --force-enable-socket`."""

from __future__ import annotations

import os

import pytest

from embedbridge.contract import InputTooLongError
from embedbridge.core import load_embedder

KEY = os.environ.get("NVIDIA_API_KEY")
MODEL = "nvidia:nvidia/nemotron-3-embed-1b"

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not KEY, reason="NVIDIA_API_KEY is not set"),
]


@pytest.mark.parametrize("output_type", ["float", "base64"])
def test_related_texts_are_close(output_type: str) -> None:
    """Width and meaning, each as documented; base64 holds the same floats."""
    texts = ["A cat sat on the mat.", "Interest rates were raised."]
    with load_embedder(MODEL, api_key=KEY, output_type=output_type, normalize=True) as embedder:
        documents = embedder.embed_documents(texts)
        query = embedder.embed_query("Where was the cat?")

    assert documents.shape == (2, 2048)
    assert documents[0] @ query > documents[1] @ query + 0.1


def test_what_is_too_long_is_refused() -> None:
    """The sentence that the engine cuts by."""
    with (
        load_embedder(MODEL, api_key=KEY, on_too_long="error") as embedder,
        pytest.raises(InputTooLongError),
    ):
        embedder.embed_documents(["wordy " * 9_000])
