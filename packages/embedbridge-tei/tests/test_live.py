"""A real server, for those who run one: `TEI_BASE_URL=… TEI_TEST_MODEL=… pytest -m live --force-enable-socket`."""

from __future__ import annotations

import os

import numpy as np
import pytest

from embedbridge.core import load_embedder

URL, MODEL = os.environ.get("TEI_BASE_URL"), os.environ.get("TEI_TEST_MODEL")

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not (URL and MODEL), reason="TEI_BASE_URL or TEI_TEST_MODEL is not set"),
]


def test_related_texts_are_close() -> None:
    """Limits are the server's own, a text that is too long is cut, and meaning is near meaning."""
    texts = ["A cat sat on the mat.", "A kitten rested on the rug.", "Interest rates were raised."]
    with load_embedder(f"tei:{MODEL}", base_url=URL) as embedder:
        result = embedder.embed([*texts, "long " * 50_000], role="document")
        assert embedder.card.limits.max_tokens_per_input
    cat, kitten, rates, _ = result.vectors

    assert result.truncated.tolist() == [False, False, False, True]
    assert np.linalg.norm(cat) == pytest.approx(1, abs=1e-3)
    assert cat @ kitten > cat @ rates
