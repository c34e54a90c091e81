"""Whoever listens in LlamaIndex, as recorders; and the texts that most tests embed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from llama_index.core.base.embeddings.base import dispatcher as embedding_dispatcher
from llama_index.core.callbacks import CallbackManager, CBEventType
from llama_index.core.callbacks.base_handler import BaseCallbackHandler
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events import BaseEvent
from llama_index.core.instrumentation.span_handlers import BaseSpanHandler

from embedbridge.core import Embedder
from embedbridge.testing import RecordingModel
from llama_index.embeddings.embedbridge import EmbedBridgeEmbedding

TEXTS = [f"Text number {number}, which is like no other." for number in range(25)]


class EventRecorder(BaseEventHandler):
    """Every instrumentation event, in order."""

    seen: list[BaseEvent] = []  # noqa: RUF012  # pydantic copies it for each instance

    def handle(self, event: BaseEvent, **kwargs: Any) -> None:
        self.seen.append(event)

    def names(self) -> list[str]:
        return [event.class_name() for event in self.seen]


class SpanRecorder(BaseSpanHandler[Any]):
    """What a span handler is shown: which methods, and everything that could be written down."""

    entered: list[str] = []  # noqa: RUF012
    exited: list[str] = []  # noqa: RUF012
    dropped: list[str] = []  # noqa: RUF012
    shown: list[str] = []  # noqa: RUF012

    def new_span(
        self,
        id_: str,
        bound_args: Any,
        instance: Any = None,
        parent_span_id: str | None = None,
        tags: Any = None,
        **kwargs: Any,
    ) -> None:
        self.entered.append(id_.partition("-")[0])
        self.shown += [id_, repr(bound_args), repr(instance), str(instance), repr(tags)]

    def prepare_to_exit_span(
        self, id_: str, bound_args: Any, instance: Any = None, result: Any = None, **kwargs: Any
    ) -> None:
        self.exited.append(id_.partition("-")[0])
        self.shown += [repr(bound_args), repr(instance), repr(result)]

    def prepare_to_drop_span(
        self, id_: str, bound_args: Any, instance: Any = None, err: Any = None, **kwargs: Any
    ) -> None:
        self.dropped.append(id_.partition("-")[0])
        self.shown += [repr(bound_args), repr(instance), repr(err), str(err)]


class CallbackRecorder(BaseCallbackHandler):
    """Starts and ends of EMBEDDING callbacks: (what, event id, payload)."""

    def __init__(self) -> None:
        super().__init__([], [])
        self.seen: list[tuple[str, str, Any]] = []

    def on_event_start(
        self,
        event_type: CBEventType,
        payload: Any = None,
        event_id: str = "",
        parent_id: str = "",
        **kwargs: Any,
    ) -> str:
        if event_type is CBEventType.EMBEDDING:
            self.seen.append(("start", event_id, payload))
        return event_id

    def on_event_end(
        self, event_type: CBEventType, payload: Any = None, event_id: str = "", **kwargs: Any
    ) -> None:
        if event_type is CBEventType.EMBEDDING:
            self.seen.append(("end", event_id, payload))

    def start_trace(self, trace_id: str | None = None) -> None: ...

    def end_trace(self, trace_id: str | None = None, trace_map: Any = None) -> None: ...

    def ids(self, what: str) -> list[str]:
        return [event_id for kind, event_id, _ in self.seen if kind == what]

    def payloads(self, what: str) -> list[Any]:
        return [payload for kind, _, payload in self.seen if kind == what]


@pytest.fixture
def events() -> Iterator[EventRecorder]:
    dispatcher = embedding_dispatcher.root
    recorder = EventRecorder()
    dispatcher.add_event_handler(recorder)
    yield recorder
    dispatcher.event_handlers.remove(recorder)


@pytest.fixture
def spans() -> Iterator[SpanRecorder]:
    dispatcher = embedding_dispatcher.root
    recorder = SpanRecorder()
    dispatcher.add_span_handler(recorder)
    yield recorder
    dispatcher.span_handlers.remove(recorder)


@pytest.fixture
def callbacks() -> CallbackRecorder:
    return CallbackRecorder()


@pytest.fixture
def model() -> RecordingModel:
    """A local model of texts and images that takes 32 inputs a call and remembers them."""
    return RecordingModel("small")


@pytest.fixture
def embedding(model: RecordingModel, callbacks: CallbackRecorder) -> EmbedBridgeEmbedding:
    return EmbedBridgeEmbedding(embedder=model, callback_manager=CallbackManager([callbacks]))


@pytest.fixture
def engine() -> Embedder:
    """The engine alone, over an equal model: what the adapter must agree with."""
    return Embedder(RecordingModel("small"))


@pytest.fixture
def texts() -> list[str]:
    return list(TEXTS)
