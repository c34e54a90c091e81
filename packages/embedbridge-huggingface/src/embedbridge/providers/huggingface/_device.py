"""Which device a model runs on, and how much it bears at once."""

from __future__ import annotations

from collections.abc import Mapping

from embedbridge.contract.card import Limits
from embedbridge.contract.errors import InvalidOptionError

ITEMS_AND_TOKENS: Mapping[str, tuple[int, int, int]] = {
    # Texts, images and padded tokens in one forward pass. On processors 1,024 to 4,096 tokens are
    # fastest: more leave the caches. A GPU wants to be filled, and still has to hold larger models.
    # An image is hundreds of tokens.
    "cpu": (256, 16, 2048),
    "mps": (512, 32, 8192),
    "cuda": (1024, 64, 32768),
}


def choose_device(wanted: str | None = None) -> str:
    """The device to use: the wanted one if it works here, else CUDA, MPS or the CPU.

    Raises:
        InvalidOptionError: The wanted device is not there.
    """
    import torch

    if wanted is None:
        return best_device(cuda=torch.cuda.is_available(), mps=torch.backends.mps.is_available())
    try:
        torch.empty(0, device=wanted)
    # An unknown name, no driver and a torch built without it are three different exceptions.
    except (AssertionError, NotImplementedError, RuntimeError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise InvalidOptionError(
            f"Device {wanted!r} cannot be used here: {reason}.",
            hint=f"Leave it out to use {choose_device()!r}.",
        ) from error
    return wanted


def best_device(*, cuda: bool, mps: bool) -> str:
    """The fastest of those that are there."""
    if cuda:
        return "cuda"
    return "mps" if mps else "cpu"


def limits_on(device: str, *, devices: int = 1, max_tokens_per_input: int | None = None) -> Limits:
    """How much one call may hold.

    Args:
        device: Name of a device, for example `"cuda:0"`.
        devices: How many of them share the call.
        max_tokens_per_input: Tokens of one text, special ones included.
    """
    kind = device.partition(":")[0]
    texts, images, tokens = ITEMS_AND_TOKENS.get(kind, ITEMS_AND_TOKENS["mps"])
    return Limits(
        max_items=texts * devices,
        max_items_by_modality={"image": images * devices, "mixed": images * devices},
        max_tokens_per_request=tokens * devices,
        max_tokens_per_input=max_tokens_per_input,
        pads=True,
    )
