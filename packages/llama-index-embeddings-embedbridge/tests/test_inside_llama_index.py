"""Inside LlamaIndex: settings, indexes, pipelines, splitters."""

from __future__ import annotations

import base64
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import Document, Settings, VectorStoreIndex
from llama_index.core.indices.utils import async_embed_image_nodes, embed_image_nodes
from llama_index.core.ingestion import IngestionCache, IngestionPipeline
from llama_index.core.ingestion.pipeline import get_transformation_hash
from llama_index.core.node_parser import SemanticSplitterNodeParser, SentenceSplitter
from llama_index.core.schema import ImageNode, TextNode

from embedbridge.core import Embedder, load_embedder
from embedbridge.testing import RecordingModel, tiny_png
from llama_index.embeddings.embedbridge import EmbedBridgeEmbedding, resolve_embed_model

BASE64 = base64.b64encode(tiny_png(1)).decode()


@pytest.fixture
def plain_splitter() -> SentenceSplitter:
    """A splitter that needs no tokenizer from the network."""
    return SentenceSplitter(chunk_size=64, chunk_overlap=0, tokenizer=str.split)


@pytest.fixture
def settings() -> Iterator[Any]:
    """LlamaIndex's global settings, put back afterwards."""
    before = Settings._embed_model
    yield Settings
    Settings._embed_model = before


@pytest.fixture
def documents(texts: list[str]) -> list[Document]:
    return [Document(text=text, id_=f"document {n}") for n, text in enumerate(texts)]


def test_settings(settings: Any, texts: list[str]) -> None:
    """`Settings.embed_model` takes ours, and everything uses it from then on."""
    settings.embed_model = resolve_embed_model("fake:small")
    index = VectorStoreIndex([TextNode(text=text) for text in texts])
    (nearest,) = index.as_retriever(similarity_top_k=1).retrieve("which text?")

    assert isinstance(settings.embed_model, EmbedBridgeEmbedding)
    assert nearest.text in texts


async def test_an_index(
    embedding: EmbedBridgeEmbedding, engine: Embedder, model: RecordingModel, texts: list[str]
) -> None:
    """Retrieval ranks as the engine's own vectors do, sync and async, in few calls of the model."""
    index = VectorStoreIndex([TextNode(text=text) for text in texts], embed_model=embedding)
    retriever = index.as_retriever(similarity_top_k=len(texts))
    scores = engine.embed_documents(texts) @ engine.embed_query("which text?")
    expected = sorted(zip(scores.tolist(), texts, strict=True), reverse=True)

    for found in (retriever.retrieve("which text?"), await retriever.aretrieve("which text?")):
        assert [node.text for node in found] == [text for _, text in expected]
        assert [node.score for node in found] == pytest.approx([score for score, _ in expected])
    assert [(batch.role, len(batch)) for batch in model.batches] == [
        ("document", 25),
        ("query", 1),
        ("query", 1),
    ]


def test_images_of_an_index(embedding: EmbedBridgeEmbedding, tmp_path: Any) -> None:
    """What LlamaIndex does with image nodes works, for files and for images in memory."""
    (tmp_path / "red.png").write_bytes(tiny_png())
    nodes = [
        ImageNode(id_="file", image_path=str(tmp_path / "red.png")),
        ImageNode(id_="memory", image=BASE64),
    ]
    found = embed_image_nodes(nodes, embedding)

    assert found["file"] == embedding.get_image_embedding(tiny_png())
    assert found["memory"] == embedding.get_image_embedding(nodes[1])


async def test_images_of_an_index_async(embedding: EmbedBridgeEmbedding) -> None:
    """The async twin."""
    nodes = [ImageNode(id_="memory", image=BASE64)]

    assert await async_embed_image_nodes(nodes, embedding) == embed_image_nodes(nodes, embedding)


async def test_an_ingestion_pipeline(
    embedding: EmbedBridgeEmbedding,
    engine: Embedder,
    model: RecordingModel,
    plain_splitter: SentenceSplitter,
    documents: list[Document],
) -> None:
    """As a transformation it embeds every chunk, with `run` and `arun`; the pipeline's cache works."""
    pipeline = IngestionPipeline(
        transformations=[plain_splitter, embedding], cache=IngestionCache()
    )
    nodes = pipeline.run(documents=documents)
    again = await pipeline.arun(documents=documents)

    expected = engine.embed_documents([document.text for document in documents]).tolist()
    assert [node.embedding for node in nodes] == expected
    assert [node.embedding for node in again] == expected
    assert [len(batch) for batch in model.batches] == [25]


async def test_an_async_pipeline(
    embedding: EmbedBridgeEmbedding, engine: Embedder, documents: list[Document]
) -> None:
    """`arun` embeds natively."""
    pipeline = IngestionPipeline(transformations=[embedding], disable_cache=True)
    nodes = await pipeline.arun(documents=documents)

    expected = engine.embed_documents([document.text for document in documents]).tolist()
    assert [node.embedding for node in nodes] == expected


def test_another_model_has_other_entries_in_a_pipelines_cache(documents: list[Document]) -> None:
    """A pipeline's cache is keyed by the configuration: another option is another entry."""
    cache = IngestionCache()
    vectors = []
    for seed in (1, 2):
        embedding = EmbedBridgeEmbedding("fake:small", seed=seed)
        pipeline = IngestionPipeline(transformations=[embedding], cache=cache)
        vectors.append(pipeline.run(documents=documents)[0].embedding)

    assert vectors[0] != vectors[1]


@pytest.mark.slow
def test_a_pipeline_of_processes(documents: list[Document]) -> None:
    """`num_workers=2` sends the component to other processes by its configuration."""
    pipeline = IngestionPipeline(transformations=[EmbedBridgeEmbedding("fake:small", seed=3)])
    nodes = pipeline.run(documents=documents, num_workers=2)

    texts = [document.text for document in documents]
    expected = load_embedder("fake:small", seed=3).embed_documents(texts).tolist()
    assert [node.embedding for node in nodes] == expected


def test_a_semantic_splitter(embedding: EmbedBridgeEmbedding, model: RecordingModel) -> None:
    """Splitters that ask for the vectors of all sentences at once get them in one call."""
    splitter = SemanticSplitterNodeParser.from_defaults(
        embed_model=embedding, sentence_splitter=lambda text: text.split(". ")
    )
    nodes = splitter.get_nodes_from_documents([Document(text="One. Two. Three. Four. Five.")])

    assert "".join(node.get_content() for node in nodes) == "OneTwoThreeFourFive."
    assert [len(batch) for batch in model.batches] == [5]


def test_weights_that_are_written_anew_have_other_entries_in_a_pipelines_cache(
    tmp_path: Path, documents: list[Document]
) -> None:
    """It is keyed by what is written down of the model: a folder that was trained on is another."""
    pytest.importorskip("embedbridge.providers.onnx", reason="embedbridge-onnx reads the folder")
    (tmp_path / "onnx").mkdir()
    weights = tmp_path / "onnx" / "model.onnx"
    weights.write_bytes(b"before")
    embedding = EmbedBridgeEmbedding(f"onnx:{tmp_path}")  # nothing is loaded
    before = get_transformation_hash(documents, embedding)

    for twin in (
        pickle.loads(pickle.dumps(embedding)),
        type(embedding).from_dict(embedding.to_dict()),
    ):
        assert get_transformation_hash(documents, twin) == before
    weights.write_bytes(b"trained on")
    assert get_transformation_hash(documents, embedding) != before
