"""The proof of an export: vectors of real texts, as queries and as documents, beside those of torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from embedbridge.contract.errors import EmbedBridgeError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from sentence_transformers import SentenceTransformer

    from embedbridge.contract.vocabulary import Role

    Vectors = Mapping[Role, NDArray[np.float32]]

TEXTS = 24
FARTHEST = 1e-3
"""By what share the two lengths of a vector may differ."""


def expected_vectors(model: SentenceTransformer) -> Vectors:
    """What sentence-transformers makes of the texts of each role."""
    texts = _texts()
    return {
        "query": model.encode_query(texts["query"], show_progress_bar=False),
        "document": model.encode_document(texts["document"], show_progress_bar=False),
    }


def compare(theirs: Vectors, folder: Path) -> tuple[float, float]:
    """Embed the same texts with the export.

    Returns:
        The mean and the least cosine between the two vectors of a text.

    Raises:
        EmbedBridgeError: The vectors have another width or length.
    """
    import numpy as np

    from embedbridge.core import load_embedder

    texts = _texts()
    with load_embedder(f"onnx:{folder}") as embedder:
        ours = [
            embedder.embed(texts[role], role=role, show_progress=False).vectors for role in theirs
        ]
    found, expected = np.concatenate(ours), np.concatenate(list(theirs.values()))
    if found.shape != expected.shape:
        raise EmbedBridgeError(
            f"The export makes vectors of {found.shape[1]} numbers, the model of {expected.shape[1]}.",
            hint="Use the model through huggingface:MODEL instead.",
        )
    lengths = np.linalg.norm(found, axis=1), np.linalg.norm(expected, axis=1)
    if not np.allclose(*lengths, rtol=FARTHEST, atol=0):
        raise EmbedBridgeError(
            "The export makes vectors of another length than the model.",
            hint="Use the model through huggingface:MODEL instead.",
        )
    cosines = np.sum(found * expected, axis=1) / (lengths[0] * lengths[1])
    return float(cosines.mean()), float(cosines.min())


def _texts() -> Mapping[Role, list[str]]:
    """Real texts of mixed length, which come with Python: one half for each role."""
    from pydoc_data.topics import topics

    names = sorted(topics)[:TEXTS]
    texts = [topics[name][: 20 * 2 ** (number % 8)] for number, name in enumerate(names)]
    return {"document": texts[::2], "query": texts[1::2]}
