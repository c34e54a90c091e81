"""A device that runs out of memory: the engine then tries fewer inputs at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from embedbridge.contract.errors import RequestTooLargeError
from embedbridge.contract.local.memory import is_out_of_memory

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
