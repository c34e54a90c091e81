"""Embeddings are made from a string or an embedder, and made again from what they write down."""

import copy
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import PrivateAttr, ValidationError

from embedbridge.contract import ConfigurationError, InvalidOptionError
from embedbridge.core import Embedder, MemoryCache, RateLimiter, UsageMeter, load_embedder
from embedbridge.testing import FakeModel
from langchain_embedbridge import EmbedBridgeEmbeddings

WAYS: dict[str, Callable[[], EmbedBridgeEmbeddings]] = {
    "a string": lambda: EmbedBridgeEmbeddings(model="fake:small", seed=3),
    "a positional string": lambda: EmbedBridgeEmbeddings("fake:small", seed=3),
    "an embedder": lambda: EmbedBridgeEmbeddings(embedder=load_embedder("fake:small", seed=3)),
    "a model": lambda: EmbedBridgeEmbeddings(embedder=FakeModel("small", seed=3)),
    "pydantic's own way": lambda: EmbedBridgeEmbeddings.model_validate(
        {"model": "fake:small", "seed": 3}
    ),
}
ROUND_TRIPS: dict[str, Callable[[EmbedBridgeEmbeddings], EmbedBridgeEmbeddings]] = {
    "pickle": lambda made: pickle.loads(pickle.dumps(made)),
    "model_dump": lambda made: EmbedBridgeEmbeddings(**made.model_dump()),
    "model_dump_json": lambda made: EmbedBridgeEmbeddings(**json.loads(made.model_dump_json())),
    "model_validate_json": lambda made: EmbedBridgeEmbeddings.model_validate_json(
        made.model_dump_json()
    ),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_all_ways_to_say_the_same_thing_are_the_same(
    way: Callable[[], EmbedBridgeEmbeddings],
) -> None:
    """Every way gives the same vectors and the same name."""
    made = way()

    assert made.model == "fake:small"
    assert made.embed_query("a") == load_embedder("fake:small", seed=3).embed_query("a").tolist()


@pytest.mark.parametrize("round_trip", ROUND_TRIPS.values(), ids=ROUND_TRIPS)
def test_what_is_written_down_makes_the_same_again(
    round_trip: Callable[[EmbedBridgeEmbeddings], EmbedBridgeEmbeddings],
) -> None:
    """Options, settings and fields all come back."""
    made = EmbedBridgeEmbeddings(model="fake:small", seed=3, batch_size=4, show_progress=False)
    again = round_trip(made)

    assert again.model_dump() == made.model_dump()
    assert again.embed_query("a") == made.embed_query("a")


def test_the_engines_settings_are_options_too() -> None:
    """One list of options: the model takes its own, the engine the rest."""
    embeddings = EmbedBridgeEmbeddings(model="fake:small", on_empty="zero")

    with pytest.warns(UserWarning, match="made 1 of 1 vectors zeros"):
        assert embeddings.embed_documents([""]) == [[0.0] * 8]


def test_settings_beside_an_embedder_leave_it_as_it_is() -> None:
    """The embedder that was handed over may have other users."""
    embedder = load_embedder("fake:small")
    embeddings = EmbedBridgeEmbeddings(embedder=embedder, on_empty="zero")

    assert embeddings.embedder.settings.on_empty == "zero"
    assert embedder.settings.on_empty == "error"


def test_an_embedder_is_held_as_it_is() -> None:
    """Its cache, its listeners and its loaded weights are shared, not made anew."""
    embedder = load_embedder("fake:small")

    assert EmbedBridgeEmbeddings(embedder=embedder).embedder is embedder


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, ConfigurationError, "takes a model's name, or"),
        (
            {"model": "fake:small", "embedder": FakeModel("small")},
            ConfigurationError,
            "takes a model's name, or",
        ),
        ({"embedder": object()}, ConfigurationError, "is no model.*to_config"),
        (
            {"embedder": Embedder(FakeModel("small")), "seed": 3},
            InvalidOptionError,
            "exists already",
        ),
        ({"model": 7}, ConfigurationError, "provider:model"),
        ({"model": "fake:small", "sed": 3}, InvalidOptionError, "Did you mean 'seed'"),
        ({"model": "fake:small", "seed": "x"}, InvalidOptionError, "valid integer"),
        ({"embedder": FakeModel("small"), "seed": 3}, ConfigurationError, "seed"),
        ({"model": "fake:small", "show_progress": []}, ValidationError, "show_progress"),
    ],
)
def test_wrong_arguments_say_what_is_wrong(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    """An error names the argument and the remedy; nothing is guessed."""
    with pytest.raises(error, match=message):
        EmbedBridgeEmbeddings(**arguments)


def test_the_model_cannot_be_swapped_under_the_name() -> None:
    """Another model is another object: vectors of two models do not mix by accident."""
    embeddings = EmbedBridgeEmbeddings(model="fake:small")

    with pytest.raises(ValidationError, match="frozen"):
        embeddings.model = "fake:text"


@pytest.mark.parametrize(
    "given",
    [
        {"model": "fake:small"},
        {"embedder": "fake:small"},
        {"embedder": FakeModel("small")},
        {"embedder": Embedder(FakeModel("small"))},
        {"embedder": Embedder(FakeModel("small")).to_config()},
    ],
    ids=["name", "name as embedder", "model", "embedder", "configuration"],
)
def test_a_setting_is_taken_whatever_stands_for_the_model(given: dict[str, Any]) -> None:
    """A name, a model, an embedder and a configuration are changed with the same words."""
    assert EmbedBridgeEmbeddings(**given, max_retries=4).embedder.settings.max_attempts == 5


@pytest.mark.parametrize("way", ["dump", "pickle"])
def test_a_cache_in_a_file_travels(way: str, tmp_path: Path) -> None:
    """What is made from the configuration reads and writes the same file."""
    first = EmbedBridgeEmbeddings(model="fake:small", cache=tmp_path / "v.sqlite")
    if way == "pickle":
        second = pickle.loads(pickle.dumps(first))
    else:
        second = EmbedBridgeEmbeddings(**json.loads(first.model_dump_json()))
    second.embed_documents(["a", "b"])

    assert first.embedder.embed(["a", "b"], role="document").cached == 2


class Tagged(EmbedBridgeEmbeddings):
    """A user's subclass, with fields that the model knows nothing of."""

    tag: str = "none"
    weights: tuple[int, ...] = ()


def test_a_subclass_has_its_own_fields_everywhere() -> None:
    """They are given beside the options of the model, written down with them, and copied."""
    made = Tagged(model="fake:small", tag="mine", weights=(1,), seed=7)  # type: ignore[call-arg]  # an option of the model
    again = [
        Tagged(**made.model_dump()),
        Tagged.model_validate_json(made.model_dump_json()),
        pickle.loads(pickle.dumps(made)),
        copy.deepcopy(made),
    ]

    assert {(one.tag, *one.weights) for one in again} == {("mine", 1)}
    assert {one.embedder.fingerprint for one in again} == {made.embedder.fingerprint}
    assert "tag" not in Tagged(model="fake:small").model_dump()
    with pytest.raises(ValidationError, match="weights"):
        Tagged(model="fake:small", weights="no list")  # type: ignore[arg-type]


class Keeping(EmbedBridgeEmbeddings):
    """A user's subclass, with lists of its own."""

    words: list[str] = []  # noqa: RUF012  # pydantic copies it for each instance
    _seen: list[str] = PrivateAttr(default_factory=list)

    def see(self, text: str) -> None:
        self._seen.append(text)

    def all(self) -> list[str]:
        return self.words + self._seen


@pytest.mark.parametrize("deep", [False, True])
def test_lists_of_a_subclass_are_copied_only_deeply(deep: bool) -> None:
    """A deep copy has its own, another one shares them; the embedder is always there once."""
    made = Keeping(model="fake:small", words=["a"])
    twins = [
        made.model_copy(deep=deep),
        made.model_copy(update={"show_progress": False}, deep=deep),
        copy.deepcopy(made) if deep else copy.copy(made),
    ]
    made.words.append("b")
    made.see("c")

    assert [twin.all() for twin in twins] == [["a"] if deep else ["a", "b", "c"]] * 3
    assert all(twin.embedder is made.embedder for twin in twins)


def test_a_copy_takes_fields_and_settings() -> None:
    """They count for the copy, which keeps the model, the account and the listeners."""
    meter = UsageMeter()
    made = EmbedBridgeEmbeddings(embedder=load_embedder("fake:small", listeners=[meter]))
    twin = made.model_copy(update={"show_progress": False, "batch_size": 3, "max_retries": 1})
    twin.embed_query("a")

    assert (twin.show_progress, made.show_progress) == (False, None)
    assert twin.model_dump() == {
        "model": "fake:small",
        "batch_size": 3,
        "max_attempts": 2,
        "show_progress": False,
    }
    assert made.model_dump() == {"model": "fake:small"}
    assert twin.embedder.model is made.embedder.model
    assert meter.totals.jobs == 1


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize(
    ("update", "message"),
    [
        ({"model": "fake:wide"}, "cannot be of 'fake:wide'"),
        ({"dimensions": 4}, "'dimensions' belongs to the model"),
        ({"query_prompt": "q: "}, "'query_prompt' belongs to the model"),
        ({"batch_sice": 3}, "Did you mean 'batch_size'"),
        ({"embedder": load_embedder("fake:text")}, "no option 'embedder'"),
        ({"on_empty": "skip"}, "on_empty"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_copy_cannot_claim_to_be_another_model(
    update: dict[str, Any], message: str, deep: bool
) -> None:
    """Pydantic writes any value into a copy: it would say one model and ask another."""
    embeddings = EmbedBridgeEmbeddings(model="fake:text")

    with pytest.raises(InvalidOptionError, match=message):
        embeddings.model_copy(update=update, deep=deep)
    assert embeddings.model_copy(update={"model": "fake:text"}, deep=deep).model == "fake:text"
    with pytest.raises(ValidationError, match="show_progress"):
        embeddings.model_copy(update={"show_progress": []}, deep=deep)


def test_a_copy_can_be_without_what_the_original_has() -> None:
    """As with `Embedder.using`: `None` takes it away, and the original keeps it."""
    meter = UsageMeter()
    limiter = RateLimiter(requests_per_minute=100)
    held = load_embedder(
        "fake:small", cache=MemoryCache(), limiter=limiter, listeners=[meter], batch_size=3
    )
    made = EmbedBridgeEmbeddings(embedder=held)
    twin = made.model_copy(
        update={"cache": None, "limiter": None, "listeners": None, "batch_size": None}
    )
    twin.embed_query("a")

    assert (twin.embedder.cache, twin.embedder.limiter) == (None, None)
    assert twin.embedder.settings.batch_size is None
    assert (made.embedder.cache, made.embedder.limiter) == (held.cache, limiter)
    assert meter.totals.jobs == 0
