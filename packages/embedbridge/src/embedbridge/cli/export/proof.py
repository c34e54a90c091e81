"""The proof of an export: its vectors of real texts and of noisy pictures, beside those of torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from embedbridge.contract.errors import EmbedBridgeError

if TYPE_CHECKING:
    import numpy as np
    import PIL.Image
    from numpy.typing import NDArray

    from embedbridge.contract.vocabulary import Role

    Vectors = Sequence[NDArray[np.float32]]

TEXTS = 24
SIZES = ((40, 30), (30, 40), (96, 96), (200, 20), (3, 5), (640, 480))
"""Width and height of the pictures: lying, upright, square, thin, tiny, large."""
FARTHEST = 1e-3
"""By what share the two lengths of a vector may differ."""


def compare(ours: Vectors, theirs: Vectors, instead: str) -> tuple[float, float]:
    """Compare vectors of the same inputs.

    Args:
        ours: Those of the export.
        theirs: Those of torch.
        instead: What to do with a model that cannot be exported.

    Returns:
        The mean and the least cosine between the two vectors of an input.

    Raises:
        EmbedBridgeError: The vectors have another width or length.
    """
    import numpy as np

    found, expected = np.concatenate(ours), np.concatenate(theirs)
    if found.shape != expected.shape:
        raise EmbedBridgeError(
            f"The export makes vectors of {found.shape[1]} numbers, the model of {expected.shape[1]}.",
            hint=instead,
        )
    lengths = np.linalg.norm(found, axis=1), np.linalg.norm(expected, axis=1)
    if not np.allclose(*lengths, rtol=FARTHEST, atol=0):
        raise EmbedBridgeError(
            "The export makes vectors of another length than the model.", hint=instead
        )
    both = lengths[0] * lengths[1]
    # Of two vectors of zeros, which have no direction, the one is as good as the other.
    cosines = np.where(
        both == 0, 1.0, np.sum(found * expected, axis=1) / np.where(both == 0, 1, both)
    )
    return float(cosines.mean()), float(cosines.min())


def example_texts() -> Mapping[Role, list[str]]:
    """Real texts of mixed length, which come with Python: one half for each role."""
    from pydoc_data.topics import topics

    names = sorted(topics)[:TEXTS]
    texts = [topics[name][: 20 * 2 ** (number % 8)] for number, name in enumerate(names)]
    return {"document": texts[::2], "query": texts[1::2]}


def example_pictures() -> list[PIL.Image.Image]:
    """Pictures of every shape, in which every pixel counts."""
    import numpy as np
    from PIL import Image

    random = np.random.default_rng(0)
    return [
        Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8))
        for width, height in SIZES
    ]
