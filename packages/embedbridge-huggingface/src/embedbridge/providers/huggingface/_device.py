"""How much a device bears at once."""

from __future__ import annotations

from collections.abc import Mapping

from embedbridge.contract.card import Limits

ITEMS_AND_TOKENS: Mapping[str, tuple[int, int, int]] = {
    # Texts, images and padded tokens in one forward pass. More tokens for each thread of a processor
    # leave its caches. A GPU wants to be filled, and still has to hold larger models.
    # An image is hundreds of tokens.
    "cpu": (256, 16, 512),
    "mps": (512, 32, 8192),
    "cuda": (1024, 64, 32768),
}


def limits_on(device: str, *, devices: int = 1, max_tokens_per_input: int | None = None) -> Limits:
    """How much one call may hold.

    Args:
        device: Name of a device, for example `"cuda:0"`.
        devices: How many of them share the call.
        max_tokens_per_input: Tokens of one text, special ones included.
    """
    kind = device.partition(":")[0]
    texts, images, tokens = ITEMS_AND_TOKENS.get(kind, ITEMS_AND_TOKENS["mps"])
    if kind == "cpu":
        import torch

        tokens *= torch.get_num_threads()
    return Limits(
        max_items=texts * devices,
        max_items_by_modality={"image": images * devices, "mixed": images * devices},
        max_tokens_per_request=tokens * devices,
        max_tokens_per_input=max_tokens_per_input,
        pads=True,
    )
