"""The component is written down as its configuration, and found again."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.callbacks import CallbackManager
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.schema import TextNode
from llama_index.core.storage.kvstore import SimpleKVStore
from pydantic import ValidationError

from embedbridge.contract import ConfigurationError, InvalidOptionError, UnknownProviderError
from embedbridge.core import Embedder, load_embedder
from embedbridge.testing import FakeModel, RecordingModel
from llama_index.embeddings.embedbridge import EmbedBridgeEmbedding


def by_dict(embedding: EmbedBridgeEmbedding) -> Any:
    return EmbedBridgeEmbedding.from_dict(embedding.to_dict())


def by_json(embedding: EmbedBridgeEmbedding) -> Any:
    return EmbedBridgeEmbedding.from_json(embedding.to_json())


def by_pydantic(embedding: EmbedBridgeEmbedding) -> Any:
    return EmbedBridgeEmbedding.from_dict(json.loads(embedding.model_dump_json()))


def by_pickle(embedding: EmbedBridgeEmbedding) -> Any:
    return pickle.loads(pickle.dumps(embedding))


def by_validation(embedding: EmbedBridgeEmbedding) -> Any:
    """As a pydantic model with an embedding model in a field does it."""
    return EmbedBridgeEmbedding.model_validate(embedding.model_dump())


WAYS = [by_dict, by_json, by_pydantic, by_validation, by_pickle, copy.copy, copy.deepcopy]
ways = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)


@ways
def test_round_trip(way: Any, texts: list[str]) -> None:
    """What comes back makes the same vectors, from the same configuration."""
    embedding = EmbedBridgeEmbedding(
        "fake:text", seed=3, dimensions=16, on_empty="embed", embed_batch_size=7, num_workers=2
    )
    twin = way(embedding)

    assert isinstance(twin, EmbedBridgeEmbedding)
    assert twin.to_dict() == embedding.to_dict()
    assert (twin.embed_batch_size, twin.num_workers) == (7, 2)
    assert twin.get_text_embedding_batch([*texts, ""]) == embedding.get_text_embedding_batch(
        [*texts, ""]
    )


@ways
def test_a_batch_size_that_was_not_set_stays_so(way: Any) -> None:
    """Else the round trip would cap every call at LlamaIndex's default of 10."""
    twin = way(EmbedBridgeEmbedding("fake:small"))

    assert "embed_batch_size" not in twin.model_fields_set


def test_the_form() -> None:
    """The written form names the class, the model, its options and what was set."""
    embedding = EmbedBridgeEmbedding("fake:text", seed=3, max_attempts=5, num_workers=2)

    assert embedding.to_dict() == {
        "class_name": "EmbedBridgeEmbedding",
        "model_name": "fake:text",
        "num_workers": 2,
        "embedder": {
            "model": "fake:text",
            "options": {"seed": 3},
            "settings": {"max_attempts": 5},
        },
        "embedder_fingerprint": embedding.embedder.fingerprint,
    }


class Unlimited:
    """A limiter that belongs to this process."""

    def acquire(self) -> None:
        """Admits everything."""


def test_what_belongs_to_this_process_stays_here() -> None:
    """Cache, limiter and callbacks are not written down: they may hold connections and keys."""
    embedding = EmbedBridgeEmbedding(
        "fake:small",
        embeddings_cache=SimpleKVStore(),
        rate_limiter=Unlimited(),
        callback_manager=CallbackManager([]),
    )
    with pytest.warns(RuntimeWarning, match="SimpleKVStore"):
        twin = by_pickle(embedding)

    written = {"class_name", "model_name", "embedder", "embedder_fingerprint"}
    assert set(embedding.to_dict()) == written
    assert twin.embeddings_cache is None
    assert twin.rate_limiter is None


def test_a_copy_shares_model_cache_and_limiter() -> None:
    """Copying in the same process loads no model again and counts on the same budget."""
    embedding = EmbedBridgeEmbedding(
        "fake:small", embeddings_cache=SimpleKVStore(), rate_limiter=Unlimited()
    )
    twin = copy.deepcopy(embedding)
    twin.embed_batch_size = 3

    assert twin.embedder.model is embedding.embedder.model
    assert twin.embeddings_cache is embedding.embeddings_cache
    assert twin.rate_limiter is embedding.rate_limiter
    assert embedding.embed_batch_size == 10


def test_payload() -> None:
    """Events tell what LlamaIndex's own models tell."""
    assert EmbedBridgeEmbedding("fake:small", seed=3).to_payload() == {
        "class_name": "EmbedBridgeEmbedding",
        "model_name": "fake:small",
        "embed_batch_size": 10,
    }


def test_repr() -> None:
    """What spans and logs show is how to make it, without options or addresses."""
    embedding = EmbedBridgeEmbedding("fake:small", seed=3, embeddings_cache=SimpleKVStore())

    assert repr(embedding) == str(embedding) == "EmbedBridgeEmbedding('fake:small')"


# Ways to make one.


@pytest.mark.parametrize(
    "make",
    [
        lambda: EmbedBridgeEmbedding("fake:small", seed=3),
        lambda: EmbedBridgeEmbedding(model="fake:small", seed=3),
        lambda: EmbedBridgeEmbedding(model_name="fake:small", seed=3),
        lambda: EmbedBridgeEmbedding(embedder=load_embedder("fake:small", seed=3)),
        lambda: EmbedBridgeEmbedding(embedder=FakeModel("small", seed=3)),
        lambda: EmbedBridgeEmbedding(embedder=load_embedder("fake:small", seed=3).to_config()),
    ],
    ids=["name", "model", "model_name", "embedder", "model object", "configuration"],
)
def test_ways_to_make_one(make: Any) -> None:
    """By name, embedder, model or configuration: the same vectors and the same name."""
    embedding = make()
    expected = load_embedder("fake:small", seed=3).embed_query("a").tolist()

    assert embedding.get_query_embedding("a") == expected
    assert embedding.model_name == "fake:small"


def test_an_embedder_is_used_as_it_is() -> None:
    """No copy of the model is loaded, and both see the same one."""
    embedder = Embedder(RecordingModel())
    embedding = EmbedBridgeEmbedding(embedder=embedder, on_empty="zero")

    assert embedding.embedder.model is embedder.model
    with pytest.warns(UserWarning, match="made 1 of 2 vectors zeros"):
        assert embedding.get_text_embedding_batch(["", "a"])[0] == [0.0] * 8


def test_another_label() -> None:
    """`model_name` beside a model is what events call it."""
    embedding = EmbedBridgeEmbedding("fake:small", model_name="our search model")

    assert embedding.to_payload()["model_name"] == "our search model"
    assert by_pickle(embedding).model_name == "our search model"


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({}, ConfigurationError, "either"),
        ({"model": "fake:small", "embedder": FakeModel("small")}, ConfigurationError, "either"),
        ({"model": "fake:small", "sede": 3}, InvalidOptionError, "seed"),
        ({"model": "nobody:small"}, UnknownProviderError, "nobody"),
        ({"model": "small"}, UnknownProviderError, "small"),
        ({"embedder": FakeModel("small"), "seed": 3}, ConfigurationError, "seed"),
        ({"embedder": {"modle": "fake:small"}}, InvalidOptionError, "modle"),
        ({"model": "fake:small", "embed_batch_size": 0}, ValidationError, "embed_batch_size"),
    ],
    ids=lambda value: ",".join(value) or "nothing" if isinstance(value, dict) else None,
)
def test_what_cannot_be_made(options: dict[str, Any], error: Any, said: str) -> None:
    """A mistake is named at once, ours as our error, LlamaIndex's fields as pydantic's."""
    with pytest.raises(error, match=said):
        EmbedBridgeEmbedding(**options)


def test_a_wrong_value_fails_where_it_is_assigned() -> None:
    """And not in the middle of the next job."""
    embedding = EmbedBridgeEmbedding("fake:small")

    with pytest.raises(ValidationError):
        embedding.embed_batch_size = 0
    with pytest.raises(TypeError, match="BaseKVStore"):
        embedding.embeddings_cache = {}


def test_no_callback_manager() -> None:
    """`None`, as LlamaIndex's own code passes it, means none."""
    embedding = EmbedBridgeEmbedding("fake:small", callback_manager=None)

    assert embedding.callback_manager.handlers == []
    assert embedding.get_text_embedding("a")


@ways
def test_a_cache_in_a_file_travels(way: Any, tmp_path: Path) -> None:
    """A worker of IngestionPipeline writes into the same file as its parent."""
    embedding = EmbedBridgeEmbedding("fake:text", cache=tmp_path / "v.sqlite")
    twin = way(embedding)
    twin.get_text_embedding_batch(["a", "b"])

    assert embedding.embedder.embed(["a", "b"], role="document").cached == 2


def test_a_store_stays_here_and_says_so() -> None:
    """`embeddings_cache` may hold a connection: a pickle goes without it, with one warning."""
    embedding = EmbedBridgeEmbedding("fake:text", embeddings_cache=SimpleKVStore())
    with pytest.warns(RuntimeWarning, match=r"SimpleKVStore\) stays in this process") as caught:
        twin = by_pickle(embedding)

    assert len(caught) == 1
    assert twin.embeddings_cache is None
    by_pickle(embedding)  # said once


@pytest.mark.slow
def test_workers_fill_the_cache_of_their_parent(tmp_path: Path) -> None:
    """`num_workers=2`: the vectors that the processes made are in the file afterwards."""
    embedding = EmbedBridgeEmbedding("fake:text", cache=tmp_path / "v.sqlite")
    nodes = [TextNode(text=f"text {number}") for number in range(4)]
    made = IngestionPipeline(transformations=[embedding]).run(nodes=nodes, num_workers=2)

    assert len(made) == 4
    texts = [f"text {number}" for number in range(4)]
    assert embedding.embedder.embed(texts, role="document").cached == 4
