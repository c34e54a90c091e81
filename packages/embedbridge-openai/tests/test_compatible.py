"""Other people's servers: whatever is not asked for is not sent, and nothing is assumed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pytest

from embedbridge.contract import InvalidOptionError
from embedbridge.core import Embedder, load_embedder
from embedbridge.testing import Exchange, Fault, FaultServer

Load: TypeAlias = Callable[..., Embedder]

NAME = "openai-compatible:BAAI/bge-m3"


def test_no_key_where_none_is_set(
    server: FaultServer, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Least of all OpenAI's, or who pays there; the SDK would send them to anybody."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-" + "x" * 30)
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-2")
    found = load(NAME).embed_query("a text")
    headers = server.requests[0].request.headers

    assert not {"authorization", "openai-organization", "openai-project"} & set(headers)
    assert np.array_equal(found, server.vector("a text", "BAAI/bge-m3"))


@pytest.mark.parametrize("fetched", [False, True])
@pytest.mark.parametrize("key", [None, "token-abc"])
def test_ambient_headers_are_openais(
    server: FaultServer, load: Load, monkeypatch: pytest.MonkeyPatch, key: str | None, fetched: bool
) -> None:
    """The SDK would add them to every request, wherever it goes."""
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Team: secret\nAuthorization: Bearer secret")
    source = (lambda: key) if fetched and key else key
    load(NAME, api_key=source, default_headers={"X-Mine": "yes"}).embed_query("a text")
    headers = server.requests[0].request.headers

    assert "secret" not in str(headers)
    assert headers["x-mine"] == "yes"
    assert headers.get("authorization") == (key and f"Bearer {key}")


def test_a_header_that_the_user_sets_is_sent(server: FaultServer, load: Load) -> None:
    """Also where it is one of those that nobody else gets from the environment."""
    load(NAME, default_headers={"OpenAI-Organization": "org-mine"}).embed_query("a text")

    assert server.requests[0].request.headers["openai-organization"] == "org-mine"


@pytest.mark.parametrize("way", ["option", "environment", "header"])
def test_a_key_where_one_is_set(
    server: FaultServer, load: Load, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """By the option, by a variable of its own, or by a header."""
    if way == "environment":
        monkeypatch.setenv("OPENAI_COMPATIBLE_API_KEY", "token-abc")
    options: dict[str, dict[str, Any]] = {
        "option": {"api_key": "token-abc"},
        "environment": {},
        "header": {"default_headers": {"Authorization": "Bearer token-abc"}},
    }
    load(NAME, **options[way]).embed_query("a text")

    assert server.requests[0].request.headers["authorization"] == "Bearer token-abc"


def test_an_address_is_needed() -> None:
    """There is no server that one could guess."""
    with pytest.raises(InvalidOptionError, match="base_url"):
        load_embedder(NAME)


def test_limits_are_careful_and_can_be_raised(server: FaultServer, load: Load) -> None:
    """32 texts per request is what many servers take by default."""
    texts = [f"text {number}" for number in range(100)]
    load(NAME).embed_documents(texts)
    load(NAME, max_items=100, user="again").embed_documents(texts)

    assert sorted(len(r.inputs) for r in server.requests) == [4, 32, 32, 32, 100]


def test_width_is_seen_in_the_first_answer(load: Load) -> None:
    """A model that we do not know may have any."""
    assert load(NAME).dimensions is None
    assert load(NAME).embed_documents(["one"]).shape == (1, 1536)


def test_dimensions_are_asked_for_only_if_set(server: FaultServer, load: Load) -> None:
    """Servers that do not know the field refuse it."""
    load(NAME).embed_query("a text")
    load(NAME, dimensions=64).embed_query("a text")

    assert "dimensions" not in server.requests[0].json
    assert server.requests[1].json["dimensions"] == 64


NO_MATRYOSHKA = {
    "error": {
        "message": "Model 'm' does not support matryoshka representation, changing output "
        "dimensions will lead to poor results.",
        "type": "BadRequestError",
        "param": None,
        "code": 400,
    }
}
"""As vLLM refuses any width, the model's own too."""


async def _refuses_widths(exchange: Exchange) -> None:
    if exchange.asked.dimensions is None:
        await exchange.answer()
    else:
        body = json.dumps(NO_MATRYOSHKA).encode()
        await exchange.connection.respond(400, body, headers={"Content-Type": "application/json"})


def test_a_width_that_the_server_refuses_is_the_users_to_change(
    server: FaultServer, load: Load
) -> None:
    """It is refused once, in the server's words; without the field every answer would be too wide."""
    server.always(Fault("refuses-widths", _refuses_widths))
    with pytest.raises(InvalidOptionError, match=r"matryoshka.*leave out.*dimensions"):
        load(NAME, dimensions=64, max_concurrency=1).embed_documents(["one", "two"])

    assert [record.status for record in server.requests] == [400]


def test_the_models_own_width_needs_no_field(server: FaultServer, load: Load) -> None:
    """Where it is known that the width is the model's own, the field is left out after a refusal."""
    server.always(Fault("refuses-widths", _refuses_widths))
    embedder = load("openai:text-embedding-3-small", dimensions=1536)
    found = embedder.embed_documents(["one", "two"])
    embedder.embed_query("three")

    assert found.shape == (2, 1536)
    assert [record.status for record in server.requests] == [400, 200, 200]


def test_the_space_is_model_and_address(load: Load) -> None:
    """The same model elsewhere may be another quantisation; `space` says that it is not."""
    here = load(NAME, base_url="http://Localhost:8000/v1/")

    assert here.space == "BAAI/bge-m3@localhost:8000/v1"
    assert load(NAME, base_url="http://localhost:9000/v1").space != here.space
    assert load(NAME, space="bge-m3").space == "bge-m3"


@pytest.mark.parametrize(
    "url",
    [
        "localhost:8000/v1",
        "ftp://host/v1",
        "http://",
        "http://me:secret@host/v1",
        "https://host/v1?key=secret",
        "https://host/v1#secret",
    ],
)
def test_addresses_that_are_refused(load: Load, url: str) -> None:
    """No scheme, no host, or a secret in what is logged and stored."""
    with pytest.raises(InvalidOptionError, match="base_url") as caught:
        load(NAME, base_url=url)

    assert "secret" not in str(caught.value)
