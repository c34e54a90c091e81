"""How much a device bears at once."""

from __future__ import annotations

from collections.abc import Mapping

from embedbridge.contract.card import Limits

AT_ONCE: Mapping[str, tuple[int, int, int]] = {
    # Images, texts and padded tokens in one call. A processor gains little from more than a few
    # dozen images; a GPU wants to be filled, and still has to hold larger models.
    "cpu": (32, 256, 2048),
    "mps": (64, 512, 8192),
    "cuda": (256, 1024, 32768),
}


def limits_on(device: str, *, max_tokens_per_input: int, fills_up: bool) -> Limits:
    """How much one call may hold.

    Args:
        device: Name of a device, for example `"cuda:0"`.
        max_tokens_per_input: Tokens of one text, special ones included.
        fills_up: Whether every text is filled up to that length, however short it is.
    """
    images, texts, tokens = AT_ONCE.get(device.partition(":")[0], AT_ONCE["mps"])
    if fills_up:
        texts = min(texts, max(tokens // max_tokens_per_input, 1))
    return Limits(
        max_items=texts,
        max_items_by_modality={"image": images},
        max_tokens_per_request=tokens,
        max_tokens_per_input=max_tokens_per_input,
        pads=True,
    )
