"""A device that runs out of memory: the engine then tries fewer inputs at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from embedbridge.contract.errors import RequestTooLargeError

if TYPE_CHECKING:
    from embedbridge.contract.batch import Batch


@contextmanager
def memory_errors(batch: Batch, device: str) -> Iterator[None]:
    """Turn a lack of memory while embedding into the error that halves the batch."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise RequestTooLargeError(
            f"There is not enough memory on {device} for {len(batch)} {batch.modality}s together.",
            limit="items",
            hint="Use a smaller model, or dtype='bfloat16'.",
        ) from error


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
