"""One forward pass of a torch model, whatever the caller's thread has set for its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def torch_inference(device: str) -> Iterator[None]:
    """Compute without gradients, and in the number formats that the weights have.

    `torch.autocast` holds for a thread. Around a call of ours it would make coarse vectors, which the
    cache keeps as exact ones, and only in calls that compute in the thread of their caller.

    Args:
        device: Where the model computes, for example `"cuda:0"`.
    """
    import torch

    with ExitStack() as settings:
        settings.enter_context(torch.inference_mode())
        # Parts of a model on another device may lie on the processor.
        for kind in {device.partition(":")[0], "cpu"}:
            if torch.amp.is_autocast_available(kind):
                settings.enter_context(torch.autocast(kind, enabled=False))
        yield
