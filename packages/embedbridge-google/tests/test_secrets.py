"""No key or access token leaves by any door, whatever the server repeats."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from embedbridge.contract import EmbedBridgeError
from embedbridge.core import Embedder, load_embedder
from embedbridge.testing import FaultServer, GoogleWire, VertexWire
from embedbridge.testing.leaks import echoing, everything_about, leaks

Load: TypeAlias = Callable[..., Embedder]

HEADER = "tok_9d8c7b6a5f4e3d2c1b0a"


@pytest.fixture(params=["google", "vertex"])
def served(
    request: pytest.FixtureRequest, key: str, set_up: Callable[[str], Path]
) -> Iterator[tuple[FaultServer, Embedder]]:
    """A server, and a model that sends it a key, or an access token of google-auth's, and a header."""
    set_up("user file")
    own: dict[str, Any] = {"api_key": key} if request.param == "google" else {"project": "p"}
    wire = GoogleWire() if request.param == "google" else VertexWire()
    with (
        FaultServer(wire=wire, dimensions=3072) as server,
        load_embedder(
            f"{request.param}:gemini-embedding-2",
            base_url=server.url,
            max_attempts=1,
            default_headers={"X-Gateway-Token": HEADER},
            **own,
        ) as embedder,
    ):
        yield server, embedder


def secrets_of(server: FaultServer) -> list[str]:
    """What was sent to say who asks."""
    headers = [record.request.headers for record in server.requests]
    sent = [each.get("x-goog-api-key", each.get("authorization", "")) for each in headers]
    return [HEADER, *(each.removeprefix("Bearer ") for each in sent)]


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 413, 429, 500])
def test_errors_hold_no_secret(
    served: tuple[FaultServer, Embedder], caplog: pytest.LogCaptureFixture, status: int
) -> None:
    """Neither the error nor anything chained to it, nor the DEBUG logs of the libraries."""
    server, embedder = served
    caplog.set_level(logging.DEBUG)
    embedder.embed_query("the first text, with which the token is fetched")
    server.always(echoing(status, secrets_of(server)))
    with pytest.raises(EmbedBridgeError) as caught:
        embedder.embed_query("a text")

    assert leaks(everything_about(caught.value) + caplog.text, secrets_of(server)) == []


def test_what_describes_it_holds_no_secret(served: tuple[FaultServer, Embedder]) -> None:
    """repr, configuration, options, pickle, endpoint, identity and fingerprint."""
    server, embedder = served
    embedder.embed_query("a text")
    model: Any = embedder.model
    surfaces = {
        "repr": repr([embedder, model, model.options]) + str(model),
        "config": str([embedder.to_config(), model.options.public(), model.options.model_dump()]),
        "identity": str([dict(model.identity()), embedder.fingerprint, embedder.space]),
        "endpoint": repr(model.endpoint),
        "pickle": pickle.dumps([embedder, model, model.options]).decode("latin-1"),
    }

    assert len(secrets_of(server)[1]) > 20
    assert [name for name, told in surfaces.items() if leaks(told, secrets_of(server))] == []
