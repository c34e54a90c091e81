"""Batch sizes by device: how many inputs and padded tokens one forward pass may hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from embedbridge.contract.card import Limits
from embedbridge.contract.errors import InvalidOptionError


class AtOnce(NamedTuple):
    """What one forward pass may hold."""

    texts: int
    images: int
    tokens: int
    """Padded ones."""


def check_length(wanted: int | None, most: int | None) -> None:
    """Refuse the option `max_length` where it is more than the model has positions for.

    Raises:
        InvalidOptionError: It is.
    """
    if wanted is not None and most is not None and wanted > most:
        raise InvalidOptionError(
            f"max_length={wanted} is more than the {most} tokens that the model was built for.",
            hint=f"Set max_length to {most} or less, or leave it out.",
        )


def limits_on(
    device: str,
    sizes: Mapping[str, AtOnce],
    *,
    devices: int = 1,
    max_tokens_per_input: int | None,
    fills_up: bool = False,
) -> Limits:
    """How much one call may hold.

    Args:
        device: Name of a device, for example `"cuda:0"`.
        sizes: By kind of device; `"mps"` stands for those that are not named.
        devices: How many of them share the call.
        max_tokens_per_input: Tokens of one text, special ones included.
        fills_up: Whether every text is filled up to that length, however short it is.
    """
    texts, images, tokens = sizes.get(device.partition(":")[0], sizes["mps"])
    if fills_up and max_tokens_per_input is not None:
        texts = min(texts, max(tokens // max_tokens_per_input, 1))
    return Limits(
        max_items=texts * devices,
        max_items_by_modality={"image": images * devices, "mixed": images * devices},
        max_tokens_per_request=tokens * devices,
        max_tokens_per_input=max_tokens_per_input,
        pads=True,
    )
