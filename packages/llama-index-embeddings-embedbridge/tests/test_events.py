"""Events, spans and callbacks, as LlamaIndex's users know them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.base.embeddings.base import dispatcher
from llama_index.core.callbacks import (
    CallbackManager,
    CBEventType,
    EventPayload,
    TokenCountingHandler,
)
from llama_index.core.schema import TextNode

from embedbridge.contract import EmbedBridgeError, Image, InvalidInputError, Mixed, Text
from embedbridge.testing import RecordingModel, RemoteFakeModel, tiny_png
from llama_index.embeddings.embedbridge import EmbedBridgeEmbedding

START, END = "EmbeddingStartEvent", "EmbeddingEndEvent"
PAYLOAD = {
    "class_name": "EmbedBridgeEmbedding",
    "model_name": "fake:small",
    "embed_batch_size": 10,
}


async def call(embedding: EmbedBridgeEmbedding, method: str, *args: Any) -> Any:
    """Call a method, sync or async."""
    answer = getattr(embedding, method)(*args)
    return await answer if asyncio.iscoroutine(answer) else answer


@pytest.fixture(params=["", "a"], ids=["sync", "async"])
def way(request: Any) -> str:
    return str(request.param)


async def test_one_text_is_one_pair(
    embedding: EmbedBridgeEmbedding, callbacks: Any, events: Any, way: str
) -> None:
    """A single text makes a start and an end, with the payloads of LlamaIndex's own models."""
    vector = await call(embedding, f"{way}get_query_embedding", "a query")

    start, end = events.seen
    assert events.names() == [START, END]
    assert start.model_dict == PAYLOAD
    assert (end.chunks, end.embeddings) == (["a query"], [vector])
    assert callbacks.payloads("start") == [{EventPayload.SERIALIZED: PAYLOAD}]
    assert callbacks.payloads("end") == [
        {EventPayload.CHUNKS: ["a query"], EventPayload.EMBEDDINGS: [vector]}
    ]


async def test_a_job_is_announced_in_groups(
    embedding: EmbedBridgeEmbedding, callbacks: Any, events: Any, texts: list[str], way: str
) -> None:
    """Every `embed_batch_size` texts make a pair, in order; together they are the whole job."""
    vectors = await call(embedding, f"{way}get_text_embedding_batch", texts)

    ends = [event for event in events.seen if event.class_name() == END]
    assert events.names() == [START] * 3 + [END] * 3
    assert [end.chunks for end in ends] == [texts[:10], texts[10:20], texts[20:]]
    assert [vector for end in ends for vector in end.embeddings] == vectors
    assert callbacks.ids("start") == callbacks.ids("end")
    assert len(set(callbacks.ids("start"))) == 3
    assert [p[EventPayload.CHUNKS] for p in callbacks.payloads("end")] == [
        end.chunks for end in ends
    ]


async def test_groups_follow_embed_batch_size(
    embedding: EmbedBridgeEmbedding, callbacks: Any, texts: list[str], way: str
) -> None:
    """A user's `embed_batch_size` is the size of the groups as well."""
    embedding.embed_batch_size = 7
    await call(embedding, f"{way}get_text_embedding_batch", texts)

    assert [len(p[EventPayload.CHUNKS]) for p in callbacks.payloads("end")] == [7, 7, 7, 4]


async def test_groups_do_not_slice_the_job(
    embedding: EmbedBridgeEmbedding, model: RecordingModel, texts: list[str], way: str
) -> None:
    """Listening does not change what the model is asked."""
    await call(embedding, f"{way}get_text_embedding_batch", texts)

    assert [len(batch) for batch in model.batches] == [25]


def test_events_share_the_vectors(embedding: EmbedBridgeEmbedding, events: Any) -> None:
    """The lists in events are those that the caller gets: floats are converted once."""
    vectors = embedding.get_text_embedding_batch(["a", "b"])

    assert events.seen[-1].embeddings[0] is vectors[0]


def test_events_can_be_written_down(embedding: EmbedBridgeEmbedding, events: Any) -> None:
    """They are whole, although nobody validated them: time, id, span and JSON."""
    embedding.get_text_embedding("a")

    start, end = (event.model_dump(mode="json") for event in events.seen)
    assert start["id_"] != end["id_"]
    assert start["timestamp"] <= end["timestamp"]
    assert start["span_id"] == end["span_id"]
    assert end["span_id"].startswith("EmbedBridgeEmbedding.get_text_embedding-")


async def test_images_are_announced_too(
    embedding: EmbedBridgeEmbedding, callbacks: Any, events: Any, tmp_path: Path, way: str
) -> None:
    """Images make the same events; chunks are strings: a path, or a few words, never bytes."""
    path = tmp_path / "red.png"
    path.write_bytes(tiny_png())
    images = [str(path), tiny_png(1), Image.from_bytes(tiny_png(2))]

    await call(embedding, f"{way}get_image_embedding_batch", images)
    await call(embedding, f"{way}get_image_embedding", path)

    size = len(tiny_png(1))
    chunks = [str(path), f"image: {size} bytes", f"image: {size} bytes"]
    assert events.names() == [START, END] * 2
    assert events.seen[1].chunks == chunks
    assert callbacks.payloads("end")[0][EventPayload.CHUNKS] == chunks
    assert events.seen[3].chunks == [str(path)]


def test_our_own_inputs_are_described(embedding: EmbedBridgeEmbedding, events: Any) -> None:
    """A `Text` is its text; a sequence of parts is one chunk, a string as well."""
    embedding.get_text_embedding_batch(
        [Text("a"), Mixed("A cat:", Image.from_bytes(tiny_png()))],
    )

    assert events.seen[-1].chunks == ["a", f"A cat: image: {len(tiny_png())} bytes"]


async def test_aggregation_is_announced(
    embedding: EmbedBridgeEmbedding, callbacks: Any, events: Any, way: str
) -> None:
    """Queries that are aggregated are seen by whoever counts them."""
    await call(embedding, f"{way}get_agg_embedding_from_queries", ["a", "b"])

    assert events.names() == [START, END]
    assert callbacks.payloads("end")[0][EventPayload.CHUNKS] == ["a", "b"]


PUBLIC = [
    ("get_query_embedding", "a"),
    ("get_text_embedding", "a"),
    ("get_text_embedding_batch", ["a"]),
    ("get_image_embedding", tiny_png()),
    ("get_image_embedding_batch", [tiny_png()]),
    ("get_agg_embedding_from_queries", ["a"]),
]


@pytest.mark.parametrize(("method", "argument"), PUBLIC, ids=[name for name, _ in PUBLIC])
async def test_every_public_method_is_one_span(
    embedding: EmbedBridgeEmbedding, spans: Any, method: str, argument: Any, way: str
) -> None:
    """A call is one span of the method's name, which ends."""
    await call(embedding, way + method, argument)

    assert spans.entered == spans.exited == [f"EmbedBridgeEmbedding.{way}{method}"]


class Broken(RecordingModel):
    """A model that takes one batch and then fails."""

    def embed_batch(self, batch: Any) -> Any:
        if self.batches:
            raise RuntimeError("out of memory")
        return super().embed_batch(batch)


async def test_a_job_that_fails_closes_its_events(
    callbacks: Any, events: Any, spans: Any, texts: list[str], way: str
) -> None:
    """Every callback that started ends, with the exception; the span is dropped."""
    embedding = EmbedBridgeEmbedding(
        embedder=Broken(), callback_manager=CallbackManager([callbacks]), embed_batch_size=10
    )

    with pytest.raises(EmbedBridgeError, match="out of memory") as caught:
        await call(embedding, f"{way}get_text_embedding_batch", texts)

    assert callbacks.ids("start") == callbacks.ids("end")
    assert callbacks.payloads("end") == [{EventPayload.EXCEPTION: caught.value}] * 3
    assert END not in events.names()
    assert spans.dropped == [f"EmbedBridgeEmbedding.{way}get_text_embedding_batch"]


def test_an_exception_is_reported_once(callbacks: Any) -> None:
    """An event around ours does not report the same exception again: LlamaIndex's own rule."""
    manager = CallbackManager([callbacks])
    embedding = EmbedBridgeEmbedding("fake:small", callback_manager=manager)

    with pytest.raises(InvalidInputError) as caught, manager.event(CBEventType.EMBEDDING):
        embedding.get_text_embedding("")

    assert callbacks.payloads("end") == [{EventPayload.EXCEPTION: caught.value}, None]


async def test_a_job_that_is_cancelled_closes_its_events(callbacks: Any) -> None:
    """Cancelling ends the callbacks too; that nobody waits any more is no exception of the job."""

    class Stuck(RemoteFakeModel):
        async def embed_batch(self, batch: Any) -> Any:
            loop.call_soon_threadsafe(begun.set)
            await asyncio.Event().wait()

    loop, begun = asyncio.get_running_loop(), asyncio.Event()
    embedding = EmbedBridgeEmbedding(
        embedder=Stuck(), callback_manager=CallbackManager([callbacks])
    )
    job = asyncio.create_task(embedding.aget_text_embedding("a"))
    await begun.wait()
    job.cancel()

    with pytest.raises(asyncio.CancelledError):
        await job
    assert callbacks.payloads("end") == [None]


class BudgetError(RuntimeError):
    """A listener's own failure."""


@pytest.mark.parametrize("when", ["start", "end"])
def test_a_callback_that_fails_leaves_nothing_open(
    model: RecordingModel, callbacks: Any, texts: list[str], when: str
) -> None:
    """A token budget that is exceeded stops the job, as in LlamaIndex, and closes what is open."""

    class Budget(type(callbacks)):  # type: ignore[misc]
        def on_event_start(self, *args: Any, **kwargs: Any) -> str:
            if when == "start" and len(self.seen) == 2:
                raise BudgetError
            return str(super().on_event_start(*args, **kwargs))

        def on_event_end(self, *args: Any, **kwargs: Any) -> None:
            super().on_event_end(*args, **kwargs)
            if when == "end" and len(self.ids("end")) == 1:
                raise BudgetError

    budget = Budget()
    embedding = EmbedBridgeEmbedding(embedder=model, callback_manager=CallbackManager([budget]))

    with pytest.raises(BudgetError):
        embedding.get_text_embedding_batch(texts)

    assert budget.ids("start") == budget.ids("end")


async def test_token_counting(texts: list[str], tmp_path: Path, way: str) -> None:
    """LlamaIndex's counter of tokens counts every text once, and survives images."""
    counter = TokenCountingHandler(tokenizer=str.split)
    embedding = EmbedBridgeEmbedding("fake:small", callback_manager=CallbackManager([counter]))

    await call(embedding, f"{way}get_text_embedding_batch", texts)
    assert counter.total_embedding_token_count == sum(len(text.split()) for text in texts)

    counter.reset_counts()
    await call(embedding, f"{way}get_image_embedding", tiny_png())
    assert counter.total_embedding_token_count == len(["image:", "75", "bytes"])


def test_who_listens_to_llama_index_itself(embedding: EmbedBridgeEmbedding, events: Any) -> None:
    """A handler of LlamaIndex's dispatcher for embeddings hears our models as any other."""
    recorder = type(events)()
    dispatcher.add_event_handler(recorder)
    try:
        embedding.get_text_embedding("a")
    finally:
        dispatcher.event_handlers.remove(recorder)

    assert recorder.names() == [START, END]


async def test_a_transformation_is_one_span(embedding: EmbedBridgeEmbedding, spans: Any) -> None:
    """A pipeline shows each step once, as with every other model of LlamaIndex's."""
    embedding([TextNode(text="a")])
    called = list(spans.entered)
    spans.entered.clear()
    await embedding.acall([TextNode(text="a")])

    assert [name.rpartition(".")[2] for name in called] == ["__call__", "get_text_embedding_batch"]
    assert [name.rpartition(".")[2] for name in spans.entered] == ["aget_text_embedding_batch"]
