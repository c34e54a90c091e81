"""Options and keys: refused early where they cannot be right, and never shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from embedbridge.contract import (
    AuthenticationError,
    ConfigurationError,
    InvalidOptionError,
    ModelOptions,
)
from embedbridge.core import Embedder, load_embedder
from embedbridge.providers.openai import (
    AzureOpenAIOptions,
    OpenAICompatibleOptions,
    OpenAIOptions,
)
from embedbridge.testing import FaultServer

Load: TypeAlias = Callable[..., Embedder]

OPENAI = "openai:text-embedding-3-small"


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        (None, "There is no API key"),
        ("", "is empty"),
        ("  ", "is empty"),
        ("sk-abcdefghijklmnopqrstuvwxyz\n", "white space or a quote"),
        ("'sk-abcdefghijklmnopqrstuvwxyz'", "white space or a quote"),
        ("$OPENAI_API_KEY", "placeholder"),
        ("${OPENAI_API_KEY}", "placeholder"),
        ("<your key>", "placeholder"),
        ("sk-...", "placeholder"),
        ("your-api-key-goes-here-please", "placeholder"),
        ("Bearer sk-abcdefghijklmnopqrst", "added by itself"),
        ("sk-abcdefghij klmnopqrstuvwxyz", "no HTTP header"),
        ("sk-abcdefghijklmnopqrstuvwxyä", "no HTTP header"),
        ("sk-short", "only 8 characters"),
        ("sk-ant-REDACTED", "Anthropic"),
        ("hf_abcdefghijklmnopqrstuvwxyz", "Hugging Face"),
    ],
)
def test_a_key_that_cannot_be_one(key: str | None, problem: str) -> None:
    """Refused before anything is sent, with what to set; LlamaIndex's users expect ValueError."""
    with pytest.raises(AuthenticationError, match=problem) as caught:
        load_embedder(OPENAI, api_key=key).embed_query("a text")

    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, ConfigurationError)
    assert "OPENAI_API_KEY" in (caught.value.hint or "")
    assert not key or len(key) < 20 or key not in str(caught.value)


@pytest.mark.parametrize("key", ["short", "hf_abcdefghijklmnopqrstuvwxyz"])
def test_gateways_have_keys_of_their_own(server: FaultServer, load: Load, key: str) -> None:
    """What OpenAI's own server would refuse may be right for another."""
    load(api_key=key).embed_query("a text")

    assert server.requests[0].request.headers["authorization"] == f"Bearer {key}"


def test_a_fetched_key_is_looked_at_too(server: FaultServer, load: Load) -> None:
    """A vault may answer nonsense."""
    fetches: list[Callable[[], Any]] = [lambda: None, lambda: 7, lambda: " "]
    for fetch in fetches:
        with pytest.raises(AuthenticationError):
            load(api_key=fetch).embed_query("a text")

    assert not server.requests


def test_a_fetch_that_fails_is_not_blamed_on_the_server(server: FaultServer, load: Load) -> None:
    """A vault that cannot be reached raises what a vendor's network failure does."""

    def fetch() -> str:
        raise ConnectionError("the vault is down")

    with pytest.raises(AuthenticationError, match="failed with ConnectionError") as caught:
        load(api_key=fetch).embed_query("a text")

    assert isinstance(caught.value.__cause__, ConnectionError)
    assert not server.requests


def test_retries_by_the_name_that_others_use(server: FaultServer, load: Load) -> None:
    """`max_retries` is the engine's, because it alone retries."""
    assert load(max_retries=0).settings.max_attempts == 1
    assert load().settings.max_attempts == 3
    with pytest.raises(InvalidOptionError, match="max_retries"):
        load(max_retries=-1)


def test_unknown_options_name_the_nearest(load: Load) -> None:
    """Also the names that other frameworks use."""
    with pytest.raises(InvalidOptionError, match="Did you mean 'base_url'"):
        load(base_ulr="x")


def test_our_own_fields_are_not_for_extra_body(load: Load) -> None:
    """They would get past the checks."""
    with pytest.raises(InvalidOptionError, match="extra_body"):
        load(extra_body={"input": ["other texts"]})


@pytest.mark.parametrize("option", ["extra_body", "query_body", "document_body"])
@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_numbers_that_json_has_not(load: Load, option: str, number: float) -> None:
    """They are refused at once; a fingerprint, and a request, can hold none of them."""
    with pytest.raises(InvalidOptionError, match=f"{option}.a.*finite number"):
        load(**{option: {"a": [number]}})


@pytest.mark.parametrize(
    "bad", [{"timeout": 0}, {"timeout": "60"}, {"dimensions": 0}, {"user": ""}]
)
def test_values_that_cannot_be(load: Load, bad: dict[str, Any]) -> None:
    """Strict: nothing is converted silently."""
    with pytest.raises(InvalidOptionError):
        load(**bad)


def test_what_changes_a_vector_is_in_the_fingerprint(load: Load) -> None:
    """And nothing else: who pays and how long we wait make no other vectors."""
    usual = load().fingerprint
    same: list[dict[str, Any]] = [
        {"api_key": "sk-" + "y" * 30},
        {"organization": "org-1"},
        {"project": "proj-2"},
        {"timeout": 5.0},
        {"user": "me"},
        {"default_headers": {"X-A": "b"}},
        {"extra_body": {}},
    ]
    others: list[dict[str, Any]] = [
        {"dimensions": 256},
        {"extra_body": {"truncate": "left"}},
        {"base_url": "http://127.0.0.1:1/v1"},
        {"query_prompt": "query: "},
        {"normalize": False},
    ]

    assert {load(**options).fingerprint for options in same} == {usual}
    assert len({usual, *(load(**options).fingerprint for options in others)}) == 1 + len(others)


def test_accounts_have_limits_of_their_own(load: Load) -> None:
    """Same server and same key: one endpoint. Another key, organisation or header: another."""
    same = {load().model.endpoint, load(dimensions=8).model.endpoint, load().model.endpoint}
    others = {
        load(api_key="sk-" + "y" * 30).model.endpoint,
        load(organization="org-1").model.endpoint,
        load(default_headers={"X-A": "b"}).model.endpoint,
        load(base_url="http://127.0.0.1:1/v1").model.endpoint,
    }

    assert len(same) == 1
    assert len(same | others) == 5


def test_regional_addresses_are_openais_own() -> None:
    """The same models, hence the same space; not so a host that only sounds like it."""

    def space(url: str) -> str:
        return load_embedder(OPENAI, base_url=url).space

    assert space("https://eu.api.openai.com/v1") == OPENAI
    assert space("https://api.openai.com.evil.example/v1") != OPENAI
    assert space("https://notapi.openai.com/v1") != OPENAI


def test_an_address_from_the_environment_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the variable, not its value."""
    monkeypatch.setenv("OPENAI_BASE_URL", "https://me:secret@host/v1")
    with pytest.raises(ConfigurationError, match="OPENAI_BASE_URL") as caught:
        load_embedder(OPENAI).embed_query("a text")

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [AzureOpenAIOptions, OpenAICompatibleOptions, OpenAIOptions],
    ids=lambda o: o.__name__,
)
def test_the_readme_explains_every_option(options: type[ModelOptions]) -> None:
    """A table names each that is not of every model."""
    readme = Path(__file__).parents[1].joinpath("README.md").read_text(encoding="utf-8")
    own = options.model_fields.keys() - ModelOptions.model_fields.keys()

    assert [name for name in sorted(own) if f"| `{name}` |" not in readme] == []
