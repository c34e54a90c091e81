"""Options and keys: refused early where they cannot be right, and never shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest

from embedbridge.contract import (
    AuthenticationError,
    ConfigurationError,
    InvalidOptionError,
    ModelOptions,
)
from embedbridge.core import Embedder, load_embedder
from embedbridge.providers.cohere import CohereModel, CohereOptions
from embedbridge.testing import CohereWire, FaultServer

Load: TypeAlias = Callable[..., Embedder]

COHERE = "cohere:embed-v4.0"


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        (None, "There is no API key"),
        ("", "is empty"),
        ("abcdefghijklmnopqrstuvwxyz0123456789ABCD\n", "white space or a quote"),
        ("$CO_API_KEY", "placeholder"),
        ("<your key>", "placeholder"),
        ("Bearer abcdefghijklmnopqrst", "added by itself"),
        ("abcdefghij klmnopqrstuvwxyz", "no HTTP header"),
        ("shortkey", "only 8 characters"),
        ("sk-abcdefghijklmnopqrstuvwxyz", "one of OpenAI, and Cohere's server would refuse it"),
        ("pa-abcdefghijklmnopqrstuvwxyz", "Voyage"),
    ],
)
def test_a_key_that_cannot_be_one(key: str | None, problem: str) -> None:
    """Refused before anything is sent, with what to set; LlamaIndex's users expect ValueError."""
    with pytest.raises(AuthenticationError, match=problem) as caught:
        load_embedder(COHERE, api_key=key).embed_query("a text")

    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, ConfigurationError)
    assert "CO_API_KEY" in (caught.value.hint or "")
    assert not key or len(key) < 20 or key not in str(caught.value)


def test_the_environment_is_read_when_the_model_is_used(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    """By the SDK's own name first, then by the other one; the address too. None is kept before."""
    embedder = Embedder(CohereModel("embed-v4.0"))
    monkeypatch.setenv("COHERE_API_KEY", "y" * 40)
    monkeypatch.setenv("CO_API_URL", server.url)
    with embedder:
        embedder.embed_query("one")
    monkeypatch.setenv("CO_API_KEY", key)
    with embedder:
        embedder.embed_query("two")
    sent = [record.request.headers["authorization"] for record in server.requests]

    assert sent == [f"Bearer {'y' * 40}", f"Bearer {key}"]
    assert embedder.to_config()["options"] == {}


def test_a_bad_address_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the variable, not its value."""
    monkeypatch.setenv("CO_API_URL", "https://me:secret@host")
    with pytest.raises(ConfigurationError, match="CO_API_URL") as caught:
        load_embedder(COHERE).embed_query("a text")

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("fetches", [True, False])
def test_a_key_can_be_fetched(server: FaultServer, load: Load, fetches: bool) -> None:
    """Before each request, so that it may change; sync or async."""
    keys = iter([f"{'x' * 30}-{number}" for number in range(2)])

    async def fetch_async() -> str:
        return next(keys)

    embedder = load(api_key=(lambda: next(keys)) if fetches else fetch_async)
    embedder.embed_query("one")
    embedder.embed_query("two")

    sent = [record.request.headers["authorization"][-2:] for record in server.requests]
    assert sent == ["-0", "-1"]


def test_a_header_of_ones_own_replaces_the_key(server: FaultServer, load: Load) -> None:
    """Gateways have their own ways to say who asks."""
    load(api_key=None, default_headers={"Authorization": "Basic abc"}).embed_query("a text")

    assert server.requests[0].request.headers["authorization"] == "Basic abc"


def test_unknown_options_name_the_nearest(load: Load) -> None:
    """Also the names that other frameworks use."""
    with pytest.raises(InvalidOptionError, match="Did you mean 'truncate'"):
        load(truncat="END")


@pytest.mark.parametrize(
    "bad",
    [
        {"output_type": "float16"},
        {"truncate": "LEFT"},
        {"priority": 1000},
        {"max_tokens": 0},
        {"timeout": "60"},
        {"base_url": "ftp://host"},
    ],
)
def test_values_that_cannot_be(load: Load, bad: dict[str, Any]) -> None:
    """Strict: nothing is converted silently."""
    with pytest.raises(InvalidOptionError):
        load(**bad)


def test_what_changes_a_vector_is_in_the_fingerprint(load: Load) -> None:
    """And nothing else: who pays, how it travels and how long we wait make no other vectors."""
    usual = load().fingerprint
    same: list[dict[str, Any]] = [
        {"api_key": "y" * 40},
        {"timeout": 5.0},
        {"priority": 3},
        {"output_type": "base64"},
        {"truncate": "NONE"},
        {"default_headers": {"X-A": "b"}},
    ]
    others: list[dict[str, Any]] = [
        {"dimensions": 256},
        {"output_type": "int8"},
        {"output_type": "ubinary"},
        {"truncate": "START"},
        {"max_tokens": 100},
        {"base_url": "http://127.0.0.1:1"},
        {"query_prompt": "query: "},
    ]

    assert {load(**options).fingerprint for options in same} == {usual}
    assert len({usual, *(load(**options).fingerprint for options in others)}) == 1 + len(others)


# Output types.


@pytest.mark.parametrize(
    ("output_type", "least", "most", "width"),
    [
        ("int8", -128, 127, 1536),
        ("uint8", 0, 255, 1536),
        ("binary", -128, 127, 192),
        ("ubinary", 0, 255, 192),
    ],
)
def test_whole_numbers_come_as_they_are(
    server: FaultServer, load: Load, output_type: str, least: int, most: int, width: int
) -> None:
    """As float32 of the same value; a binary vector is eight times narrower, and says so."""
    embedder = load(output_type=output_type)
    found = embedder.embed_documents(["one", "two"])

    assert embedder.dimensions == width
    assert found.shape == (2, width)
    assert bool((found == np.rint(found)).all())
    assert least <= found.min() < found.max() <= most
    assert server.requests[0].json["embedding_types"] == [output_type]


def test_dimensions_of_binary_vectors_are_those_one_gets(server: FaultServer, load: Load) -> None:
    """64 values of 8 dimensions each are 512 dimensions of Cohere's."""
    embedder = load(output_type="ubinary", dimensions=64)
    found = embedder.embed_documents(["one", "two"])
    bits = server.vector("two", "embed-v4.0", 512, role="search_document") > 0

    assert server.requests[0].json["output_dimension"] == 512
    assert np.array_equal(found[1], np.packbits(bits))
    with pytest.raises(ValueError, match="cannot make vectors of 512"):
        load(output_type="ubinary", dimensions=512).embed_query("a text")


def test_base64_is_the_same_vectors(server: FaultServer, load: Load) -> None:
    """In another parcel: same fingerprint, same space, same numbers."""
    packed, plain = load(output_type="base64"), load()

    assert packed.space == plain.space
    assert np.allclose(packed.embed_query("a text"), plain.embed_query("a text"), atol=1e-7)
    assert server.requests[0].json["embedding_types"] == ["base64"]


def test_vectors_of_other_types_are_not_compared(load: Load) -> None:
    """An int8 vector has nothing to do in an index of floats."""
    spaces = {
        load(output_type=kind).space for kind in ("float", "int8", "uint8", "binary", "ubinary")
    }

    assert len(spaces) == 5


@pytest.mark.filterwarnings("ignore:Cohere model .* is not known here")
def test_a_new_models_binary_vectors(key: str) -> None:
    """Where no catalogue knows the width, the first answer does."""
    with (
        FaultServer(wire=CohereWire(), dimensions=4096) as server,
        load_embedder(
            "cohere:embed-v9.0", base_url=server.url, api_key=key, output_type="binary"
        ) as embedder,
    ):
        assert embedder.embed_query("a text").shape == (512,)


# Documents.


def test_the_readme_explains_every_option() -> None:
    """A table names each that is not of every model."""
    readme = Path(__file__).parents[1].joinpath("README.md").read_text(encoding="utf-8")
    own = CohereOptions.model_fields.keys() - ModelOptions.model_fields.keys()

    assert [name for name in sorted(own) if f"| `{name}` |" not in readme] == []
