"""LlamaIndex's index of texts and images, and its retriever."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llama_index.core.indices import MultiModalVectorStoreIndex
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import BaseNode, ImageDocument, ImageNode, NodeWithScore, TextNode

from embedbridge.contract import (
    Batch,
    BatchResult,
    InvalidInputError,
    LocalEmbeddingModel,
    ModelCard,
)
from embedbridge.testing import tiny_png
from embedbridge.testing.audit import audited
from llama_index.embeddings.embedbridge import EmbedBridgeEmbedding, image_nodes

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}


class ColourModel(LocalEmbeddingModel):
    """Sees three colours, in pictures and in words."""

    provider = "colours"
    cards = (ModelCard(name="rgb", modalities=("text", "image"), dimensions=3),)

    def embed_batch(self, batch: Batch) -> BatchResult:
        rows = [
            [value.count(name) for name in COLOURS]
            if isinstance(value, str)
            else value.to_array().mean(axis=(0, 1)) / 255
            for value in (batch.images or batch.texts)
        ]
        return BatchResult(vectors=np.array(rows, dtype=np.float32))


@pytest.fixture
def colours() -> EmbedBridgeEmbedding:
    return EmbedBridgeEmbedding(embedder=ColourModel("rgb"), on_zero_vector="allow")


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{name}.png" for name in COLOURS]
    for path, colour in zip(paths, COLOURS.values(), strict=True):
        path.write_bytes(tiny_png(*colour))
    return paths


def index_of(nodes: Sequence[BaseNode], model: EmbedBridgeEmbedding) -> MultiModalVectorStoreIndex:
    return MultiModalVectorStoreIndex(nodes, embed_model=model, image_embed_model=model)


def count_images(index: MultiModalVectorStoreIndex) -> int:
    store: Any = index.image_vector_store
    return len(store.data.embedding_dict)


def names(found: list[NodeWithScore]) -> list[str]:
    return [hit.node.metadata["file_name"] for hit in found]


async def test_a_text_finds_images(colours: EmbedBridgeEmbedding, files: list[Path]) -> None:
    """Every image is in the index, and words find the one that they describe, sync and async."""
    index = index_of(image_nodes(files), colours)
    retriever: Any = index.as_retriever(image_similarity_top_k=1)

    assert count_images(index) == 3
    assert names(retriever.text_to_image_retrieve("something green")) == ["green.png"]
    assert names(await retriever.atext_to_image_retrieve("something blue")) == ["blue.png"]
    assert names(retriever.retrieve("red, please")) == ["red.png"]
    assert names(await retriever.aretrieve("red, please")) == ["red.png"]


async def test_an_image_finds_images(
    colours: EmbedBridgeEmbedding, files: list[Path], tmp_path: Path
) -> None:
    """A picture finds the one that looks most like it, sync and async."""
    query = tmp_path / "query"
    query.write_bytes(tiny_png(40, 230, 10))
    index = index_of(image_nodes(files), colours)
    retriever: Any = index.as_retriever(image_similarity_top_k=2)
    expected = ["green.png", "red.png"]

    assert count_images(index) == 3
    assert names(retriever.image_to_image_retrieve(str(query))) == expected
    assert names(await retriever.aimage_to_image_retrieve(str(query))) == expected


async def test_an_index_is_made_asynchronously(
    colours: EmbedBridgeEmbedding, files: list[Path]
) -> None:
    """`use_async` and `ainsert_nodes` go through the async methods, with the same vectors."""
    index = index_of(image_nodes(files[:2]), colours)
    await index.ainsert_nodes(image_nodes(files[2:]))
    store: Any = index.image_vector_store

    assert count_images(index) == 3
    assert list(store.data.embedding_dict.values()) == colours.get_image_embedding_batch(files)


def test_texts_and_images_in_one_index(colours: EmbedBridgeEmbedding, files: list[Path]) -> None:
    """One question finds both: texts in the one store, images in the other."""
    nodes = [TextNode(text="a red rose"), TextNode(text="a blue lake"), *image_nodes(files)]
    index = index_of(nodes, colours)
    retriever: Any = index.as_retriever(similarity_top_k=1, image_similarity_top_k=1)
    text, image = retriever.retrieve("what is blue?")

    assert count_images(index) == 3
    assert text.text == "a blue lake"
    assert image.node.metadata["file_name"] == "blue.png"


def test_all_images_are_embedded_in_one_job(files: list[Path]) -> None:
    """An index reaches the engine whole, which plans it."""
    model = ColourModel("rgb")
    calls: list[int] = []
    model.embed_batch = lambda batch: (  # type: ignore[method-assign]  # a spy
        calls.append(len(batch)) or ColourModel.embed_batch(model, batch)  # type: ignore[func-returns-value]
    )
    index_of(image_nodes(files), EmbedBridgeEmbedding(embedder=model, embed_batch_size=10))

    assert calls == [3]


def test_llama_index_drops_images_without_text_or_metadata(
    colours: EmbedBridgeEmbedding, files: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """LlamaIndex's habit, with no error: it is why `image_nodes` names each file in the metadata."""
    bare = [ImageNode(image_path=str(path)) for path in files]

    assert count_images(index_of(bare, colours)) == 0
    assert "missing content" in capsys.readouterr().out
    assert count_images(index_of(image_nodes(files), colours)) == 3
    assert capsys.readouterr().out == ""


def test_image_documents_need_metadata_as_well(
    colours: EmbedBridgeEmbedding, files: list[Path]
) -> None:
    """`from_documents` keeps them if a reader has named the file, and loses them if not."""
    splitter = SentenceSplitter(tokenizer=str.split)
    counts = []
    for metadata in ({}, {"file_name": "red.png"}):
        document = ImageDocument(image_path=str(files[0]), metadata=metadata)
        index = MultiModalVectorStoreIndex.from_documents(
            [document], embed_model=colours, image_embed_model=colours, transformations=[splitter]
        )
        counts.append(count_images(index))

    assert counts == [0, 1]


def test_image_nodes_open_nothing(tmp_path: Path) -> None:
    """A folder of a million pictures is listed at once; a file that is missing shows later."""
    with audited() as book:
        (node,) = image_nodes([tmp_path / "missing.png"])

    assert book == []
    assert node.image_path == str(tmp_path / "missing.png")
    assert node.metadata == {"file_path": node.image_path, "file_name": "missing.png"}


@pytest.mark.parametrize("value", [None, 7, b"b.png", "", " "])
def test_what_is_no_path_has_a_place(value: Any) -> None:
    """As for every list of inputs: the error is ours and names the position."""
    with pytest.raises(InvalidInputError, match=r"Input 1: .*no path of an image file") as raised:
        image_nodes(["a.png", value])

    assert raised.value.index == 1
