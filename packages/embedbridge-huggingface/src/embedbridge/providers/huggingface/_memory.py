"""A device that runs out of memory, told so that one knows what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from embedbridge.contract.errors import EmbedBridgeError
from embedbridge.contract.local.memory import is_out_of_memory

if TYPE_CHECKING:
    from embedbridge.contract.batch import Batch


@contextmanager
def memory_errors(batch: Batch, device: str) -> Iterator[None]:
    """Turn a lack of memory while embedding into an error that names the remedy."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        fewer = max(len(batch) // 2, 1)
        raise memory_error(
            device,
            doing=f" for {_shown(batch)} together",
            hint=f"Set batch_size={fewer}." if len(batch) > 1 else _remedy(batch),
        ) from error


def _shown(batch: Batch) -> str:
    if batch.modality == "text":
        return f"{len(batch)} texts of {batch.tokens} tokens"
    return f"{len(batch)} inputs with images"


def _remedy(batch: Batch) -> str:
    return "Set max_length to cut texts." if batch.modality == "text" else "Use smaller images."


def memory_error(device: str, *, hint: str, doing: str = "") -> EmbedBridgeError:
    """The error to raise; it is not retried, because the same batch needs the same memory."""
    return EmbedBridgeError(f"There is not enough memory on {device}{doing}.", hint=hint)
