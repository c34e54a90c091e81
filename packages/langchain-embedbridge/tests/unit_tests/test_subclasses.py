"""A user's subclass that overrides sync methods only is asked by LangChain's async parts as well."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from langchain_core.vectorstores import InMemoryVectorStore

from embedbridge.contract import Input, Role
from embedbridge.core import load_embedder
from embedbridge.core.adapting import ImageLike
from embedbridge.testing import RecordingModel, tiny_png
from langchain_embedbridge import EmbedBridgeEmbeddings, ImageFileEmbeddings, from_langchain

PICTURES = [tiny_png(255, 0, 0), tiny_png(0, 0, 255)]


class Lowered(EmbedBridgeEmbeddings):
    """As one writes it with any other class of LangChain."""

    def embed_documents(self, texts: Iterable[str]) -> list[list[float]]:
        return super().embed_documents([text.lower() for text in texts])

    def embed_query(self, text: str) -> list[float]:
        return super().embed_query(text.lower())


class Lowering:
    def embed_documents(self, texts: Iterable[str]) -> list[list[float]]:
        return super().embed_documents([text.lower() for text in texts])  # type: ignore[misc,no-any-return]  # of the other base

    def embed_query(self, text: str) -> list[float]:
        return super().embed_query(text.lower())  # type: ignore[misc,no-any-return]


class Mixed(Lowering, EmbedBridgeEmbeddings):
    pass


class Deeper(Lowered):
    """Overrides both, and calls those above it."""

    def embed_query(self, text: str) -> list[float]:
        return super().embed_query(f"{text}!")

    async def aembed_query(self, text: str) -> list[float]:
        return await super().aembed_query(f"{text}!")


class Content(EmbedBridgeEmbeddings):
    """What documents and images come down to."""

    def embed_content(
        self, contents: Iterable[Input], role: Role = "document"
    ) -> list[list[float]]:
        return [vector[::-1] for vector in super().embed_content(contents, role)]


class Images(EmbedBridgeEmbeddings):
    """What the spelling of LangChain's stores comes down to."""

    def embed_images(self, images: Iterable[ImageLike]) -> list[list[float]]:
        return [vector[::-1] for vector in super().embed_images(images)]


class OneImage(EmbedBridgeEmbeddings):
    def embed_image(self, uris: Iterable[ImageLike]) -> list[list[float]]:
        return [vector[::-1] for vector in super().embed_image(uris)]


KINDS = [EmbedBridgeEmbeddings, Lowered, Mixed, Deeper, Content, Images, OneImage]
CALLS: dict[str, Callable[..., Any]] = {
    "documents": lambda asked, a: getattr(asked, f"{a}embed_documents")(["A CAT", "dog"]),
    "query": lambda asked, a: getattr(asked, f"{a}embed_query")("A CAT"),
    "images": lambda asked, a: getattr(asked, f"{a}embed_images")(PICTURES),
    "image": lambda asked, a: getattr(asked, f"{a}embed_image")(uris=PICTURES),
    "content": lambda asked, a: getattr(asked, f"{a}embed_content")(["A CAT"], role="query"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_async_gives_what_sync_gives(
    kind: type[EmbedBridgeEmbeddings], call: Callable[..., Any]
) -> None:
    """Whichever method is overridden, directly or beneath the one that is called."""
    embeddings = kind(model="fake:small")

    assert await call(embeddings, "a") == call(embeddings, "")


@pytest.mark.parametrize("kind", [Lowered, Mixed])
async def test_one_store_has_one_kind_of_vectors(kind: type[EmbedBridgeEmbeddings]) -> None:
    """Texts that were added by `add_texts` and by `aadd_texts` are found alike."""
    model = RecordingModel("small")
    store = InMemoryVectorStore(kind(embedder=model))
    store.add_texts(["A CAT"], ids=["sync"])
    await store.aadd_texts(["A CAT"], ids=["async"])
    found = await store.asimilarity_search_with_score("CAT")

    assert store.store["sync"]["vector"] == store.store["async"]["vector"]
    assert {score for _, score in found} == {store.similarity_search_with_score("CAT")[0][1]}
    assert set(model.seen) == {"a cat", "cat"}


async def test_image_files_too() -> None:
    """The other class of this package is subclassed in the same way."""

    class InFolder(ImageFileEmbeddings):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return [[float(len(text))] for text in texts]

    files = InFolder(EmbedBridgeEmbeddings(model="fake:small"))

    assert await files.aembed_documents(["cat.png"]) == files.embed_documents(["cat.png"])


async def test_the_bridge_calls_the_subclass() -> None:
    """Its embedder alone would give other vectors, for plain Python and LlamaIndex."""
    bridged = from_langchain(Content(model="fake:small"))
    expected = load_embedder("fake:small").embed_documents(["a", "b"])[:, ::-1]

    assert bridged.embed_documents(["a", "b"]).tolist() == expected.tolist()
    assert (await bridged.aembed_documents(["a", "b"])).tolist() == expected.tolist()
