"""LlamaIndex's methods give the engine's vectors, sync and async, and hand over whole jobs."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llama_index.core import VectorStoreIndex
from llama_index.core.base.embeddings.base import SimilarityMode
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.schema import TextNode

from embedbridge.contract import Image, InvalidInputError, Mixed, UnsupportedModalityError
from embedbridge.core import Embedder
from embedbridge.testing import FakeModel, RecordingModel, RemoteFakeModel, tiny_png
from llama_index.embeddings.embedbridge import EmbedBridgeEmbedding

ONE = [
    ("get_query_embedding", "query"),
    ("get_text_embedding", "document"),
    ("_get_query_embedding", "query"),
    ("_get_text_embedding", "document"),
]
MANY = ["get_text_embedding_batch", "_get_text_embeddings", "_get_text_embeddings_cached"]


def twin(name: str) -> str:
    return f"_a{name[1:]}" if name.startswith("_") else f"a{name}"


@pytest.fixture(params=[FakeModel, RemoteFakeModel], ids=["local", "remote"])
def either(request: Any) -> EmbedBridgeEmbedding:
    """The adapter over a local and over a remote model."""
    return EmbedBridgeEmbedding(embedder=request.param("small"))


@pytest.mark.parametrize(("method", "role"), ONE)
async def test_one_text(
    either: EmbedBridgeEmbedding, engine: Embedder, method: str, role: Any
) -> None:
    """A single text has the engine's vector for its role, sync and async."""
    expected = engine.embed(["a text"], role=role).tolist()[0]

    assert getattr(either, method)("a text") == expected
    assert await getattr(either, twin(method))("a text") == expected


@pytest.mark.parametrize("method", MANY)
async def test_many_texts(
    either: EmbedBridgeEmbedding, engine: Embedder, texts: list[str], method: str
) -> None:
    """Many texts have the engine's vectors, in order, sync and async."""
    expected = engine.embed_documents(texts).tolist()

    assert getattr(either, method)(texts) == expected
    assert await getattr(either, twin(method))(texts) == expected


async def test_rate_limited_hook(
    either: EmbedBridgeEmbedding, engine: Embedder, texts: list[str]
) -> None:
    """LlamaIndex's private way around its limiter gives the same vectors."""
    vectors = await either._aget_text_embeddings_rate_limited(texts)

    assert vectors == engine.embed_documents(texts).tolist()


@pytest.mark.parametrize("method", ["get_image_embedding", "_get_image_embedding"])
async def test_one_image(
    either: EmbedBridgeEmbedding, engine: Embedder, method: str, tmp_path: Path
) -> None:
    """A single image has the engine's vector, sync and async."""
    path = tmp_path / "red.png"
    path.write_bytes(tiny_png())
    expected = engine.embed_images([Image.from_path(path)]).tolist()[0]

    assert getattr(either, method)(str(path)) == expected
    assert await getattr(either, twin(method))(str(path)) == expected


@pytest.mark.parametrize("method", ["get_image_embedding_batch", "_get_image_embeddings"])
async def test_many_images(either: EmbedBridgeEmbedding, engine: Embedder, method: str) -> None:
    """Many images have the engine's vectors, in order, sync and async."""
    images = [tiny_png(red) for red in range(40)]
    expected = engine.embed_images(map(Image.from_bytes, images)).tolist()

    assert getattr(either, method)(images) == expected
    assert await getattr(either, twin(method))(images) == expected


def test_vectors_are_lists_of_floats(embedding: EmbedBridgeEmbedding) -> None:
    """LlamaIndex and its stores get plain Python numbers."""
    vector = embedding.get_text_embedding("a text")

    assert type(vector) is list
    assert {type(number) for number in vector} == {float}


def test_query_and_document_differ(embedding: EmbedBridgeEmbedding) -> None:
    """A query is embedded as a query, and not as a document."""
    assert embedding.get_query_embedding("a") != embedding.get_text_embedding("a")


async def test_aggregation_is_one_call_in_the_query_role(
    embedding: EmbedBridgeEmbedding, model: RecordingModel, texts: list[str]
) -> None:
    """Several queries are embedded together, as queries, and their mean is given back."""
    expected = Embedder(FakeModel("small")).embed_queries(texts).mean(axis=0, dtype=np.float64)

    assert embedding.get_agg_embedding_from_queries(texts) == pytest.approx(expected)
    assert await embedding.aget_agg_embedding_from_queries(texts) == pytest.approx(expected)
    assert [(batch.role, len(batch)) for batch in model.batches] == [("query", 25)] * 2


def test_own_aggregation(embedding: EmbedBridgeEmbedding) -> None:
    """A caller's own function gets the list of vectors."""
    first = embedding.get_agg_embedding_from_queries(["a", "b"], lambda vectors: vectors[0])

    assert first == embedding.get_query_embedding("a")


async def test_aggregating_nothing(embedding: EmbedBridgeEmbedding) -> None:
    """No queries have no mean; the error is ours, and in the words that LlamaIndex's users know."""
    with pytest.raises(InvalidInputError, match="No embeddings to aggregate"):
        embedding.get_agg_embedding_from_queries([])
    with pytest.raises(InvalidInputError, match="No embeddings to aggregate"):
        await embedding.aget_agg_embedding_from_queries([])


async def test_nodes(embedding: EmbedBridgeEmbedding, engine: Embedder) -> None:
    """As a transformation it embeds what a node wants embedded, and gives back the nodes."""
    nodes = [TextNode(text=f"text {n}", metadata={"page": n}) for n in range(12)]
    expected = engine.embed_documents([f"page: {n}\n\ntext {n}" for n in range(12)]).tolist()

    assert [node.embedding for node in embedding(nodes)] == expected
    assert [node.embedding for node in await embedding.acall(nodes)] == expected


async def test_a_pipeline_can_skip_empty_nodes(model: RecordingModel) -> None:
    """With `on_empty="skip"` a transformation hands nodes without text on to nobody."""
    embedding = EmbedBridgeEmbedding(embedder=model, on_empty="skip")
    nodes = [TextNode(text=text, id_=text) for text in ("a", "", "b", " \n\t", "c")]
    pipeline = IngestionPipeline(transformations=[embedding])

    assert [node.node_id for node in pipeline.run(nodes=nodes)] == ["a", "b", "c"]
    assert [node.node_id for node in await pipeline.arun(nodes=nodes)] == ["a", "b", "c"]
    assert [node.node_id for node in await embedding.acall(nodes)] == ["a", "b", "c"]
    assert set(model.seen) == {"a", "b", "c"}
    (described,) = embedding([TextNode(text="", metadata={"page": 1})])
    assert described.embedding == embedding.get_text_embedding("page: 1")


@pytest.mark.parametrize("on_empty", ["error", "skip"])
async def test_lists_have_no_place_for_what_is_skipped(
    model: RecordingModel, on_empty: str
) -> None:
    """Whoever is owed a vector for each text hears which one is empty, before anything is sent."""
    embedding = EmbedBridgeEmbedding(embedder=model, on_empty=on_empty)
    nodes = [TextNode(text=text) for text in ("a", " ")]
    for call in (
        lambda: embedding.get_text_embedding_batch(["a", " "]),
        lambda: VectorStoreIndex(nodes, embed_model=embedding),
    ):
        with pytest.raises(InvalidInputError, match=r"Input 1: .*on_empty=\"embed\""):
            call()
    with pytest.raises(InvalidInputError, match="Input 0: "):
        await embedding.aget_text_embedding("")

    assert model.seen == []


async def test_empty_texts_can_be_embedded(either: EmbedBridgeEmbedding, engine: Embedder) -> None:
    """With `on_empty="embed"`, an index of nodes with blanks is a full index."""
    embedding = EmbedBridgeEmbedding(embedder=either.embedder, on_empty="embed")
    expected = engine.using(on_empty="embed").embed_documents(["a", " ", ""]).tolist()

    assert embedding.get_text_embedding_batch(["a", " ", ""]) == expected
    assert await embedding.aget_text_embedding_batch(["a", " ", ""]) == expected
    assert [node.embedding for node in embedding([TextNode(text=" ")])] == [expected[1]]


@pytest.mark.parametrize("mode", list(SimilarityMode))
def test_similarity(embedding: EmbedBridgeEmbedding, mode: SimilarityMode) -> None:
    """LlamaIndex's three similarities work on our vectors, and a vector is nearest to itself."""
    a, b = embedding.get_text_embedding_batch(["a", "b"])

    assert embedding.similarity(a, a, mode) > embedding.similarity(a, b, mode)


# Whole jobs.


def test_a_job_arrives_whole(embedding: EmbedBridgeEmbedding, model: RecordingModel) -> None:
    """The engine plans the job: batches as large as the model takes, not slices of 10."""
    embedding.get_text_embedding_batch([f"text {number}" for number in range(100)])

    assert sorted(map(len, model.batches)) == [4, 32, 32, 32]


async def test_an_async_job_arrives_whole(
    embedding: EmbedBridgeEmbedding, model: RecordingModel
) -> None:
    """The same for the async twin."""
    await embedding.aget_text_embedding_batch([f"text {number}" for number in range(100)])

    assert sorted(map(len, model.batches)) == [4, 32, 32, 32]


def test_a_job_is_sorted_by_length_over_all_of_it(
    embedding: EmbedBridgeEmbedding, model: RecordingModel
) -> None:
    """Little is padded: long texts go together, wherever they stood."""
    embedding.get_text_embedding_batch([f"{n} " + "word " * (n % 2) * 100 for n in range(64)])

    assert all(len({len(text) > 100 for text in batch.texts}) == 1 for batch in model.batches)


@pytest.mark.parametrize("when", ["in the constructor", "afterwards"])
def test_embed_batch_size_caps_a_call_if_it_was_set(texts: list[str], when: str) -> None:
    """A user's `embed_batch_size` is the most inputs that a call may have."""
    model = RecordingModel()
    if when == "afterwards":
        embedding = EmbedBridgeEmbedding(embedder=model)
        embedding.get_text_embedding("another one first")
        embedding.embed_batch_size = 4
        model.batches.clear()
    else:
        embedding = EmbedBridgeEmbedding(embedder=model, embed_batch_size=4)

    embedding.get_text_embedding_batch(texts)

    assert sorted(map(len, model.batches)) == [1, 4, 4, 4, 4, 4, 4]


def test_duplicates_are_paid_once(embedding: EmbedBridgeEmbedding, model: RecordingModel) -> None:
    """Ten equal texts are one input for the model, and ten equal vectors for the caller."""
    vectors = embedding.get_text_embedding_batch(["the same"] * 10)

    assert len(model.seen) == 1
    assert vectors == [vectors[0]] * 10


async def test_an_empty_job(embedding: EmbedBridgeEmbedding, model: RecordingModel) -> None:
    """Nothing in, nothing out, nothing called."""
    assert embedding.get_text_embedding_batch([]) == []
    assert await embedding.aget_text_embedding_batch([]) == []
    assert embedding.get_image_embedding_batch([]) == []
    assert model.batches == []


async def test_a_generator(
    embedding: EmbedBridgeEmbedding, engine: Embedder, texts: list[str]
) -> None:
    """Texts may come from a generator, with or without listeners."""
    expected = engine.embed_documents(texts).tolist()

    assert embedding.get_text_embedding_batch(text for text in texts) == expected
    assert await embedding.aget_text_embedding_batch(text for text in texts) == expected
    assert embedding.get_text_embedding_batch(iter(texts), show_progress=True) == expected


async def test_a_generator_never_blocks_the_event_loop(embedding: EmbedBridgeEmbedding) -> None:
    """It may read files: the async methods advance it in a thread."""
    seen: list[int] = []

    def texts() -> Iterator[str]:
        for text in ("a", "b"):
            seen.append(threading.get_ident())
            yield text

    await embedding.aget_text_embedding_batch(texts())
    await embedding.aget_agg_embedding_from_queries(texts())

    assert len(seen) == 4
    assert threading.get_ident() not in seen


def test_our_own_inputs(embedding: EmbedBridgeEmbedding, engine: Embedder) -> None:
    """What the engine takes is taken here too: `Mixed` becomes one vector."""
    mixed = Mixed("A cat:", Image.from_bytes(tiny_png()))

    assert (
        embedding.get_text_embedding_batch([mixed])
        == engine.embed([mixed], role="document").tolist()
    )


@pytest.mark.parametrize(
    ("method", "inputs", "description"),
    [
        ("get_text_embedding_batch", ["a", "b"], "Generating embeddings"),
        ("get_image_embedding_batch", [tiny_png(1), tiny_png(2)], "Generating image embeddings"),
    ],
    ids=["texts", "images"],
)
async def test_show_progress(
    embedding: EmbedBridgeEmbedding,
    capsys: pytest.CaptureFixture[str],
    method: str,
    inputs: Any,
    description: str,
) -> None:
    """A bar that counts inputs appears when it is asked for, and only then."""
    getattr(embedding, method)(inputs)
    assert capsys.readouterr().err == ""

    getattr(embedding, method)(inputs, show_progress=True)
    bar = capsys.readouterr().err
    await getattr(embedding, twin(method))(inputs, show_progress=True)

    assert description in bar
    assert "2/2" in bar
    assert description in capsys.readouterr().err


# Bad input.

BAD = [
    (None, 1, "NoneType"),
    (b"bytes", 1, "bytes"),
    (5, 1, "int"),
    ("", 1, "empty"),
    (" \n\t", 1, "white space"),
    ("half \ud83d", 1, "surrogate"),
]


@pytest.mark.parametrize(("bad", "index", "said"), BAD, ids=[said for _, _, said in BAD])
async def test_a_bad_text_is_named(
    embedding: EmbedBridgeEmbedding, model: RecordingModel, bad: Any, index: int, said: str
) -> None:
    """What cannot be embedded is named with its index; nothing was sent."""
    with pytest.raises(InvalidInputError, match=said) as caught:
        embedding.get_text_embedding_batch(["good", bad, "good too"])
    with pytest.raises(InvalidInputError, match=said) as acaught:
        await embedding.aget_text_embedding_batch(["good", bad, "good too"])

    assert caught.value.index == acaught.value.index == index
    assert model.batches == []


@pytest.mark.parametrize("bad", ["abc", b"abc", None, 5, {"a": 1}, {"a"}], ids=repr)
@pytest.mark.parametrize(
    "method", ["get_text_embedding_batch", "get_agg_embedding_from_queries", "_get_text_embeddings"]
)
async def test_a_single_value_where_a_list_is_due(
    embedding: EmbedBridgeEmbedding, model: RecordingModel, method: str, bad: Any
) -> None:
    """A bare `str` is never embedded character by character."""
    with pytest.raises(InvalidInputError, match="list"):
        getattr(embedding, method)(bad)
    with pytest.raises(InvalidInputError, match="list"):
        await getattr(embedding, twin(method))(bad)
    assert model.batches == []


@pytest.mark.parametrize("method", ["get_text_embedding", "get_query_embedding"])
@pytest.mark.parametrize("bad", [None, b"abc", ["a list"], ""], ids=repr)
async def test_a_bad_single_text(embedding: EmbedBridgeEmbedding, method: str, bad: Any) -> None:
    """A single text that is none is an error of the same kind, at index 0."""
    with pytest.raises(InvalidInputError) as caught:
        getattr(embedding, method)(bad)
    with pytest.raises(InvalidInputError):
        await getattr(embedding, twin(method))(bad)

    assert caught.value.index == 0


def test_an_image_for_a_text_model() -> None:
    """A model of texts says that it takes no images, and which one was the first."""
    embedding = EmbedBridgeEmbedding("fake:text")

    with pytest.raises(UnsupportedModalityError) as caught:
        embedding.get_image_embedding_batch([tiny_png()])
    assert caught.value.index == 0


@pytest.mark.parametrize("text", ["/etc/hosts", "https://127.0.0.1:9/cat.png", "data:image/png;,"])
def test_a_text_is_always_text(
    embedding: EmbedBridgeEmbedding, engine: Embedder, text: str
) -> None:
    """A text that looks like a path or a URL is embedded as the text that it is."""
    assert embedding.get_text_embedding(text) == engine.embed_documents([text]).tolist()[0]


async def test_collected_errors_are_raised_at_the_end() -> None:
    """LlamaIndex has no place for an error beside a vector, and NaN must not enter an index."""
    model = RecordingModel()
    embedding = EmbedBridgeEmbedding(embedder=Embedder(model).using(errors="collect"))

    with pytest.raises(InvalidInputError) as caught:
        embedding.get_text_embedding_batch(["good", None])
    with pytest.raises(InvalidInputError):
        await embedding.aget_text_embedding_batch(["good", None])

    assert caught.value.index == 1
    assert model.seen == ["good", "good"]


async def settled(made: Any) -> Any:
    return await made if inspect.isawaitable(made) else made


class Zeros(FakeModel):
    """Has no vector for anything."""

    def embed_batch(self, batch: Any) -> Any:
        made = super().embed_batch(batch)
        return replace(made, vectors=np.zeros_like(made.vectors))


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("hooked", [False, True], ids=["plain", "subclass"])
@pytest.mark.parametrize("name", ["get_query_embedding", "get_text_embedding_batch", "__call__"])
async def test_a_warning_names_the_line_of_the_caller(
    name: str, hooked: bool, is_async: bool
) -> None:
    """LlamaIndex's instrumentation stands between: all lines of a program would share one warning."""

    class Hooked(EmbedBridgeEmbedding):
        def _get_query_embedding(self, query: str) -> Any:
            return super()._get_query_embedding(query)

        def _get_text_embeddings(self, texts: Any) -> Any:
            return super()._get_text_embeddings(texts)

    made: Any = Hooked if hooked else EmbedBridgeEmbedding
    embedding = made(embedder=Embedder(Zeros("small")))
    texts: Any = {"get_query_embedding": "a", "get_text_embedding_batch": ["a"]}
    method = name
    if is_async:
        method = {"__call__": "acall"}.get(name, twin(name))
    with pytest.warns(UserWarning, match="zeros") as caught:
        await settled(getattr(embedding, method)(texts.get(name, [TextNode(text="a")])))

    assert {warning.filename for warning in caught} == {__file__}
