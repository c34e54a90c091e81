"""LangChain's multimodal store, embedded and offline: pictures in, pictures found."""

from pathlib import Path

import chromadb
import numpy as np
import pytest
from chromadb.config import Settings
from langchain_chroma import Chroma

from embedbridge.contract import InvalidImageError
from embedbridge.core import load_embedder
from embedbridge.testing.pictures import Scene, render, some_scenes
from embedbridge.testing.tiny_clip import folder
from langchain_embedbridge import EmbedBridgeEmbeddings

SCENES = some_scenes(24, seed=7)
IDS = [scene.caption for scene in SCENES]


@pytest.fixture(scope="module")
def embeddings() -> EmbedBridgeEmbeddings:
    return EmbedBridgeEmbeddings(embedder=load_embedder(f"clip:{folder()}", device="cpu"))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    place = tmp_path_factory.mktemp("pictures")
    return [save(scene, place / f"{n}.png", seed=n) for n, scene in enumerate(SCENES)]


@pytest.fixture
def store(embeddings: EmbedBridgeEmbeddings, tmp_path: Path) -> Chroma:
    # In memory, all clients of a process share one database, with one set of settings.
    client = chromadb.PersistentClient(tmp_path / "chroma", Settings(anonymized_telemetry=False))
    return Chroma("pictures", embedding_function=embeddings, client=client)


def save(scene: Scene, path: Path, *, seed: int) -> str:
    render(scene, seed).save(path)
    return str(path)


def test_texts_find_pictures(store: Chroma, files: list[str]) -> None:
    """Every picture is in the store, and its caption finds it first."""
    store.add_images(files, metadatas=[{"file": path} for path in files], ids=IDS)
    found = [store.similarity_search(caption, k=1)[0] for caption in IDS]

    assert len(store.get()["ids"]) == len(SCENES)
    assert [document.id for document in found] == IDS
    assert [document.metadata["file"] for document in found] == files


def test_pictures_find_pictures(store: Chroma, files: list[str], tmp_path: Path) -> None:
    """Another rendering of a scene finds the first, by `similarity_search_by_image`."""
    store.add_images(files, ids=IDS)
    queries = [save(scene, tmp_path / "q.png", seed=1000 + n) for n, scene in enumerate(SCENES[:1])]

    assert [store.similarity_search_by_image(uri, k=1)[0].id for uri in queries] == IDS[:1]


async def test_the_async_half(store: Chroma, files: list[str]) -> None:
    """Questions are awaited natively."""
    store.add_images(files, ids=IDS)
    ((found, _),) = await store.asimilarity_search_with_relevance_scores(IDS[3], k=1)

    assert found.id == IDS[3]


def test_texts_and_pictures_in_one_store(store: Chroma, files: list[str]) -> None:
    """They share one space, so a text finds texts as well."""
    store.add_images(files[:3], ids=IDS[:3])
    store.add_texts([IDS[5]], ids=["text"])

    assert len(store.get()["ids"]) == 4
    assert store.similarity_search(IDS[5], k=1)[0].id == "text"


def test_the_store_keeps_the_engines_vectors(
    store: Chroma, embeddings: EmbedBridgeEmbeddings, files: list[str]
) -> None:
    """What lies in the store is what the engine computed, to the last bit."""
    store.add_images(files, ids=IDS)
    kept = store.get(ids=IDS, include=["embeddings"])
    by_id = dict(zip(kept["ids"], np.asarray(kept["embeddings"], np.float32), strict=True))

    assert [by_id[name].tolist() for name in IDS] == embeddings.embed_images(files)


def test_scores_by_picture_come_from_its_vector(
    store: Chroma, embeddings: EmbedBridgeEmbeddings, files: list[str]
) -> None:
    """LangChain's own `…_by_image_with_relevance_score` fails; the search by vector is the way out."""
    store.add_images(files, ids=IDS)
    with pytest.raises(ValueError, match="embeddings"):
        store.similarity_search_by_image_with_relevance_score(files[2], k=1)
    (vector,) = embeddings.embed_images([files[2]])
    ((found, distance),) = store.similarity_search_by_vector_with_relevance_scores(vector, k=1)

    assert found.id == IDS[2]
    assert distance == pytest.approx(0, abs=1e-5)


def test_a_bad_picture_leaves_the_store_as_it_was(
    store: Chroma, files: list[str], tmp_path: Path
) -> None:
    """It is named, and nothing is added: neither the picture nor a vector of its path."""
    broken = tmp_path / "broken.png"
    broken.write_bytes(Path(files[0]).read_bytes()[:200])
    with pytest.raises(InvalidImageError, match=r"Input 1: .*broken\.png"):
        store.add_images([files[0], str(broken)])

    assert store.get()["ids"] == []
