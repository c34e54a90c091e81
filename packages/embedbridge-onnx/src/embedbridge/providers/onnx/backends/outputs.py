"""Output selection: which output of an ONNX file holds the vectors of tokens."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from embedbridge.contract.errors import ConfigurationError, short_path
from embedbridge.contract.local import WEIGHTED_LAYERS

LOGITS = "logits"
"""The output of an export that predicts words: one number for each word, and no vector of a token."""
AXES = 3
"""Texts, tokens, width."""


def find_output(
    outputs: Sequence[tuple[Collection[str], int]], path: Path, *, weighs_layers: bool
) -> int:
    """The position of the output that holds vectors of tokens.

    Args:
        outputs: Names and number of axes of each.
        path: The model's file, for messages.
        weighs_layers: Whether they must be the weighted mean of layers.

    Raises:
        ConfigurationError: There is none.
    """
    for position, (names, axes) in enumerate(outputs):
        if axes == AXES and LOGITS not in names and (WEIGHTED_LAYERS in names) == weighs_layers:
            return position
    if weighs_layers:
        raise ConfigurationError(
            f"{short_path(path)} has no weighted mean of layers, which WeightedLayerPooling takes.",
            hint="Make a file that has: embedbridge export huggingface:MODEL FOLDER",
        )
    raise ConfigurationError(
        f"{short_path(path)} has no vectors of tokens among its outputs.",
        hint="Export the transformer alone; pooling is done here.",
    )
