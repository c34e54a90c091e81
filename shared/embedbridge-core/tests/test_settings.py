"""Settings: the constructor over the environment over the defaults, wherever they are given."""

from __future__ import annotations

import os
from typing import get_type_hints

import pytest

from embedbridge.contract import InvalidOptionError
from embedbridge.core import Embedder, Settings, load_embedder
from embedbridge.core.adapting import BridgeArguments, BridgeOptions
from embedbridge.core.settings import SettingArguments
from embedbridge.testing import FakeModel


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith("EMBEDBRIDGE_"):
            monkeypatch.delenv(name)


def test_precedence(monkeypatch: pytest.MonkeyPatch) -> None:
    """A default, replaced by a variable, replaced by an argument."""
    assert load_embedder("fake:small").settings.window == 4096
    monkeypatch.setenv("EMBEDBRIDGE_WINDOW", "7")
    assert load_embedder("fake:small").settings.window == 7

    assert load_embedder("fake:small", window=3).settings.window == 3


def test_each_setting_has_its_own_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one source leaves open is asked of the next."""
    monkeypatch.setenv("EMBEDBRIDGE_BATCH_SIZE", "8")
    monkeypatch.setenv("EMBEDBRIDGE_ON_EMPTY", "zero")
    settings = Settings(batch_size=2)

    assert (settings.batch_size, settings.on_empty, settings.max_concurrency) == (2, "zero", 8)


def test_an_embedder_keeps_what_was_in_force_when_it_was_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A variable that changes later changes later embedders."""
    monkeypatch.setenv("EMBEDBRIDGE_BATCH_SIZE", "8")
    embedder = Embedder(FakeModel("small"))
    monkeypatch.setenv("EMBEDBRIDGE_BATCH_SIZE", "4")

    assert embedder.settings.batch_size == 8
    assert embedder.using(window=9).settings.batch_size == 8
    assert Embedder(FakeModel("small")).settings.batch_size == 4


@pytest.mark.parametrize("name", ["EMBEDBRIDGE_MAX_RETRIES", "embedbridge_max_retries"])
def test_a_synonym_has_a_variable_too(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`max_retries` counts from it, and gives way to an argument of either name."""
    monkeypatch.setenv(name, "7")

    assert Settings().max_attempts == load_embedder("fake:small").settings.max_attempts == 8
    assert load_embedder("fake:small", max_retries=0).settings.max_attempts == 1
    assert load_embedder("fake:small", max_attempts=2).settings.max_attempts == 2
    monkeypatch.setenv(name, "many")
    assert load_embedder("fake:small", max_retries=1).settings.max_attempts == 2


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("BATCHSIZE", "BATCH_SIZE"),
        ("BATCH_SIZES", "BATCH_SIZE"),
        ("MAX_CONCURENCY", "MAX_CONCURRENCY"),
        ("MAX_RETRY", None),
        ("REQUEST_PER_MINUTE", "REQUESTS_PER_MINUTE"),
    ],
)
def test_a_variable_that_is_misspelt_is_warned_of(
    name: str, meant: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A letter or an underscore makes it do nothing; only what is surely meant is named."""
    monkeypatch.setenv(f"EMBEDBRIDGE_{name}", "8")
    if meant is None:
        load_embedder("fake:small")  # warnings are errors
        return
    with pytest.warns(RuntimeWarning, match=f"{name} does nothing. Did you mean .*_{meant}\\?"):
        load_embedder("fake:small")


@pytest.mark.parametrize(
    "name",
    [
        "BATCH_SIZE",
        "BENCH_FASTEMBED",
        "CACHE_DIR",
        "MAX_RETRIES",
        "MAX_TOKENS",
        "ACME_BATCH_SIZE",
        "PROVIDERS",
        "PROVIDERS_FILE",
        "WRITE_DOCS",
    ],
)
def test_no_other_variable_is_warned_of(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a right one, nor one that others of us or a plugin read."""
    monkeypatch.setenv(f"EMBEDBRIDGE_{name}", "8")

    assert Embedder(FakeModel("small"))  # warnings are errors


def test_a_synonym_contradicts_its_field(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two variables that agree are fine; of two that do not, none is preferred in silence."""
    monkeypatch.setenv("EMBEDBRIDGE_MAX_RETRIES", "4")
    monkeypatch.setenv("EMBEDBRIDGE_MAX_ATTEMPTS", "5")
    assert load_embedder("fake:small").settings.max_attempts == 5
    monkeypatch.setenv("EMBEDBRIDGE_MAX_ATTEMPTS", "9")
    with pytest.raises(InvalidOptionError, match="contradict") as raised:
        load_embedder("fake:small")

    assert raised.value.hint == (
        "They come from environment variables: set only one of "
        "EMBEDBRIDGE_MAX_ATTEMPTS and EMBEDBRIDGE_MAX_RETRIES."
    )


def test_a_value_that_cannot_be_has_a_remedy() -> None:
    """A setting is the engine's: no README of a provider says anything about it."""
    with pytest.raises(InvalidOptionError, match="greater than 0") as raised:
        load_embedder("fake:small", batch_size=0)

    assert raised.value.hint == "Leave it out for the default, None."
    with pytest.raises(InvalidOptionError, match="default, False"):
        load_embedder("fake:small", allow_urls=3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_RETRIES", "many"),
        ("MAX_RETRIES", "-1"),
        ("MAX_RETRIES", "1.5"),
        ("BATCH_SIZE", "many"),
        ("BATCH_SIZE", "true"),
        ("BATCH_SIZE", "null"),
        ("BATCH_SIZE", "1e1"),
        ("ERRORS", "ignore"),
        ("ERRORS", '"raise"'),
        ("ALLOW_URLS", "[bad"),
        ("ALLOW_URLS", "ture"),
        ("ALLOW_URLS", "https://example.org/a"),
    ],
)
def test_a_variable_that_cannot_be(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is ours, names the setting and its variable, and does not repeat the value."""
    monkeypatch.setenv(f"EMBEDBRIDGE_{name}", value)
    with pytest.raises(InvalidOptionError, match=name.lower()) as raised:
        load_embedder("fake:small")

    assert value not in str(raised.value)
    assert f"environment variable EMBEDBRIDGE_{name}." in str(raised.value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("true", True),
        ("0", False),
        ('["example.org", "b.org"]', ("example.org", "b.org")),
        ("example.org", ("example.org",)),
        ("example.org, 10.0.0.7:8080,intranet", ("example.org", "10.0.0.7:8080", "intranet")),
    ],
)
def test_hosts_are_a_list(monkeypatch: pytest.MonkeyPatch, value: str, expected: object) -> None:
    """Yes and no are words, hosts a list: with commas, or as JSON."""
    monkeypatch.setenv("EMBEDBRIDGE_ALLOW_URLS", value)

    assert Embedder(FakeModel("small")).settings.allow_urls == expected


def test_a_variable_is_not_blamed_for_an_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who wrote the value is who must change it."""
    monkeypatch.setenv("EMBEDBRIDGE_BATCH_SIZE", "many")
    with pytest.raises(InvalidOptionError, match="batch_size") as raised:
        load_embedder("fake:small", batch_size="few")

    assert "environment" not in str(raised.value)


def test_variables_are_no_options_of_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """What decides a vector is never set from outside the program in silence."""
    monkeypatch.setenv("EMBEDBRIDGE_DIMENSIONS", "4")
    monkeypatch.setenv("EMBEDBRIDGE_NORMALIZE", "false")

    assert load_embedder("fake:small").embed_query("a").shape == (8,)


def test_editors_know_every_setting_and_its_type() -> None:
    """The keywords of `using` are written out for type checkers: as the fields are, no more and no less."""
    keywords = get_type_hints(SettingArguments)
    retries = keywords.pop("max_retries")

    assert retries is int
    assert keywords == {name: field.annotation for name, field in Settings.model_fields.items()}


def test_editors_know_every_option_of_the_bridge() -> None:
    """The same for `from_langchain` and `from_llama_index`: settings, options, and three objects."""
    keywords = BridgeArguments.__required_keys__ | BridgeArguments.__optional_keys__

    assert not BridgeArguments.__required_keys__
    assert keywords == {
        *SettingArguments.__optional_keys__,
        *BridgeOptions.model_fields,
        "cache",
        "limiter",
        "listeners",
    }
