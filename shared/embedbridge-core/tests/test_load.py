"""`load_embedder`: one string, and options of the model and the engine in one list."""

import os
from pathlib import Path
from typing import Any, cast

import pytest

from embedbridge.contract import ConfigurationError, InvalidOptionError
from embedbridge.core import DiskCache, Embedder, MemoryCache, Settings, load_embedder
from embedbridge.testing import FakeModel


def test_options_find_their_owner() -> None:
    """Some belong to the model, some to the engine; users need not know which."""
    embedder = load_embedder("fake:small", seed=3, dimensions=4, batch_size=2, errors="collect")

    assert embedder.model.options.public() == {"seed": 3, "dimensions": 4}
    assert (embedder.settings.batch_size, embedder.settings.errors) == (2, "collect")


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("sead", "seed"),
        ("dimension", "dimensions"),
        ("bach_size", "batch_size"),
        ("eror", "errors"),
    ],
)
def test_a_misspelt_option_names_the_nearest_of_both(wrong: str, right: str) -> None:
    """The model's options and the engine's settings are searched together."""
    with pytest.raises(InvalidOptionError, match=f"Did you mean '{right}'"):
        load_embedder("fake:small", **cast("Any", {wrong: 1}))


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"batch_size": 0}, "batch_size"),
        ({"errors": "ignore"}, "errors"),
        ({"max_concurrency": -1}, "max_concurrency"),
        ({"deadline": 0}, "deadline"),
        ({"seed": "three"}, "seed"),
        ({"dimensions": 0}, "dimensions"),
    ],
)
def test_a_value_that_cannot_be_is_refused(options: Any, name: str) -> None:
    """Before anything is embedded, by the option's name."""
    with pytest.raises(InvalidOptionError, match=f"Option '{name}'"):
        load_embedder("fake:small", **options)


@pytest.mark.parametrize("dimensions", [9, 10_000])
def test_a_width_that_the_model_cannot_make_is_refused(dimensions: int) -> None:
    """At the first use at the latest, with the choice there is."""
    with pytest.raises(InvalidOptionError, match=r"cannot make.*It takes: 1 to 8"):
        load_embedder("fake:small", dimensions=dimensions).embed_query("a")


def test_the_environment_sets_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arguments win over the environment, and the environment over the defaults."""
    monkeypatch.setenv("EMBEDBRIDGE_BATCH_SIZE", "3")
    monkeypatch.setenv("EMBEDBRIDGE_ERRORS", "collect")
    embedder = load_embedder("fake:small", errors="raise")

    assert (embedder.settings.batch_size, embedder.settings.errors) == (3, "raise")


@pytest.mark.parametrize("make", [lambda: load_embedder("fake"), lambda: Embedder(FakeModel("m"))])
def test_a_bad_environment_is_a_typed_error(monkeypatch: pytest.MonkeyPatch, make: object) -> None:
    """The message names the setting, whichever way the embedder is made."""
    monkeypatch.setenv("EMBEDBRIDGE_BATCH_SIZE", "many")

    with pytest.raises(InvalidOptionError, match="batch_size"):
        make()  # type: ignore[operator]  # a lambda of the table


def test_other_variables_of_ours_do_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    """`EMBEDBRIDGE_PROVIDERS` is for discovery, and no unknown setting."""
    monkeypatch.setenv("EMBEDBRIDGE_PROVIDERS", "fake")
    monkeypatch.setenv("EMBEDBRIDGE_NONSENSE", "1")

    assert load_embedder("fake:small").embed_query("a").shape == (8,)


def test_a_model_object_is_taken_as_it_is() -> None:
    """With settings of the engine; its own options it has already."""
    model = FakeModel("small")

    assert load_embedder(model, batch_size=2).model is model
    with pytest.raises(ConfigurationError, match="seed"):
        load_embedder(model, seed=1)


def test_no_two_settings_and_arguments_share_a_name() -> None:
    """A setting called like an argument of `load_embedder` could never be set."""
    assert {"model", "cache", "limiter", "listeners"}.isdisjoint(Settings.model_fields)


def test_a_cache_may_be_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`True` is the user's own file, a path is a file, and an object is itself."""
    monkeypatch.setenv("EMBEDBRIDGE_CACHE_DIR", os.fspath(tmp_path / "own"))
    memory = MemoryCache()
    at_path = load_embedder("fake", cache=tmp_path / "a.sqlite").cache
    of_user = load_embedder("fake", cache=True).cache

    assert load_embedder("fake", cache=memory).cache is memory
    assert load_embedder("fake").cache is load_embedder("fake", cache=False).cache is None
    assert isinstance(at_path, DiskCache)
    assert at_path.path == tmp_path / "a.sqlite"
    assert isinstance(of_user, DiskCache)
    assert tmp_path / "own" in of_user.path.parents


@pytest.mark.parametrize("cache", [5, object(), {}], ids=["number", "object", "dict"])
def test_what_is_no_cache_is_refused(cache: object) -> None:
    """When the embedder is made, not when the first vectors are lost."""
    with pytest.raises(InvalidOptionError, match="no cache"):
        load_embedder("fake", cache=cache)  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize(
    "model",
    [
        "fake:small",
        FakeModel("small"),
        Embedder(FakeModel("small")),
        Embedder(FakeModel("small")).to_config(),
    ],
    ids=["name", "model", "embedder", "configuration"],
)
def test_whatever_stands_for_a_model_is_taken(model: Any) -> None:
    """One door: the same settings, under the same names, and the same vectors."""
    cache = MemoryCache()
    embedder = load_embedder(model, max_retries=4, batch_size=2, cache=cache)

    assert (embedder.settings.max_attempts, embedder.settings.batch_size) == (5, 2)
    assert embedder.cache is cache
    assert (
        embedder.embed_query("a").tolist() == load_embedder("fake:small").embed_query("a").tolist()
    )


def test_an_embedder_without_changes_is_given_back() -> None:
    """Nothing is made twice; with changes, its own parts stay where they are not replaced."""
    cache = MemoryCache()
    embedder = load_embedder("fake:small", cache=cache, batch_size=2)

    assert load_embedder(embedder) is embedder
    changed = load_embedder(embedder, max_attempts=7)
    assert (changed.cache, changed.settings.batch_size) == (cache, 2)
    assert load_embedder(embedder, cache=False).cache is None


def test_options_win_over_a_configuration() -> None:
    """What is written in the call is newer than what was written down."""
    config = load_embedder("fake:small", seed=3, max_attempts=7, batch_size=2).to_config()
    embedder = load_embedder(config, seed=5, max_retries=0)

    assert embedder.model.options.public() == {"seed": 5}
    assert (embedder.settings.max_attempts, embedder.settings.batch_size) == (1, 2)


@pytest.mark.parametrize("model", [None, 7, object(), ["fake:small"], FakeModel])
def test_what_is_no_model_is_refused(model: Any) -> None:
    """With what would be one."""
    with pytest.raises(ConfigurationError, match=r"is no model.*to_config"):
        load_embedder(model)


@pytest.mark.parametrize(
    "change",
    [
        lambda **options: load_embedder("fake:small", **options),
        lambda **options: load_embedder("fake:small").using(**options),
        lambda **options: load_embedder(FakeModel("small"), **options),
    ],
    ids=["load", "using", "model"],
)
def test_two_words_for_one_setting_must_agree(change: Any) -> None:
    """`max_retries` and `max_attempts` are one number; a contradiction is no choice."""
    assert change(max_retries=2, max_attempts=3).settings.max_attempts == 3
    with pytest.raises(InvalidOptionError, match="contradict"):
        change(max_retries=2, max_attempts=5)


@pytest.mark.parametrize("part", ["options", "settings"])
def test_a_part_of_a_configuration_may_be_empty(part: str) -> None:
    """As YAML reads `options:` with nothing behind it; anything else is a typed error."""
    assert load_embedder({"model": "fake:small", part: None}).embed_query("a").shape == (8,)
    with pytest.raises(InvalidOptionError, match="are mappings"):
        load_embedder({"model": "fake:small", part: ["batch_size"]})
