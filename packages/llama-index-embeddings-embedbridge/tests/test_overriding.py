"""What a subclass overrides decides about the same methods as beneath any other class of LlamaIndex."""

# Of a subclass, mypy knows a constructor made of its fields, as of a dataclass.
# mypy: disable-error-code="call-arg"

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llama_index.core import VectorStoreIndex
from llama_index.core.callbacks import CallbackManager, EventPayload
from llama_index.core.embeddings import MultiModalEmbedding
from llama_index.core.schema import TextNode
from llama_index.core.storage.kvstore import SimpleKVStore

from embedbridge.contract import ConfigurationError, Image, InvalidInputError
from embedbridge.core import load_embedder
from embedbridge.testing import RecordingModel, tiny_png
from llama_index.embeddings.embedbridge import EmbedBridgeEmbedding, from_llama_index

ENGINE = load_embedder("fake:small")
PICTURES = [tiny_png(1), tiny_png(2)]
HOOKS = [
    f"_{a}get_{what}"
    for a in ("", "a")
    for what in (
        "query_embedding",
        "text_embedding",
        "text_embeddings",
        "image_embedding",
        "image_embeddings",
    )
]
NAMES = [*HOOKS, "get_query_embedding", "aget_query_embedding", "get_text_embedding"]
CALLS: dict[str, Any] = {
    "get_query_embedding": "one",
    "get_agg_embedding_from_queries": ["one", "two"],
    "get_text_embedding": "one",
    "get_text_embedding_batch": ["one", "two", "three"],
    "get_image_embedding": PICTURES[0],
    "get_image_embedding_batch": PICTURES,
}


class Plain(MultiModalEmbedding):
    """A model of LlamaIndex's that implements what it must; the async hooks call the sync ones."""

    def _get_query_embedding(self, query: str) -> Any:
        return ENGINE.embed_query(query).tolist()

    async def _aget_query_embedding(self, query: str) -> Any:
        return self._get_query_embedding(query)

    def _get_text_embedding(self, text: str) -> Any:
        return ENGINE.embed_documents([text]).tolist()[0]

    def _get_image_embedding(self, img_file_path: Any) -> Any:
        return ENGINE.embed_images([Image.from_bytes(img_file_path)]).tolist()[0]

    async def _aget_image_embedding(self, img_file_path: Any) -> Any:
        return self._get_image_embedding(img_file_path)


def overrides(names: Any, author: str) -> dict[str, Any]:
    """Methods that give vectors which tell who made them."""
    return {name: _override(name, author) for name in sorted(names)}


def _override(name: str, author: str) -> Callable[..., Any]:
    def vector(value: Any) -> Any:
        return ENGINE.embed_query(f"{author}: {name} of {value!r}").tolist()

    def method(self: Any, value: Any) -> Any:
        return list(map(vector, value)) if name.endswith("s") else vector(value)

    async def amethod(self: Any, value: Any) -> Any:
        return method(self, value)

    return amethod if name.lstrip("_").startswith("a") else method


async def answers(model: Any) -> dict[str, Any]:
    """What every public method gives, by its name."""
    found = {}
    for name, value in CALLS.items():
        found[name] = getattr(model, name)(value)
        found[f"a{name}"] = await getattr(model, f"a{name}")(value)
    return found


def _corrected(plain: dict[str, Any], names: set[str]) -> dict[str, Any]:
    """LlamaIndex passes by a sync hook for several inputs in async methods; ours never do."""
    for what in ("text_embedding", "image_embedding"):
        if f"_get_{what}s" in names and not {f"_aget_{what}", f"_aget_{what}s"} & names:
            plain[f"aget_{what}_batch"] = plain[f"get_{what}_batch"]
    return plain


async def assert_alike(make: Callable[[type], type], names: set[str]) -> None:
    ours = await answers(make(EmbedBridgeEmbedding)(embedder=ENGINE))
    plain = await answers(make(Plain)())

    expected = _corrected(plain, names)
    assert [name for name in expected if not np.allclose(ours[name], expected[name])] == []


@pytest.mark.parametrize("name", NAMES)
async def test_each_alone(name: str) -> None:
    """One method is overridden: exactly those public methods change that change in LlamaIndex."""
    await assert_alike(lambda base: type("Sub", (base,), overrides({name}, "sub")), {name})


@given(
    st.sets(st.sampled_from(NAMES)),
    st.sets(st.sampled_from(NAMES)),
    st.sampled_from(["sub-subclass", "mixin", "two bases", "mixin of a subclass", "diamond"]),
)
async def test_any_of_them_in_any_lineage(first: set[str], second: set[str], way: str) -> None:
    """Whoever comes first in the lineage decides, as ever in Python."""

    def make(base: type) -> type:
        upper, lower = overrides(first, "upper"), overrides(second, "lower")
        if way == "two bases":
            left, right = type("Left", (base,), lower), type("Right", (base,), upper)
            return type("Both", (left, right), {})
        if way == "mixin":
            return type("Mixed", (type("Mixin", (), lower), type("Other", (), upper), base), {})
        above = type("Upper", (base,), upper)
        if way == "diamond":
            return type("Both", (type("Left", (above,), {}), type("Right", (above,), lower)), {})
        if way == "mixin of a subclass":
            return type("Mixed", (type("Mixin", (), lower), above), {})
        return type("Lower", (above,), lower)

    await assert_alike(make, first | second)


class Prefixing(EmbedBridgeEmbedding):
    """As users write it: every hook, and `super()` embeds."""

    def _get_query_embedding(self, query: str) -> list[float]:
        return super()._get_query_embedding(f"Q: {query}")

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return await super()._aget_query_embedding(f"Q: {query}")

    def _get_text_embedding(self, text: str) -> list[float]:
        return super()._get_text_embedding(f"D: {text}")

    async def _aget_text_embedding(self, text: str) -> list[float]:
        return await super()._aget_text_embedding(f"D: {text}")

    def _get_text_embeddings(self, texts: Any) -> list[list[float]]:
        return super()._get_text_embeddings([f"D: {text}" for text in texts])

    async def _aget_text_embeddings(self, texts: Any) -> list[list[float]]:
        return await super()._aget_text_embeddings([f"D: {text}" for text in texts])


class SyncPrefixing(EmbedBridgeEmbedding):
    """As users write it: what is sync, for single inputs."""

    def _get_query_embedding(self, query: str) -> list[float]:
        return super()._get_query_embedding(f"Q: {query}")

    def _get_text_embedding(self, text: str) -> list[float]:
        return super()._get_text_embedding(f"D: {text}")


@pytest.mark.parametrize("kind", [Prefixing, SyncPrefixing])
async def test_an_index_has_one_kind_of_vectors(
    kind: type[EmbedBridgeEmbedding], model: RecordingModel
) -> None:
    """Indexes, retrievers and the bridge embed what the subclass made of texts, sync and async."""
    embedding = kind(embedder=model)
    nodes = [TextNode(text="one"), TextNode(text="two")]
    for use_async in (False, True):
        index = VectorStoreIndex(nodes, embed_model=embedding, use_async=use_async)
        index.as_retriever().retrieve("one")
        await index.as_retriever().aretrieve("one")
    bridged = from_llama_index(embedding)
    bridged.embed_documents(["one", "two"])
    await bridged.aembed_documents(["one", "two"])
    await bridged.aembed_query("one")

    assert set(model.seen) == {"D: one", "D: two", "Q: one"}


def test_a_job_reaches_the_hook_whole(model: RecordingModel, texts: list[str]) -> None:
    """So the engine plans it as ever; an `embed_batch_size` that was set holds for the hook, too."""
    Prefixing(embedder=model).get_text_embedding_batch(texts)
    whole = list(map(len, model.batches))
    model.batches.clear()
    Prefixing(embedder=model, embed_batch_size=10).get_text_embedding_batch(texts)

    assert (whole, list(map(len, model.batches))) == ([25], [10, 10, 5])


async def test_slices_of_an_async_hook(model: RecordingModel, texts: list[str]) -> None:
    """The vectors stand in the order of the texts."""
    embedding = Prefixing(embedder=model, embed_batch_size=10, num_workers=2)
    vectors = await embedding.aget_text_embedding_batch(texts)

    assert vectors == embedding.get_text_embedding_batch(texts)
    assert await embedding.aget_text_embedding_batch([]) == []


async def test_progress(capsys: pytest.CaptureFixture[str]) -> None:
    """A bar appears over an overridden hook as well."""
    embedding = Prefixing("fake:small", embed_batch_size=1)
    embedding.get_text_embedding_batch(["a", "b"], show_progress=True)
    sync = capsys.readouterr().err
    await embedding.aget_text_embedding_batch(["a", "b"], show_progress=True)

    assert "Generating embeddings" in sync
    assert "Generating embeddings" in capsys.readouterr().err


def test_cache_and_limits_are_asked_with_what_is_embedded(model: RecordingModel) -> None:
    """Beneath the hook: the text without its prefix is another one."""
    embedding = Prefixing(embedder=model, embeddings_cache=SimpleKVStore())
    for _ in range(2):
        embedding.get_text_embedding("one")

    assert model.seen == ["D: one"]


async def test_events(events: Any, callbacks: Any, model: RecordingModel) -> None:
    """They show what the caller handed over, once; of an image its path and never its content."""

    class Images(Prefixing):
        def _get_image_embedding(self, img_file_path: Any) -> list[float]:
            return [1.0]

    embedding = Images(embedder=model, callback_manager=CallbackManager([callbacks]))
    embedding.get_text_embedding("one")
    await embedding.aget_text_embedding_batch(["one", "two"])
    embedding.get_image_embedding_batch(["cat.png", Path("dog.png"), PICTURES[0]])
    base64 = ["data:image/png;base64,AAAA", "DATA:image/png;base64,AAAA", "AAAA" * 2000]
    embedding.get_image_embedding_batch(base64)
    embedding.get_image_embedding("HTTPS://host/cat.png?token=s3cret")

    ends = [payload[EventPayload.CHUNKS] for payload in callbacks.payloads("end")]
    assert ends[:2] == [["one"], ["one", "two"]]
    assert ends[2:] == [
        ["cat.png", "dog.png", "image: bytes"],
        ["image: str"] * 3,
        ["image: URL 'HTTPS://host/cat.png'"],
    ]
    assert events.names() == ["EmbeddingStartEvent", "EmbeddingEndEvent"] * 5


async def test_images_reach_a_hook_as_they_were_given(model: RecordingModel) -> None:
    """A hook of LlamaIndex's takes paths and file objects."""
    seen = []

    class Images(EmbedBridgeEmbedding):
        def _get_image_embedding(self, img_file_path: Any) -> list[float]:
            seen.append(img_file_path)
            return super()._get_image_embedding(PICTURES[0])

    embedding = Images(embedder=model)
    embedding.get_image_embedding("cat.png")
    await embedding.aget_image_embedding_batch(iter(["dog.png"]))

    assert seen == ["cat.png", "dog.png"]
    with pytest.raises(InvalidInputError, match="list"):
        embedding.get_image_embedding_batch("cat.png")


@pytest.mark.parametrize(
    "name",
    [
        "_get_text_embeddings_cached",
        "_aget_text_embeddings_cached",
        "_aget_text_embeddings_rate_limited",
    ],
)
def test_what_nothing_calls_is_refused(name: str) -> None:
    """LlamaIndex's ways to its own cache: to override one would do nothing, and say nothing."""
    with pytest.raises(ConfigurationError, match=f"Sub overrides {name}, which nothing calls"):
        type("Sub", (EmbedBridgeEmbedding,), overrides({name}, "sub"))
    with pytest.raises(ConfigurationError, match=r"Override _a?get_text_embeddings\."):
        type("Sub", (type("Mixin", (), overrides({name}, "sub")), EmbedBridgeEmbedding), {})


def test_other_classes_are_as_they_were() -> None:
    """Where nothing is overridden, nothing is put in between."""

    class Sub(EmbedBridgeEmbedding):
        word: str = ""

    assert Sub._overridden == EmbedBridgeEmbedding._overridden == frozenset()
    assert [
        name for name, _ in inspect.getmembers(Sub) if name in vars(Sub) and "get_" in name
    ] == []
