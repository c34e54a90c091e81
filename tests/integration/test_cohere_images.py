"""Images and mixed inputs of a remote model: the same vectors through core and both frameworks.

The server makes each vector from the pixels that arrive, their order and the role, so that a picture
that was taken for another, for a text, or for the other role cannot hide.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import PIL.Image
import pytest

from embedbridge.contract import Image, InvalidImageError, LoadedImage, LoadedMixed, Mixed
from embedbridge.contract.loaded import Loaded
from embedbridge.core import Embedder, load_embedder
from embedbridge.testing import CohereWire, FaultServer, faults
from langchain_embedbridge import EmbedBridgeEmbeddings
from llama_index.embeddings.embedbridge import EmbedBridgeEmbedding

KEY = "canary5f0c9e8b7a6d4c3b2a1908170f1e2d3c4b"
MODEL = "embed-v4.0"
WIDTH = 256
COUNT = 7

Embed: TypeAlias = Callable[[Embedder, Any], Any]


def asynchronous(call: Callable[[Embedder, Any], Any]) -> Embed:
    return lambda embedder, inputs: asyncio.run(call(embedder, inputs))


def llama_index(embedder: Embedder) -> EmbedBridgeEmbedding:
    return EmbedBridgeEmbedding(embedder=embedder)


def langchain(embedder: Embedder) -> EmbedBridgeEmbeddings:
    return EmbedBridgeEmbeddings(embedder=embedder)


IMAGES: dict[str, Embed] = {
    "core": lambda e, paths: e.embed_images(list(map(Image.from_path, paths))),
    "core-async": asynchronous(lambda e, paths: e.aembed_images(list(map(Image.from_path, paths)))),
    "LlamaIndex": lambda e, paths: llama_index(e).get_image_embedding_batch(paths),
    "LlamaIndex-async": asynchronous(
        lambda e, paths: llama_index(e).aget_image_embedding_batch(paths)
    ),
    "LangChain": lambda e, paths: langchain(e).embed_images(paths),
    "LangChain-async": asynchronous(lambda e, paths: langchain(e).aembed_images(paths)),
}
MIXED: dict[str, Embed] = {
    "core": lambda e, mixed: e.embed(mixed, role="document").vectors,
    "LlamaIndex": lambda e, mixed: llama_index(e).get_mixed_embedding_batch(mixed),
    "LlamaIndex-async": asynchronous(
        lambda e, mixed: llama_index(e).aget_mixed_embedding_batch(mixed)
    ),
    "LangChain": lambda e, mixed: langchain(e).embed_content(mixed),
    "LangChain-async": asynchronous(lambda e, mixed: langchain(e).aembed_content(mixed)),
}


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(wire=CohereWire(), dimensions=WIDTH) as server:
        yield server


@pytest.fixture
def embedder(server: FaultServer) -> Iterator[Embedder]:
    with load_embedder(
        f"cohere:{MODEL}", base_url=server.url, api_key=KEY, dimensions=WIDTH
    ) as embedder:
        yield embedder


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    """Files of several formats, each with a picture of its own."""
    found = []
    for number in range(COUNT):
        path = tmp_path / f"picture-{number}.{('png', 'bmp', 'gif')[number % 3]}"
        picture = PIL.Image.new("RGB", (5 + number, 6), (40 * number % 256, 7, 9))
        picture.save(path)
        found.append(path)
    return found


def decoded(paths: Sequence[Path]) -> list[LoadedImage]:
    found = []
    for path in paths:
        with PIL.Image.open(path) as picture:
            found.append(LoadedImage(pixels=picture.convert("RGB"), described=""))
    return found


def right(server: FaultServer, found: Any, expected: Sequence[Loaded], role: str) -> bool:
    vectors = [server.vector(each, MODEL, WIDTH, role=role) for each in expected]
    return np.shape(found) == np.shape(vectors) and np.allclose(found, vectors, atol=1e-6)


@pytest.mark.parametrize("way", IMAGES)
def test_images(server: FaultServer, embedder: Embedder, paths: list[Path], way: str) -> None:
    """One request for all of them; each picture has its own vector, and is a document."""
    found = IMAGES[way](embedder, paths)

    assert right(server, found, decoded(paths), "search_document")
    assert len(server.requests) == 1


@pytest.mark.parametrize("way", MIXED)
def test_mixed(server: FaultServer, embedder: Embedder, paths: list[Path], way: str) -> None:
    """Texts and pictures in their order become one vector each."""
    mixed = [
        Mixed(f"picture {number}:", Image.from_path(path), "data:image/png;base64,AAAA")
        for number, path in enumerate(paths)
    ]
    found = MIXED[way](embedder, mixed)
    expected = [
        LoadedMixed((f"picture {number}:", image, "data:image/png;base64,AAAA"))
        for number, image in enumerate(decoded(paths))
    ]

    assert right(server, found, expected, "search_document")


@pytest.mark.parametrize("way", IMAGES)
def test_a_file_that_is_no_image(
    server: FaultServer, embedder: Embedder, paths: list[Path], way: str
) -> None:
    """Its position and name are in the error, and nothing was sent for it."""
    paths[3].write_bytes(b"not an image at all")
    with pytest.raises(InvalidImageError) as caught:
        IMAGES[way](embedder, paths)

    assert caught.value.index == 3
    assert paths[3].name in str(caught.value)
    assert all(len(record.inputs) < COUNT for record in server.requests)


@pytest.mark.parametrize("way", IMAGES)
@pytest.mark.parametrize("row", ["H09", "R04"])
def test_a_fault_costs_one_more_request(
    server: FaultServer, embedder: Embedder, paths: list[Path], way: str, row: str
) -> None:
    """Images are sent again like texts, and are not decoded into something else meanwhile."""
    server.play(faults.ROWS[row])
    found = IMAGES[way](embedder, paths)

    assert right(server, found, decoded(paths), "search_document")
    assert len(server.requests) == 2


@pytest.mark.parametrize("way", IMAGES)
def test_known_images_cost_nothing(
    server: FaultServer, embedder: Embedder, paths: list[Path], way: str, tmp_path: Path
) -> None:
    """The second time the cache has them, by whichever route they came the first time."""
    with load_embedder(
        f"cohere:{MODEL}",
        base_url=server.url,
        api_key=KEY,
        dimensions=WIDTH,
        cache=tmp_path / "vectors.db",
    ) as cached:
        cached.embed_images(list(map(Image.from_path, paths)))
        before = len(server.requests)
        found = IMAGES[way](cached, paths)
        cache: Any = cached.cache
        cache.close()

    assert right(server, found, decoded(paths), "search_document")
    assert len(server.requests) == before
