"""LlamaIndex's pipeline cache knows a model by what is written down of it: that must say everything."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping

import pytest
from llama_index.core import MockEmbedding
from llama_index.core.ingestion import IngestionCache, IngestionPipeline
from llama_index.core.ingestion.pipeline import get_transformation_hash
from llama_index.core.schema import TextNode

from embedbridge.contract import Batch, BatchResult, ConfigurationError, LocalEmbeddingModel
from embedbridge.testing import FakeModel
from llama_index.embeddings.embedbridge import (
    EmbedBridgeEmbedding,
    from_llama_index,
    resolve_embed_model,
)


class Foreign:
    """An object of another framework. Its model's name says nothing of the size and the prompt."""

    model = "foreign-1"

    def __init__(self, size: int = 8, prompt: str = "") -> None:
        self.size = size
        self._prompt = prompt  # which no configuration tells

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return [float(len(self._prompt + text))] * self.size


class Own(LocalEmbeddingModel):
    """A model of a user's own, which takes more than options."""

    provider = "own"

    def __init__(self, number: int) -> None:
        super().__init__("model")
        self.number = number

    def identity(self) -> Mapping[str, object]:
        return {**super().identity(), "number": self.number}

    def embed_batch(self, batch: Batch) -> BatchResult:
        return FakeModel("small", seed=self.number).embed_batch(batch)


class Homeless(FakeModel):
    """A model whose server nobody has named."""

    def identity(self) -> Mapping[str, object]:
        raise ConfigurationError("The address is not known.")


def vector(embedding: EmbedBridgeEmbedding, cache: IngestionCache) -> list[float] | None:
    pipeline = IngestionPipeline(transformations=[embedding], cache=cache)
    (node,) = pipeline.run(nodes=[TextNode(text="one text", id_="1")])
    return node.embedding


PAIRS: dict[str, Callable[[], tuple[EmbedBridgeEmbedding, EmbedBridgeEmbedding]]] = {
    "size": lambda: (resolve(Foreign(8)), resolve(Foreign(16))),
    "private prompt": lambda: (resolve(Foreign()), resolve(Foreign(prompt="about: "))),
    "LlamaIndex's own": lambda: (bridged(8), bridged(16)),
    "own model": lambda: (
        EmbedBridgeEmbedding(embedder=Own(1)),
        EmbedBridgeEmbedding(embedder=Own(2)),
    ),
}


def resolve(foreign: Foreign, **options: object) -> EmbedBridgeEmbedding:
    made = resolve_embed_model(foreign, **options)  # type: ignore[arg-type]  # by its methods
    assert isinstance(made, EmbedBridgeEmbedding)
    return made


def bridged(size: int) -> EmbedBridgeEmbedding:
    return EmbedBridgeEmbedding(embedder=from_llama_index(MockEmbedding(size)))


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_another_object_has_other_entries(
    pair: Callable[[], tuple[EmbedBridgeEmbedding, EmbedBridgeEmbedding]],
) -> None:
    """Also where class, name and options are the same: the old vectors came back."""
    cache = IngestionCache()
    first, second = pair()
    vectors = [vector(embedding, cache) for embedding in (first, second)]

    assert vectors == [embedding.get_text_embedding("one text") for embedding in (first, second)]
    assert vectors[0] != vectors[1]


def test_the_same_object_finds_its_entries() -> None:
    """A second run asks nothing, nor does a copy of the component."""
    calls: list[str] = []

    class Counting(Foreign):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            calls.extend(texts)
            return super().embed_documents(texts)

    cache, embedding = IngestionCache(), resolve(Counting())
    for each in (embedding, embedding, copy.deepcopy(embedding)):
        vector(each, cache)

    assert len(calls) == 1


def test_objects_with_a_fingerprint_share_entries() -> None:
    """A name of the user's own for what decides the vectors counts here as in the engine's caches."""
    nodes = [TextNode(text="one text")]
    one, two, other = (resolve(Foreign(), fingerprint=name) for name in ("a", "a", "b"))

    assert get_transformation_hash(nodes, one) == get_transformation_hash(nodes, two)
    assert get_transformation_hash(nodes, one) != get_transformation_hash(nodes, other)


def test_a_server_that_the_environment_names_has_other_entries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The configuration does not tell it; the same name may be another model there."""
    pytest.importorskip("embedbridge.providers.openai", reason="embedbridge-openai asks servers")
    nodes = [TextNode(text="one text")]
    hashes = set()
    for server in ("one", "two"):
        monkeypatch.setenv("OPENAI_BASE_URL", f"https://{server}.example.com/v1")
        embedding = EmbedBridgeEmbedding("openai:model", api_key="none")
        hashes.add(get_transformation_hash(nodes, embedding))

    assert len(hashes) == 2


def test_what_makes_no_vectors_is_written_down_all_the_same() -> None:
    """A configuration is made where the server is not known yet."""
    embedding = EmbedBridgeEmbedding(embedder=Homeless("small"))

    assert embedding.to_dict()["embedder"]["model"] == "fake:small"
