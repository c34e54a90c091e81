"""Out of memory: recognised on every device, and answered with a smaller batch.

The engine halves a batch that is too large. Only an input that does not fit alone is an error for
the caller, with what can be done about it.
"""

from __future__ import annotations

import ctypes
import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from embedbridge.contract.errors import EmbedBridgeError, RequestTooLargeError

if TYPE_CHECKING:
    from embedbridge.contract.batch import Batch

SIGNS = (
    "bad_alloc",  # C++: onnxruntime and OpenVINO
    "can't allocate memory",  # torch on the CPU
    "cannot allocate memory",
    "failed to allocate",  # onnxruntime
    "not enough memory",  # torch on the CPU, on Windows
    "out of memory",  # CUDA, MPS, OpenVINO's GPU
)
"""What the libraries write: only torch has an exception class for it, and for CUDA alone."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that there is no memory left, on whatever device."""
    if isinstance(error, EmbedBridgeError):
        return False  # it has been understood already
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM  # its text may be the name of a file
    text = str(error).lower()
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or any(sign in text for sign in SIGNS)
    )


@contextmanager
def memory_errors(batch: Batch, device: str) -> Iterator[None]:
    """While a batch is computed.

    Raises:
        RequestTooLargeError: The device has too little memory for so many inputs at once.
        EmbedBridgeError: It has too little for a single one.
    """
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        if len(batch) > 1:
            # Without a limit: texts are then counted in tokens, images one by one.
            raise RequestTooLargeError(
                f"There is not enough memory on {device} for {len(batch)} inputs at once."
            ) from error
        raise memory_error(
            device,
            doing=" for a single input",
            hint="Set max_length to cut texts." if batch.modality == "text" else "Resize it.",
        ) from error


def return_freed_memory() -> None:
    """Give memory that was freed back to the system, where the C library keeps it for itself.

    Loading a model takes its weights more than once for a moment: 100 MB of the bundled one stay
    with glibc otherwise. Source: https://man7.org/linux/man-pages/man3/malloc_trim.3.html.
    """
    if sys.platform != "linux":
        return
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
    if trim is not None:
        trim(0)


def memory_error(device: str, *, hint: str, doing: str = "") -> EmbedBridgeError:
    """The error to raise; it is not retried, because the same input needs the same memory."""
    return EmbedBridgeError(f"There is not enough memory on {device}{doing}.", hint=hint)
