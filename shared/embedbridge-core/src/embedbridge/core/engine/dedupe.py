"""Deduplication: a content that occurs several times is embedded once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from embedbridge.contract.inputs import Content


def dedupe(contents: Sequence[Content]) -> tuple[list[Content], NDArray[np.intp] | None]:
    """Unique contents in order of appearance, and for each content which of them it is.

    Returns:
        The unique contents, and an index of shape (len(contents),) or `None` without duplicates.
    """
    unique = list(dict.fromkeys(contents))
    if len(unique) == len(contents):
        return unique, None
    place = {content: number for number, content in enumerate(unique)}
    return unique, np.fromiter(map(place.__getitem__, contents), np.intp, len(contents))
