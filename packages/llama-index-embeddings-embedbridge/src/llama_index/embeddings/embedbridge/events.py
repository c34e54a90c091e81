"""The events of a job, as LlamaIndex's users know them.

For every `embed_batch_size` inputs: an `EmbeddingStartEvent` and the start of a callback of kind
EMBEDDING before the job, the end of that callback and an `EmbeddingEndEvent` after it. If the job
fails, the callbacks end with its exception. Without listeners, nothing is made.

They go to LlamaIndex's own dispatcher for embeddings, so whoever listens there hears these models
as any other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from llama_index.core.base.embeddings.base import BaseEmbedding, Embedding, dispatcher
from llama_index.core.callbacks import CallbackManager, CBEventType, EventPayload
from llama_index.core.instrumentation.event_handlers import NullEventHandler
from llama_index.core.instrumentation.events.embedding import (
    EmbeddingEndEvent,
    EmbeddingStartEvent,
)

from embedbridge.contract import Input, Mixed, Text


@contextmanager
def announced(
    model: BaseEmbedding, inputs: Sequence[Input]
) -> Iterator[Callable[[list[Embedding]], None]]:
    """Announce the job in the block; tell what it gives its vectors, and the events end.

    Example:
        with announced(model, texts) as finish:
            vectors = embed(texts)
            finish(vectors)
    """
    if not (_is_heard() or _has_handlers(model.callback_manager)):
        yield _say_nothing
        return
    groups = _Groups(model, inputs)
    try:
        groups.start()
        yield groups.end
    except BaseException as error:
        groups.abandon(error)
        raise


class _Groups:
    """The groups of a job, and the callbacks that have started and not ended."""

    def __init__(self, model: BaseEmbedding, inputs: Sequence[Input]) -> None:
        size = model.embed_batch_size
        self._callbacks = model.callback_manager
        self._payload = model.to_payload()
        self._groups = [inputs[start : start + size] for start in range(0, len(inputs), size)]
        self._open: deque[str] = deque()

    def start(self) -> None:
        for _ in self._groups:
            dispatcher.event(EmbeddingStartEvent(model_dict=self._payload))
            event_id = self._callbacks.on_event_start(
                CBEventType.EMBEDDING, payload={EventPayload.SERIALIZED: self._payload}
            )
            self._open.append(event_id)

    def end(self, vectors: list[Embedding]) -> None:
        done = 0
        for group in self._groups:
            chunks = [_described(value) for value in group]
            embeddings = vectors[done : done + len(group)]  # the same lists, not copies
            done += len(group)
            self._end_callback({EventPayload.CHUNKS: chunks, EventPayload.EMBEDDINGS: embeddings})
            dispatcher.event(_end_event(chunks, embeddings))

    def abandon(self, error: BaseException) -> None:
        payload: dict[str, Any] | None = None
        # The mark is LlamaIndex's: an exception is reported by the innermost event only.
        if isinstance(error, Exception) and not hasattr(error, "event_added"):
            payload = {EventPayload.EXCEPTION: error}
            error.event_added = True  # type: ignore[attr-defined]
        while self._open:
            with suppress(Exception):  # the job's own error is the one to hear of
                self._end_callback(payload)

    def _end_callback(self, payload: dict[str, Any] | None) -> None:
        self._callbacks.on_event_end(
            CBEventType.EMBEDDING,
            payload=payload,
            event_id=self._open.popleft(),
        )


def _end_event(chunks: list[str], embeddings: list[Embedding]) -> EmbeddingEndEvent:
    event = EmbeddingEndEvent(chunks=[], embeddings=[])
    # Assigned afterwards: given to the constructor, pydantic would look at and copy every float.
    event.chunks, event.embeddings = chunks, embeddings
    return event


def _say_nothing(vectors: list[Embedding]) -> None:
    """There are no listeners."""


def _described(value: Input) -> str:
    """An input as a chunk: a text as it is, an image by its path or in a few words."""
    if isinstance(value, str):
        return value
    if isinstance(value, Text):
        return value.text
    if isinstance(value, Mixed):
        return " ".join(map(_described, value.parts))
    return str(value.source) if value.kind == "path" else f"image: {value.described}"


def _is_heard() -> bool:
    """Whether an event handler listens to the dispatcher, or to one that it propagates to."""
    current = dispatcher
    while True:
        if any(not isinstance(handler, NullEventHandler) for handler in current.event_handlers):
            return True
        if not current.propagate:
            return False
        current = current.parent


def _has_handlers(callbacks: CallbackManager) -> bool:
    # A subclass may listen by itself.
    return bool(callbacks.handlers) or type(callbacks) is not CallbackManager
