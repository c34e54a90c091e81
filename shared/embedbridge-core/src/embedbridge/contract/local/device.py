"""torch's devices: which of them a model runs on, and how torch computes in a forked child."""

from __future__ import annotations

import sys
from typing import Any

from embedbridge.contract.errors import InvalidOptionError
from embedbridge.contract.forks import in_forked_child


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


@in_forked_child
def _one_thread_in_child() -> None:
    """Keep torch to one thread in a forked child.

    OpenMP's threads do not follow into it, and a child that hands them work waits for ever. torch's
    own worker processes for data do the same.
    """
    torch: Any = sys.modules.get("torch")
    if hasattr(torch, "set_num_threads"):
        torch.set_num_threads(1)
