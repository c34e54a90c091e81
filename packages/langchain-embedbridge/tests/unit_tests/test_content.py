"""Texts, images and both together; and pictures in stores that know only texts."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from langchain_core.vectorstores import InMemoryVectorStore

from embedbridge.contract import Image, InvalidImageError, InvalidInputError, Mixed, Text
from embedbridge.core import load_embedder
from embedbridge.testing import RecordingModel, tiny_png
from langchain_embedbridge import EmbedBridgeEmbeddings, ImageFileEmbeddings

RED, BLUE = tiny_png(255, 0, 0), tiny_png(0, 0, 255)
CONTENTS: list[Any] = [
    "a text",
    Text("another"),
    Image.from_bytes(RED),
    Mixed("A cat:", Image.from_bytes(RED)),
]


@pytest.fixture
def embeddings() -> EmbedBridgeEmbeddings:
    return EmbedBridgeEmbeddings(model="fake:small")


@pytest.mark.parametrize("role", ["document", "query"])
async def test_content_of_any_kind(embeddings: EmbedBridgeEmbeddings, role: Any) -> None:
    """One call takes all kinds, in order, with the engine's own vectors, sync and async."""
    expected = load_embedder("fake:small").embed(CONTENTS, role=role).tolist()

    assert embeddings.embed_content(CONTENTS, role=role) == expected
    assert await embeddings.aembed_content(CONTENTS, role=role) == expected


def test_documents_are_the_default(embeddings: EmbedBridgeEmbeddings) -> None:
    """What goes into a store is a document."""
    assert embeddings.embed_content(["a"]) == embeddings.embed_documents(["a"])


@pytest.mark.parametrize("content", [RED, Path("cat.png"), BytesIO(RED), None])
def test_content_is_never_guessed(embeddings: EmbedBridgeEmbeddings, content: Any) -> None:
    """Here a `str` is a text, so an image has to say that it is one."""
    with pytest.raises(InvalidInputError) as caught:
        embeddings.embed_content(["a", content])

    assert caught.value.index == 1


def test_file_objects(embeddings: EmbedBridgeEmbeddings, tmp_path: Path) -> None:
    """Any binary one, read from its beginning."""
    (tmp_path / "red").write_bytes(RED)
    with (tmp_path / "red").open("rb") as file:
        file.read()
        vectors = embeddings.embed_images([file, BytesIO(RED), file])

    assert vectors == embeddings.embed_images([RED]) * 3


async def test_the_async_spelling_of_stores(embeddings: EmbedBridgeEmbeddings) -> None:
    """`aembed_image` waits for the same vectors."""
    assert await embeddings.aembed_image(uris=[RED]) == embeddings.embed_image(uris=[RED])


class SlowFile(BytesIO):
    """A file object that is read when it is told that it may."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.begun, self.go = threading.Event(), threading.Event()

    def getvalue(self) -> bytes:
        self.begun.set()
        self.go.wait()
        return super().getvalue()


async def test_files_are_read_beside_the_loop(embeddings: EmbedBridgeEmbeddings) -> None:
    """While a slow file is read, other tasks go on."""
    file = SlowFile(RED)
    job = asyncio.create_task(embeddings.aembed_images([file]))
    await asyncio.to_thread(file.begun.wait, 60)
    still_reading = not job.done()
    file.go.set()

    assert await job == embeddings.embed_images([RED])
    assert still_reading


async def test_files_need_none_of_the_applications_threads(
    embeddings: EmbedBridgeEmbeddings,
) -> None:
    """Those may all wait for the vectors of these files."""
    go = threading.Event()
    with ThreadPoolExecutor(1) as threads:
        asyncio.get_running_loop().set_default_executor(threads)
        waits = threads.submit(go.wait)
        vectors = await embeddings.aembed_images([BytesIO(RED)])
        go.set()

    assert vectors == embeddings.embed_images([RED])
    assert waits.result()


async def test_collected_errors(tmp_path: Path) -> None:
    """One bad image costs none of the others: all are embedded, then the error brings their vectors."""
    model = RecordingModel("small")
    embeddings = EmbedBridgeEmbeddings(embedder=model, errors="collect")
    images: list[Any] = [RED, tmp_path / "missing.png", BLUE]
    with pytest.raises(InvalidImageError, match="Input 1") as caught:
        embeddings.embed_images(images)
    with pytest.raises(InvalidImageError, match="Input 1"):
        await embeddings.aembed_images(images)

    assert len(model.seen) == 4
    assert caught.value.partial[2].tolist() == embeddings.embed_images([BLUE])[0]


@pytest.mark.parametrize("bad", [b"", None, "file:///x", "data:image/png;base64,@@"])
async def test_what_is_no_image_is_collected_too(bad: Any) -> None:
    """An error of the conversion is one of its input, as that of a file; otherwise nothing is sent."""
    model = RecordingModel("small")
    collecting = EmbedBridgeEmbeddings(embedder=model, errors="collect")
    with pytest.raises(InvalidImageError, match="Input 1") as caught:
        collecting.embed_images([RED, bad, BLUE])
    with pytest.raises(InvalidImageError, match="Input 1") as awaited:
        await collecting.aembed_images([RED, bad, BLUE])
    embedded = len(model.seen)
    with pytest.raises(InvalidImageError, match="Input 1") as raised:
        EmbedBridgeEmbeddings(embedder=model).embed_images([RED, bad, BLUE])

    for error in (caught.value, awaited.value):
        assert error.partial.ok.tolist() == [True, False, True]
    assert embedded == len(model.seen) == 4
    assert raised.value.partial is None


def test_allow_urls_reaches_the_engine() -> None:
    """Then a URL is looked at, and refused for its address alone."""
    embeddings = EmbedBridgeEmbeddings(model="fake:small", allow_urls=True)

    with pytest.raises(InvalidImageError) as caught:
        embeddings.embed_image(["http://127.0.0.1:9/cat.png"])

    assert "not fetched" not in str(caught.value)
    assert "127.0.0.1" in str(caught.value)


@pytest.fixture
def paths(tmp_path: Path) -> list[str]:
    (tmp_path / "red.png").write_bytes(RED)
    (tmp_path / "blue.png").write_bytes(BLUE)
    return [str(tmp_path / name) for name in ("red.png", "blue.png")]


async def test_a_store_of_texts_holds_pictures(
    embeddings: EmbedBridgeEmbeddings, paths: list[str]
) -> None:
    """Its documents are paths: what lies in the store are the pictures' vectors, not the paths'."""
    store = InMemoryVectorStore(ImageFileEmbeddings(embeddings))
    store.add_texts(paths[:1], ids=["red"])
    await store.aadd_texts(paths[1:], ids=["blue"])
    kept = [store.store[name]["vector"] for name in ("red", "blue")]
    like_blue = store.similarity_search_by_vector(embeddings.embed_images([BLUE])[0], k=1)

    assert kept == embeddings.embed_images([RED, BLUE])
    assert like_blue[0].page_content == paths[1]


async def test_such_a_store_is_asked_in_words(
    embeddings: EmbedBridgeEmbeddings, tmp_path: Path
) -> None:
    """A query is a text, with the role of a query, sync and async."""
    files = ImageFileEmbeddings(embeddings)

    assert files.embed_query("red") == embeddings.embed_query("red")
    assert await files.aembed_query("red") == embeddings.embed_query("red")
    with pytest.raises(InvalidImageError):
        files.embed_documents([str(tmp_path / "missing.png")])
