"""Which device a model runs on, and how much it bears at once."""

from __future__ import annotations

from collections.abc import Mapping

from embedbridge.contract.card import Limits
from embedbridge.contract.errors import InvalidOptionError

AT_ONCE: Mapping[str, tuple[int, int, int]] = {
    # Images, texts and padded tokens in one call. A processor gains little from more than a few
    # dozen images; a GPU wants to be filled, and still has to hold larger models.
    "cpu": (32, 256, 2048),
    "mps": (64, 512, 8192),
    "cuda": (256, 1024, 32768),
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
