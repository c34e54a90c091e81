"""No key, token or header value leaves by any door, in any spelling."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import warnings
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from embedbridge.contract import AuthenticationError, EmbedBridgeError
from embedbridge.core import Embedder
from embedbridge.testing import FaultServer
from embedbridge.testing.leaks import echoing, everything_about, leaks, spellings

Load: TypeAlias = Callable[..., Embedder]

SECRETS = ["sk-canary-5f0c9e8b7a6d4c3b2a190817", "tok_9d8c7b6a5f4e3d2c1b0a"]


@pytest.fixture
def embedder(load: Load) -> Embedder:
    return load(
        default_headers={"X-Gateway-Token": SECRETS[1], "Cookie": f"session={SECRETS[1]}"},
        max_attempts=1,
    )


def test_what_describes_it_holds_no_secret(embedder: Embedder) -> None:
    """repr, str, configuration, JSON, pickle, copies, fingerprint: eleven surfaces."""
    model, options = embedder.model, embedder.model.options
    surfaces: dict[str, Any] = {
        "repr": [embedder, model, options],
        "str": f"{embedder} {model} {options}",
        "config": embedder.to_config(),
        "dict": options.model_dump(),
        "json": options.model_dump_json(),
        "public": options.public(),
        "identity": dict(model.identity()),
        "endpoint": model.endpoint,
        "pickle": pickle.dumps([embedder, model, options]).decode("latin-1"),
        "copies": [copy.copy(options), copy.deepcopy(options)],
        "fingerprint": [embedder.fingerprint, embedder.space],
    }

    assert [name for name, surface in surfaces.items() if leaks(str(surface), SECRETS)] == []


@pytest.mark.parametrize("status", [200, 400, 401, 404, 413, 429, 500])
def test_errors_hold_no_secret(
    server: FaultServer, embedder: Embedder, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    """Neither the error nor anything chained to it, nor the DEBUG log of the SDK and HTTP."""
    caplog.set_level(logging.DEBUG)
    for name in ("openai", "httpx2", "httpcore2"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    server.always(echoing(status, SECRETS))
    with (
        warnings.catch_warnings(record=True) as warned,
        pytest.raises(EmbedBridgeError) as caught,
    ):
        embedder.embed_query("a text")
    logged = "".join(record.getMessage() for record in caplog.records)

    assert leaks(everything_about(caught.value), SECRETS) == []
    assert leaks(logged, SECRETS) == []
    assert leaks(str([str(w.message) for w in warned]), SECRETS) == []


def test_connection_errors_hold_no_secret(load: Load) -> None:
    """The SDK attaches the request, and with it the key, to each of its errors."""
    embedder = load(base_url="http://127.0.0.1:9/v1", max_attempts=1)
    with pytest.raises(EmbedBridgeError) as caught:
        embedder.embed_query("a text")

    assert leaks(everything_about(caught.value), SECRETS) == []


def test_a_fetched_key_is_hidden_too(server: FaultServer, load: Load, key: str) -> None:
    """It is known only when the request is made."""
    server.always(echoing(401, SECRETS))
    with pytest.raises(AuthenticationError) as caught:
        load(api_key=lambda: key).embed_query("a text")
    shown = everything_about(caught.value)

    assert [spelling for spelling in spellings(key) if spelling in shown] == []


def test_a_bad_option_does_not_show_its_neighbours(load: Load) -> None:
    """The validator would show the value, which may stand in the wrong place."""
    for wrong in ({"timeout": SECRETS[0]}, {"base_url": f"http://me:{SECRETS[0]}@host/v1"}):
        with pytest.raises(ValueError, match="Option") as caught:
            load(**wrong)

        assert leaks(everything_about(caught.value), SECRETS) == []


def test_an_error_goes_to_another_process(server: FaultServer, embedder: Embedder) -> None:
    """Pickled and back it says the same."""
    server.always(echoing(401, SECRETS))
    with pytest.raises(AuthenticationError) as caught:
        embedder.embed_query("a text")
    twin = pickle.loads(pickle.dumps(caught.value))

    assert str(twin) == str(caught.value)
    assert leaks(json.dumps(vars(twin), default=str), SECRETS) == []
