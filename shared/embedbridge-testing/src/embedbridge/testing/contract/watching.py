"""Recording a model's calls: what it was asked, what it answered, and in which thread."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from embedbridge.contract import Batch, EmbeddingModel


@dataclass(slots=True)
class Call:
    """One call of `embed_batch`."""

    batch: Batch
    """What it was asked."""
    inputs: list[Any]
    """The inputs as they were before the call."""
    thread: threading.Thread
    """Where it ran."""
    result: Any = None
    """What it answered."""
    vectors: Any = None
    """A copy of the vectors, made at once."""
    error: BaseException | None = None
    """What it raised."""
    index: int | None = None
    """The position in the batch that the error named; the engine counts in the whole job."""

    def answered(self, result: Any) -> Any:
        """Keep the answer, and hand it on."""
        self.result = result
        self.vectors = np.array(getattr(result, "vectors", None), copy=True)
        return result

    def failed(self, error: BaseException) -> None:
        """Keep the error as it is now."""
        self.error = error
        self.index = getattr(error, "index", None)


@contextmanager
def watched(model: EmbeddingModel, begun: threading.Event | None = None) -> Iterator[list[Call]]:
    """Collect every call of the model's `embed_batch`; the first one sets the event."""
    calls: list[Call] = []
    original = model.embed_batch

    def spy(batch: Batch) -> Any:
        call = Call(batch, list(batch.inputs), threading.current_thread())
        calls.append(call)
        if begun is not None:
            begun.set()
        try:
            answer = original(batch)
        except BaseException as error:
            call.failed(error)
            raise
        return awaited(call, answer) if inspect.isawaitable(answer) else call.answered(answer)

    async def awaited(call: Call, answer: Any) -> Any:
        try:
            return call.answered(await answer)
        except BaseException as error:
            call.failed(error)
            raise

    with replaced(model, spy):
        yield calls


@contextmanager
def replaced(model: EmbeddingModel, embed_batch: Any) -> Iterator[None]:
    """Another `embed_batch` for this one object, for as long as the block lasts."""
    before = vars(model).get("embed_batch")
    setattr(model, "embed_batch", embed_batch)  # noqa: B010  # mypy forbids the plain assignment
    try:
        yield
    finally:
        if before is None:
            delattr(model, "embed_batch")
        else:
            setattr(model, "embed_batch", before)  # noqa: B010
