"""Post-processing: truncation to fewer dimensions (Matryoshka), and L2 normalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from embedbridge.contract.errors import InvalidOptionError
from embedbridge.contract.vectors import normalize

if TYPE_CHECKING:
    from embedbridge.contract.batch import Vectors
    from embedbridge.contract.card import ModelCard
    from embedbridge.contract.options import ModelOptions


def finish(vectors: Vectors, card: ModelCard, options: ModelOptions) -> Vectors:
    """Shorten vectors that the model did not shorten itself, and normalise them where asked.

    Shortened vectors have length 1 if the model's own have, or if `normalize` asks for it.

    Raises:
        InvalidOptionError: The model makes vectors that are narrower than was asked for.
    """
    width = vectors.shape[1]
    if options.dimensions is not None and options.dimensions > width:
        raise InvalidOptionError(
            f"{options.dimensions} dimensions were asked for, the model makes {width} dimensions.",
            hint=f"Ask for 1 to {width}.",
        )
    shortened = options.dimensions is not None and options.dimensions < width
    if shortened:
        vectors = np.ascontiguousarray(vectors[:, : options.dimensions])
    asked = options.normalize
    if asked or (asked is None and shortened and card.normalized):
        return normalize(vectors)
    return vectors
