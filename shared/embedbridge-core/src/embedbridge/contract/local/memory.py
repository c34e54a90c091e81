"""A device that runs out of memory: how one knows."""

from __future__ import annotations


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that there is no memory left, on whatever device."""
    if isinstance(error, MemoryError):
        return True
    # torch.OutOfMemoryError is for CUDA only; MPS and the CPU raise plain RuntimeErrors.
    text = str(error).lower()
    return isinstance(error, RuntimeError) and (
        type(error).__name__ == "OutOfMemoryError"
        or "out of memory" in text
        or "can't allocate memory" in text
        or "not enough memory" in text
    )
