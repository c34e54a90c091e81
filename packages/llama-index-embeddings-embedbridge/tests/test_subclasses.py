"""A user's subclass is one of LlamaIndex's as any other: its fields, their defaults and its validators."""

# Of a subclass, mypy knows a constructor made of its fields, as of a dataclass.
# mypy: disable-error-code="call-arg"

from __future__ import annotations

import pickle
from typing import Any

import pytest
from llama_index.core.bridge.pydantic import (
    ConfigDict,
    Field,
    PrivateAttr,
    field_validator,
    model_validator,
)
from llama_index.core.storage.kvstore import SimpleKVStore
from pydantic import AliasChoices, ValidationError, computed_field

from embedbridge.contract import ConfigurationError, InvalidOptionError
from embedbridge.core import load_embedder
from embedbridge.testing import RecordingModel
from llama_index.embeddings.embedbridge import EmbedBridgeEmbedding

VECTOR = load_embedder("fake:small").embed_documents(["a"]).tolist()[0]


class Client:
    """What a subclass keeps."""


class Validating(EmbedBridgeEmbedding):
    """Validators of pydantic, one of which assigns."""

    prefix: str = ""
    words: list[str] = Field(default_factory=list)
    client: Client | None = None

    @field_validator("prefix")
    @classmethod
    def _with_colon(cls, prefix: str) -> str:
        return f"{prefix}: "

    @model_validator(mode="after")
    def _stripped(self) -> Validating:
        self.prefix = self.prefix.strip()
        self.num_workers = self.num_workers or 2
        return self


def test_validators_may_assign() -> None:
    """Assigning calls no validator of a subclass, as in every other class of LlamaIndex."""
    made = Validating("fake:small", prefix=" on")
    words: list[str] = []
    made.words, made.prefix = words, made.prefix
    double: Any = "a double"
    made.client = double
    words.append("shared")

    assert (made.prefix, made.words, made.client, made.num_workers) == (
        "on:",
        ["shared"],
        double,
        2,
    )


def test_our_fields_are_checked_beside_them() -> None:
    """Where they are written, in a subclass too."""
    made = Validating("fake:small")

    wrong: Any
    for name, wrong in (("embed_batch_size", 0), ("rate_limiter", 5), ("num_workers", -1)):
        with pytest.raises(ValidationError, match=name):
            setattr(made, name, wrong)
        with pytest.raises(ValidationError, match=name):
            Validating("fake:small", **{name: wrong})
    assert (made.embed_batch_size, made.rate_limiter, made.num_workers) == (10, None, 2)


def test_assignments_may_be_checked() -> None:
    """A subclass that wants it has it."""

    class Strict(EmbedBridgeEmbedding):
        model_config = ConfigDict(validate_assignment=True)
        width: int = 3

    with pytest.raises(ValidationError, match="width"):
        Strict("fake:small").width = "wide"  # type: ignore[assignment]  # that is the test


class Filing(EmbedBridgeEmbedding):
    """A field of a name that used to be one of the written form."""

    files: list[str] = Field(default_factory=list)


@pytest.mark.parametrize(
    "way", [pickle.dumps, EmbedBridgeEmbedding.to_dict], ids=["pickle", "dict"]
)
def test_a_field_is_never_dropped(way: Any) -> None:
    """Whatever its name: it is given, and travels."""
    made = Filing("fake:small", files=["a"])
    made.files.append("b")
    written = way(made)
    twin = pickle.loads(written) if isinstance(written, bytes) else Filing.from_dict(written)

    assert twin.files == ["a", "b"]


@pytest.mark.filterwarnings("ignore:Field name:UserWarning")  # pydantic's, of shadowed attributes
@pytest.mark.parametrize(
    "name", ["model", "embedder", "class_name", "embedder_files", "embedder_fingerprint"]
)
def test_a_field_that_would_be_dropped_is_refused(name: str) -> None:
    """When the class is made, and not in silence when it is used."""
    with pytest.raises(ConfigurationError, match=f"a field '{name}'"):
        type("Sub", (EmbedBridgeEmbedding,), {"__annotations__": {name: "str"}, name: ""})


def test_a_computed_field_is_no_option() -> None:
    """It is written down; what is read back must not become an option of the same name."""

    class Wide(EmbedBridgeEmbedding):
        @computed_field  # type: ignore[prop-decorator]  # as pydantic documents it
        @property
        def dimensions(self) -> int:
            return 3

    written = Wide("fake:small").to_dict()

    assert written["dimensions"] == 3
    assert Wide.from_dict(written).get_text_embedding("a") == VECTOR
    assert len(Wide("fake:text", dimensions=16).get_text_embedding("a")) == 16


class Capped(EmbedBridgeEmbedding):
    """Other defaults for fields of LlamaIndex's."""

    model_name: str = "fake:small"
    embed_batch_size: int = 3
    num_workers: int | None = 1


def test_defaults_of_a_subclass_hold(model: RecordingModel, texts: list[str]) -> None:
    """As if they were given: for the engine, and for what contradicts them."""
    Capped(embedder=model).get_text_embedding_batch(texts[:7])
    sizes = list(map(len, model.batches))
    model.batches.clear()
    Capped(embedder=model, embed_batch_size=7).get_text_embedding_batch(texts[:7])

    assert (sizes, list(map(len, model.batches))) == ([3, 3, 1], [7])
    assert Capped().embedder.settings.max_concurrency == 1
    assert Capped.from_dict(Capped().to_dict()).embedder.settings.batch_size == 3
    with pytest.raises(InvalidOptionError, match="contradict"):
        Capped(batch_size=5)


def test_a_default_name_is_a_model() -> None:
    """`model_name` of a class is what it is without another."""
    assert Capped().get_text_embedding("a") == VECTOR
    assert repr(Capped("fake:text")) == "Capped('fake:text')"
    assert repr(Capped(embedder=load_embedder("fake:text"))) == "Capped('fake:text')"


class Aliased(EmbedBridgeEmbedding):
    """Fields with other names."""

    word: str = Field(default="", alias="the_word")
    other: str = Field(default="", validation_alias=AliasChoices("one", "two"))


def test_aliases() -> None:
    """A field is given by any name that pydantic takes for it, and travels."""
    made = Aliased("fake:small", the_word="a", two="b")
    twin = pickle.loads(pickle.dumps(made))

    assert (made.word, made.other) == (twin.word, twin.other) == ("a", "b")


class Warming(EmbedBridgeEmbedding):
    """It embeds before its constructor has ended."""

    _width: int = PrivateAttr(default=0)
    seen: int = 0

    def model_post_init(self, context: Any, /) -> None:
        super().model_post_init(context)
        self._width = len(self.get_text_embedding("a"))

    @model_validator(mode="after")
    def _again(self) -> Warming:
        self.seen = len(self.get_query_embedding("a"))
        return self


def test_it_embeds_while_it_is_made() -> None:
    """As other models can, which have only fields."""
    made = Warming("fake:small", embeddings_cache=SimpleKVStore())

    assert (made._width, made.seen) == (8, 8)
    assert made.model_copy()._width == 8


def test_the_embedder_does_the_work(model: RecordingModel) -> None:
    """`embedder` has the fields, at any time: it asks the same cache and sends the same batches."""
    embedding = EmbedBridgeEmbedding(
        embedder=model, embeddings_cache=SimpleKVStore(), embed_batch_size=2
    )
    embedding.get_text_embedding_batch(["a", "b", "c"])

    assert embedding.embedder.embed(["a", "b", "c", "d"], role="document").cached == 3
    embedding.num_workers = 3
    settings = embedding.embedder.settings
    assert (settings.batch_size, settings.max_concurrency) == (2, 3)
