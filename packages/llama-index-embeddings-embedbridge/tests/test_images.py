"""What LlamaIndex's users hand over as an image."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
from llama_index.core.bridge.pydantic import AnyUrl
from llama_index.core.schema import Document, ImageDocument, ImageNode, MediaResource

from embedbridge.contract import Image, InvalidImageError, InvalidInputError, Mixed
from embedbridge.core import Embedder
from embedbridge.testing import RecordingModel, tiny_png
from embedbridge.testing.audit import audited
from llama_index.embeddings.embedbridge import EmbedBridgeEmbedding

PNG = tiny_png()
BASE64 = base64.b64encode(PNG).decode()
LINES = base64.encodebytes(PNG).decode()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "no extension"
    file.write_bytes(PNG)
    return file


def read_to_the_end(data: bytes) -> BytesIO:
    stream = BytesIO(data)
    stream.read()
    return stream


KINDS: dict[str, Any] = {
    "str": str,
    "Path": lambda path: path,
    "bytes": lambda path: PNG,
    "bytearray": lambda path: bytearray(PNG),
    "memoryview": lambda path: memoryview(PNG),
    "BytesIO": lambda path: BytesIO(PNG),
    "BytesIO that was read": lambda path: read_to_the_end(PNG),
    "data URL": lambda path: f"data:image/png;base64,{BASE64}",
    "Image": lambda path: Image.from_bytes(PNG),
    "ImageNode with a path": lambda path: ImageNode(image_path=str(path)),
    "ImageNode with base64": lambda path: ImageNode(image=BASE64),
    "ImageNode resolved": lambda path: ImageNode(image=BASE64).resolve_image(),
    "ImageDocument with a path": lambda path: ImageDocument(image_path=str(path)),
    "ImageDocument with base64": lambda path: ImageDocument(image=BASE64),
    "ImageNode with base64 in lines": lambda path: ImageNode(image=LINES),
    "ImageNode with a data URL": lambda path: ImageNode(image=f"data:image/png;base64,{LINES}"),
    "ImageNode with a data URL in capitals": lambda path: ImageNode(
        image=f"DATA:image/png;base64,{BASE64}"
    ),
    "ImageNode with a data URL as its URL": lambda path: ImageNode(
        image_url=f"data:image/png;base64,{BASE64}"
    ),
    "ImageDocument with bytes": lambda path: ImageDocument(image=PNG),
    "ImageDocument resolved": lambda path: ImageDocument(image_path=str(path)).resolve_image(),
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_kinds_of_images(embedding: EmbedBridgeEmbedding, path: Path, kind: Any) -> None:
    """The same image gives the same vector, however it is handed over."""
    assert embedding.get_image_embedding(kind(path)) == embedding.get_image_embedding(PNG)


def test_a_pillow_image(embedding: EmbedBridgeEmbedding) -> None:
    """An image in memory is taken as it is; its identity is its pixels."""
    red, blue = (PIL.Image.new("RGB", (2, 2), colour) for colour in ("red", "blue"))
    vectors = embedding.get_image_embedding_batch([red, blue, red])

    assert vectors[0] == vectors[2] != vectors[1]


def test_a_file_object(embedding: EmbedBridgeEmbedding, path: Path) -> None:
    """Any that is binary, from its beginning, as often as it is handed over."""
    with path.open("rb") as file:
        file.read()
        vectors = embedding.get_image_embedding_batch([file, file])

    assert vectors == [embedding.get_image_embedding(PNG)] * 2


def test_kinds_may_be_mixed(embedding: EmbedBridgeEmbedding, path: Path) -> None:
    """One job takes all kinds, in order, also from a generator."""
    images = [kind(path) for kind in KINDS.values()]
    expected = [embedding.get_image_embedding(PNG)] * len(images)

    assert embedding.get_image_embedding_batch(images) == expected
    assert embedding.get_image_embedding_batch(image for image in images) == expected


def test_a_stream_twice(embedding: EmbedBridgeEmbedding, model: RecordingModel) -> None:
    """A `BytesIO` that is handed over twice is the same image twice, and paid once."""
    stream = BytesIO(PNG)
    first, second = embedding.get_image_embedding_batch([stream, stream])

    assert first == second == embedding.get_image_embedding(stream)
    assert len(model.batches[0]) == 1


URLS = [
    "https://127.0.0.1:9/cat.png?token=secret",
    "http://example.com/cat.png",
    "HTTP://example.com/cat.png",
    "ftp://example.com/cat.png",
    "file:///etc/passwd",
    "s3://bucket/cat.png",
]


@pytest.mark.parametrize("url", URLS)
async def test_a_url_is_refused(
    embedding: EmbedBridgeEmbedding, model: RecordingModel, url: str
) -> None:
    """A URL is neither fetched nor embedded as a text, unless it was allowed."""
    with pytest.raises(InvalidImageError, match="URL") as caught:
        embedding.get_image_embedding_batch([PNG, url])
    with pytest.raises(InvalidImageError, match="URL"):
        await embedding.aget_image_embedding(url)

    assert caught.value.index == 1
    assert "secret" not in str(caught.value)
    assert model.batches == []


@pytest.mark.parametrize(
    "holder",
    [
        lambda url: ImageNode(image_url=url),
        # Its own constructor would fetch the URL.
        lambda url: ImageDocument(image_resource=MediaResource(url=url)),
        Image.from_url,
    ],
    ids=["ImageNode", "ImageDocument", "Image"],
)
def test_a_url_in_a_node_is_refused(embedding: EmbedBridgeEmbedding, holder: Any) -> None:
    """A node that only knows a URL is the engine's typed error: nothing is fetched."""
    with pytest.raises(InvalidImageError, match="URLs are not fetched"):
        embedding.get_image_embedding(holder("http://127.0.0.1:9/cat.png?token=secret"))


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (None, "NoneType is not an image"),
        (5, "int is not an image"),
        ("", "empty"),
        (b"", "0 bytes"),
        (BytesIO(), "0 bytes"),
        (["a.png"], "list is not an image"),
        (Document(text="a text"), "Document is not an image"),
        (ImageNode(text="a text"), "ImageNode holds no image"),
        (ImageNode(image="not base64!"), "base64"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
async def test_what_is_no_image(
    embedding: EmbedBridgeEmbedding, model: RecordingModel, bad: Any, said: str
) -> None:
    """It is named with its index; nothing was sent."""
    with pytest.raises(InvalidImageError, match=said) as caught:
        embedding.get_image_embedding_batch([PNG, PNG, bad])
    with pytest.raises(InvalidImageError, match=said) as acaught:
        await embedding.aget_image_embedding(bad)

    assert (caught.value.index, acaught.value.index) == (2, 0)
    assert model.batches == []


@pytest.mark.parametrize("hosts", [True, ("127.0.0.1",)], ids=["any", "named"])
def test_allow_urls_reaches_the_engine(hosts: Any) -> None:
    """Then a URL is looked at, as a `str` too, and refused for its address alone."""
    embedding = EmbedBridgeEmbedding("fake:small", allow_urls=hosts)

    with pytest.raises(InvalidImageError) as caught:
        embedding.get_image_embedding("http://127.0.0.1:9/cat.png")

    assert "not fetched" not in str(caught.value)
    assert "127.0.0.1" in str(caught.value)


def test_constructing_a_document_ourselves_fetches_nothing(
    embedding: EmbedBridgeEmbedding,
) -> None:
    """LlamaIndex's own constructor asks the server at once; ours only describes what it is given."""
    document = ImageDocument(image_resource=MediaResource(url=AnyUrl("http://203.0.113.1/cat.png")))

    with audited() as book, pytest.raises(InvalidImageError, match="URLs are not fetched"):
        embedding.get_image_embedding(document)

    assert book == []


async def test_collected_errors(model: RecordingModel, tmp_path: Path) -> None:
    """One bad image costs none of the others: all are embedded, then the error brings their vectors."""
    embedding = EmbedBridgeEmbedding(embedder=model, errors="collect")
    images = [PNG, tmp_path / "missing.png", tiny_png(1), b"no image"]
    with pytest.raises(InvalidImageError, match="Input 1") as caught:
        embedding.get_image_embedding_batch(images)
    with pytest.raises(InvalidImageError, match="Input 1"):
        await embedding.aget_image_embedding_batch(images)
    partial = caught.value.partial

    assert partial.ok.tolist() == [True, False, True, False]
    assert partial[2].tolist() == embedding.get_image_embedding(tiny_png(1))
    assert caught.value.__notes__ == ["Further inputs with errors: 3."]


@pytest.mark.parametrize(
    "bad",
    [b"", None, "file:///x", "data:image/png;base64,@@", ImageNode(), ImageNode(image="@@")],
    ids=["no bytes", "None", "file URL", "broken data URL", "empty node", "node of broken base64"],
)
async def test_what_is_no_image_is_collected_too(model: RecordingModel, bad: Any) -> None:
    """An error of the conversion is one of its input, as that of a file; otherwise nothing is sent."""
    collecting = EmbedBridgeEmbedding(embedder=model, errors="collect")
    images = [PNG, bad, tiny_png(1)]
    with pytest.raises(InvalidImageError, match="Input 1") as caught:
        collecting.get_image_embedding_batch(images)
    with pytest.raises(InvalidImageError, match="Input 1") as awaited:
        await collecting.aget_image_embedding_batch(images)
    embedded = len(model.seen)
    with pytest.raises(InvalidImageError, match="Input 1") as raised:
        EmbedBridgeEmbedding(embedder=model).get_image_embedding_batch(images)

    for error in (caught.value, awaited.value):
        assert error.partial.ok.tolist() == [True, False, True]
    assert embedded == len(model.seen) == 4
    assert raised.value.partial is None


# Texts and images together.


async def test_mixed_inputs_are_collected_too(model: RecordingModel) -> None:
    """A node without an image costs none of the others."""
    embedding = EmbedBridgeEmbedding(embedder=model, errors="collect")
    mixed: list[Any] = [ImageNode(text="A cat:", image=BASE64), ImageNode(text="A dog:"), None]
    with pytest.raises(InvalidInputError, match="Input 1") as caught:
        embedding.get_mixed_embedding_batch(mixed)
    with pytest.raises(InvalidInputError, match="Input 1") as awaited:
        await embedding.aget_mixed_embedding_batch(mixed)

    for error in (caught.value, awaited.value):
        assert error.partial.ok.tolist() == [True, False, False]


async def test_mixed_inputs(embedding: EmbedBridgeEmbedding, engine: Embedder, path: Path) -> None:
    """One vector of both, the engine's own; a node is its text, as LlamaIndex embeds it, and its image."""
    mixed = Mixed("A cat:", Image.from_bytes(PNG))
    node = ImageNode(text="A cat:", image_path=str(path))
    document = ImageDocument(text="A cat:", image=PNG)
    expected = engine.embed([mixed], role="document").tolist()[0]

    assert embedding.get_mixed_embedding(mixed) == expected
    assert await embedding.aget_mixed_embedding(node) == expected
    assert embedding.get_mixed_embedding_batch([node, document]) == [expected] * 2
    assert await embedding.aget_mixed_embedding_batch([mixed]) == [expected]
    assert expected not in (
        embedding.get_image_embedding(PNG),
        embedding.get_text_embedding("A cat:"),
    )


async def test_mixed_inputs_have_roles(embedding: EmbedBridgeEmbedding, engine: Embedder) -> None:
    """What is searched for may be a text with an image, too."""
    mixed = Mixed("Like this, but red:", Image.from_bytes(PNG))
    expected = engine.embed([mixed], role="query").tolist()

    assert embedding.get_mixed_embedding_batch([mixed], role="query") == expected
    assert await embedding.aget_mixed_embedding(mixed, role="query") == expected[0]


def test_metadata_is_part_of_a_nodes_text(embedding: EmbedBridgeEmbedding) -> None:
    """As in LlamaIndex, where it stands before the text unless it is excluded."""
    node = ImageNode(text="A cat:", image=BASE64, metadata={"place": "sofa"})
    mixed = Mixed("place: sofa\n\nA cat:", Image.from_bytes(PNG))

    assert embedding.get_mixed_embedding(node) == embedding.get_mixed_embedding(mixed)


@pytest.mark.parametrize("bad", ["a text", PNG, Image.from_bytes(PNG), None, ImageNode(text="a")])
def test_what_is_not_mixed(embedding: EmbedBridgeEmbedding, bad: Any) -> None:
    """Nothing is guessed: a text or an image alone has a method of its own."""
    with pytest.raises(InvalidInputError) as caught:
        embedding.get_mixed_embedding_batch([Mixed("a"), bad])

    assert caught.value.index == 1


async def test_a_missing_file(embedding: EmbedBridgeEmbedding, tmp_path: Path) -> None:
    """A path that leads nowhere is an error that names it, and never a text."""
    missing = str(tmp_path / "missing.png")

    with pytest.raises(InvalidImageError, match=r"missing\.png"):
        embedding.get_image_embedding(missing)
    with pytest.raises(InvalidImageError, match=r"missing\.png"):
        await embedding.aget_image_embedding_batch([missing])


@pytest.mark.parametrize(
    "single",
    ["cat.png", Path("cat.png"), PNG, BytesIO(PNG), Image.from_bytes(PNG), ImageNode(image=BASE64)],
    ids=lambda value: type(value).__name__,
)
async def test_a_single_image_where_a_list_is_due(
    embedding: EmbedBridgeEmbedding, single: Any
) -> None:
    """It is never taken apart into characters, lines or fields."""
    with pytest.raises(InvalidInputError, match="Expected a list"):
        embedding.get_image_embedding_batch(single)
    with pytest.raises(InvalidInputError, match="Expected a list"):
        await embedding.aget_image_embedding_batch(single)
