"""Images as LangChain's users hand them over: the same picture gives the same vector."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import PIL.Image
import pytest

from embedbridge.contract import (
    Image,
    InvalidImageError,
    InvalidInputError,
    UnsupportedModalityError,
)
from embedbridge.core import load_embedder
from embedbridge.testing import tiny_png
from embedbridge.testing.audit import audited
from langchain_embedbridge import EmbedBridgeEmbeddings

RED = tiny_png(255, 0, 0)
DATA_URL = f"data:image/png;base64,{base64.b64encode(RED).decode()}"
URLS = [
    "http://203.0.113.1/cat.png",
    "HTTPS://203.0.113.1/cat.png?token=t0p-s3cret",
    "file:///cat.png",
    "s3://bucket/cat.png",
]


@pytest.fixture
def embeddings() -> EmbedBridgeEmbeddings:
    return EmbedBridgeEmbeddings(model="fake:small")


@pytest.fixture
def red_file(tmp_path: Path) -> Path:
    path = tmp_path / "red.png"
    path.write_bytes(RED)
    return path


def expected() -> list[list[float]]:
    vectors = load_embedder("fake:small").embed_images([Image.from_bytes(RED)])
    return [list(map(float, vector)) for vector in vectors]


@pytest.mark.parametrize(
    "source",
    [str, Path, Path.read_bytes, Image.from_path, lambda _: DATA_URL, lambda _: bytearray(RED)],
    ids=["str", "Path", "bytes", "Image", "data URL", "bytearray"],
)
def test_every_source_of_an_image_gives_one_vector(
    embeddings: EmbedBridgeEmbeddings, red_file: Path, source: Callable[[Path], Any]
) -> None:
    """It does not matter how the bytes of a picture arrive."""
    assert embeddings.embed_images([source(red_file)]) == expected()


def test_a_pillow_image_is_embedded(embeddings: EmbedBridgeEmbeddings, red_file: Path) -> None:
    """Pixels that are decoded already have the vector of these pixels."""
    with PIL.Image.open(red_file) as image:
        vectors = embeddings.embed_images([image])
        again = load_embedder("fake:small").embed_images([Image.from_pil(image)])

    assert vectors == again.tolist()


async def test_async_images_are_the_same(embeddings: EmbedBridgeEmbeddings, red_file: Path) -> None:
    """`aembed_images` differs from `embed_images` in nothing but waiting."""
    assert await embeddings.aembed_images([red_file]) == expected()


@pytest.mark.parametrize("uri", [str, lambda _: DATA_URL], ids=["path", "data URL"])
def test_multimodal_stores_find_their_own_spelling(
    embeddings: EmbedBridgeEmbeddings, red_file: Path, uri: Callable[[Path], str]
) -> None:
    """Stores call `embed_image(uris=[…])` with plain strings."""
    assert embeddings.embed_image(uris=[uri(red_file)]) == expected()


@pytest.mark.parametrize("name", ["photo:1.png", "no extension", "ünï.png"])
def test_a_path_may_look_odd(
    embeddings: EmbedBridgeEmbeddings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Only what has `://` is a URL."""
    (tmp_path / name).write_bytes(RED)
    monkeypatch.chdir(tmp_path)

    assert embeddings.embed_images([name]) == expected()


@pytest.mark.parametrize("url", URLS)
def test_a_url_is_refused_without_any_io(embeddings: EmbedBridgeEmbeddings, url: str) -> None:
    """No host is looked up, no file is opened, and the message does not repeat the URL."""
    with audited() as book, pytest.raises(InvalidImageError, match="not fetched") as caught:
        embeddings.embed_image([DATA_URL, url])

    assert book == []
    assert caught.value.index == 1
    assert "t0p-s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "bad",
    [None, 7, b"", "data:image/png;base64,!!!", "data:text/plain,hello"],
    ids=["None", "a number", "no bytes", "bad base64", "no image"],
)
def test_a_bad_image_is_refused_with_its_position(
    embeddings: EmbedBridgeEmbeddings, bad: Any
) -> None:
    """Never embedded as something else, for example as the text of its path."""
    with pytest.raises(InvalidImageError) as caught:
        embeddings.embed_images([RED, bad])

    assert caught.value.index == 1


@pytest.mark.parametrize("path", ["missing.png", Path("missing.png"), "https:missing.png", "."])
def test_a_file_that_cannot_be_read_is_refused(
    embeddings: EmbedBridgeEmbeddings, path: Any
) -> None:
    """The text of a path is no image, so there is nothing to fall back on."""
    with pytest.raises(InvalidImageError, match="image file") as caught:
        embeddings.embed_images([RED, path])

    assert caught.value.index == 1


@pytest.mark.parametrize("images", ["cat.png", RED, Path("cat.png"), None, {"a": 1}])
def test_a_single_image_is_no_list(embeddings: EmbedBridgeEmbeddings, images: Any) -> None:
    """A path is not read character by character."""
    with pytest.raises(InvalidInputError, match="Expected a list"):
        embeddings.embed_images(images)


def test_a_model_of_texts_says_so() -> None:
    """The method exists for every model; the error names what the model embeds."""
    embeddings = EmbedBridgeEmbeddings(model="fake:text")

    with pytest.raises(UnsupportedModalityError, match="embeds text, not image"):
        embeddings.embed_image([DATA_URL])
