"""What pydantic promises of its models holds for embeddings, and for what a user derives from them."""

import copy
import pickle
from typing import Any

import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding
from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    computed_field,
    model_validator,
)

from embedbridge.contract import (
    ConfigurationError,
    InvalidOptionError,
    MissingDependencyError,
    UnknownProviderError,
)
from embedbridge.core import MemoryCache, load_embedder
from langchain_embedbridge import EmbedBridgeEmbeddings, from_langchain, init_embeddings


class Strict(DeterministicFakeEmbedding):
    model_config = ConfigDict(extra="forbid")


class Settings(BaseModel):
    """Of a user's application, or the body of a request."""

    embeddings: EmbedBridgeEmbeddings


class Either(BaseModel):
    embeddings: Strict | EmbedBridgeEmbeddings


class FixedModel(EmbedBridgeEmbeddings):
    """Has a constructor of its own."""

    def __init__(self, **options: Any) -> None:
        super().__init__(model="nobody:small", **options)


WRONG: dict[str, tuple[dict[str, Any], type[ConfigurationError], str]] = {
    "no model": ({}, ConfigurationError, "takes a model's name, or"),
    "a number": ({"model": 7}, ConfigurationError, "7 is no model"),
    "an unknown provider": ({"model": "nobody:small"}, UnknownProviderError, "'nobody'"),
    "an unknown option": ({"model": "fake:small", "sed": 3}, InvalidOptionError, "Did you mean"),
    "a wrong option": ({"model": "fake:small", "seed": "x"}, InvalidOptionError, "valid integer"),
}


class TestErrors:
    """Ours where our constructor is called; pydantic's where pydantic makes the object."""

    @pytest.mark.parametrize(("values", "error", "message"), WRONG.values(), ids=WRONG)
    def test_of_wrong_values(
        self, values: dict[str, Any], error: type[ConfigurationError], message: str
    ) -> None:
        """A `ValidationError` names the field, and says what our own error says."""
        with pytest.raises(ValidationError, match=message) as caught:
            Settings.model_validate({"embeddings": values})
        with pytest.raises(ValidationError, match=message):
            EmbedBridgeEmbeddings.model_validate(values)
        with pytest.raises(ValidationError, match=message):
            TypeAdapter(list[EmbedBridgeEmbeddings]).validate_python([values])
        with pytest.raises(error, match=message) as raised:
            EmbedBridgeEmbeddings(**values)

        assert caught.value.errors()[0]["loc"] == ("embeddings",)
        assert type(raised.value) is error
        assert raised.value.__context__ is None  # pydantic's error has the values, perhaps a key

    def test_of_a_subclass_with_a_constructor(self) -> None:
        """It raises ours in pydantic's midst."""
        with pytest.raises(ValidationError, match="nobody"):
            TypeAdapter(FixedModel).validate_python({})
        with pytest.raises(UnknownProviderError):
            FixedModel()

    def test_a_union_goes_on_to_the_next_class(self) -> None:
        """One that does not fit is no failure of the whole."""
        assert isinstance(Either.model_validate({"embeddings": {"size": 8}}).embeddings, Strict)
        made = Either.model_validate({"embeddings": {"model": "fake:small"}}).embeddings
        assert isinstance(made, EmbedBridgeEmbeddings)
        with pytest.raises(ValidationError, match="nobody"):
            Either.model_validate({"embeddings": {"model": "nobody:small"}})

    def test_a_missing_package_is_no_matter_of_values(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """No other request would help: the error stays an `ImportError`."""

        def load(*_: object, **__: object) -> None:
            raise MissingDependencyError("torch is not installed.")

        monkeypatch.setattr("langchain_embedbridge.arguments.load_embedder", load)

        with pytest.raises(MissingDependencyError):
            Settings.model_validate({"embeddings": {"model": "fake:small"}})

    def test_an_object_is_taken_as_it_is(self) -> None:
        """Nothing is loaded a second time."""
        made = init_embeddings("fake:small")

        assert Settings(embeddings=made).embeddings is made


class Prepared(EmbedBridgeEmbeddings):
    """Embeds while it is made, and takes a name of its first version."""

    width: int = 0
    first: float = 0.0

    @model_validator(mode="before")
    @classmethod
    def _old_name(cls, values: dict[str, Any]) -> dict[str, Any]:
        changed = dict(values)
        if "model_name" in changed:
            changed["model"] = changed.pop("model_name")
        return changed

    def model_post_init(self, context: Any) -> None:
        super().model_post_init(context)
        self.width = len(self.embed_query("a"))

    @model_validator(mode="after")
    def _embeds(self) -> "Prepared":
        vars(self)["first"] = self.embedder.embed_query("a")[0]
        return self


class Aliased(EmbedBridgeEmbeddings):
    tag: str = Field(default="none", alias="label")
    team: str = Field(default="none", validation_alias=AliasChoices("group", AliasPath("who", 0)))

    @computed_field  # type: ignore[prop-decorator]  # as pydantic's guide writes it
    @property
    def kind(self) -> str:
        return f"{self.tag} of {self.team}"


class TestSubclasses:
    """Pydantic's hooks and fields work in a class that is derived from ours."""

    @pytest.mark.parametrize("way", [Prepared, lambda **values: Prepared.model_validate(values)])
    def test_it_embeds_as_soon_as_its_fields_are_there(self, way: Any) -> None:
        """In `model_post_init` and in validators; and arguments are changed before they are read."""
        made = way(model_name="fake:small", seed=3)
        vector = load_embedder("fake:small", seed=3).embed_query("a")

        assert (made.width, made.first) == (len(vector), vector[0])

    def test_fields_may_have_other_names_outside(self) -> None:
        """An alias is no option of the model."""
        values: dict[str, Any] = {"model": "fake:small", "label": "mine", "seed": 3}
        for other in ({"group": "us"}, {"who": ["us"]}):
            made = Aliased(**values, **other)
            assert (made.tag, made.team, made.kind) == ("mine", "us", "mine of us")
        with pytest.raises(InvalidOptionError, match="no option 'labl'"):
            Aliased(model="fake:small", labl="mine")  # type: ignore[call-arg]

    def test_they_are_written_down_and_copied(self) -> None:
        """What is computed too; it is left out when the object is made again."""
        made = Aliased(model="fake:small", label="mine", group="us", seed=3)  # type: ignore[call-arg]  # an option
        written = made.model_dump(by_alias=True)
        again = [
            Aliased(**{name: value for name, value in written.items() if name != "team"}),
            pickle.loads(pickle.dumps(made)),
            copy.deepcopy(made),
            made.model_copy(update={"batch_size": 2}),
        ]

        assert written == {
            "model": "fake:small",
            "seed": 3,
            "label": "mine",
            "team": "us",
            "kind": "mine of us",
        }
        assert {one.tag for one in again} == {"mine"}

    def test_assignment_is_checked_and_loads_nothing(self) -> None:
        """Fields of ours and of the subclass; the embedder stays, and cannot be assigned."""
        made = Aliased(model="fake:small", label="mine", seed=3)  # type: ignore[call-arg]
        held = made.embedder
        made.tag, made.show_progress = "other", False

        assert (made.tag, made.show_progress, made.embedder) == ("other", False, held)
        with pytest.raises(ValidationError, match="show_progress"):
            made.show_progress = []  # type: ignore[assignment]
        with pytest.raises(ValidationError, match="frozen"):
            made.embedder = load_embedder("fake:text")


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ({}, {"model", "seed", "batch_size", "show_progress"}),
        ({"exclude": {"model", "seed"}}, {"batch_size", "show_progress"}),
        ({"exclude": {"seed": True, "show_progress": ...}}, {"model", "batch_size"}),
        ({"include": {"model", "seed", "show_progress"}}, {"model", "seed", "show_progress"}),
        ({"include": {"seed": True}, "exclude": {"seed"}}, set()),
        ({"exclude_none": True}, {"model", "seed", "batch_size", "show_progress"}),
    ],
    ids=["all", "exclude", "exclude some", "include", "both", "no None"],
)
def test_a_dump_has_what_was_asked_for(asked: dict[str, Any], names: set[str]) -> None:
    """Options of the model and settings are named like fields."""
    made = EmbedBridgeEmbeddings("fake:small", seed=3, batch_size=4, show_progress=False)

    assert made.model_dump(**asked).keys() == names


def test_a_dump_of_another_class_leaves_out_what_was_named() -> None:
    """Its `exclude` reaches options of embeddings in a field."""
    made = Settings(embeddings=EmbedBridgeEmbeddings("fake:small", seed=3, batch_size=4))

    assert made.model_dump(exclude={"embeddings": {"seed"}}) == {
        "embeddings": {"model": "fake:small", "batch_size": 4}
    }


def test_the_schema_takes_what_is_written_down() -> None:
    """Options are the model's own, so that the schema cannot list them; it must not forbid them."""
    schema = EmbedBridgeEmbeddings.model_json_schema()

    assert schema["additionalProperties"] is True
    assert schema["required"] == ["model"]
    assert set(schema["properties"]) == {"model", "show_progress"}
    assert Settings.model_json_schema()
    assert EmbedBridgeEmbeddings.model_json_schema(mode="serialization")


def test_the_repr_makes_it_again() -> None:
    """It is the configuration, as an expression; a cache that stays in this process is left out."""
    made = EmbedBridgeEmbeddings("fake:small", seed=3, batch_size=4, cache=MemoryCache())
    bridged = EmbedBridgeEmbeddings(embedder=from_langchain(DeterministicFakeEmbedding(size=8)))
    text = "EmbedBridgeEmbeddings(model='fake:small', seed=3, batch_size=4)"

    assert repr(made) == text
    assert repr(eval(text)) == text
    assert repr(EmbedBridgeEmbeddings("fake:small", show_progress=True)).endswith(
        "show_progress=True)"
    )
    assert "langchain:DeterministicFakeEmbedding" in repr(bridged)
    assert "tag='mine'" in repr(Aliased(model="fake:small", label="mine"))
