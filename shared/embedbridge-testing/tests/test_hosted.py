"""The fixtures and the suite of a hosted provider, as a provider's own tests use them."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from embedbridge.contract import QuotaExhaustedError
from embedbridge.core import DiskCache, Embedder
from embedbridge.testing import (
    FaultServer,
    HostedModelContract,
    OpenAIWire,
    faults,
    hosted_fixtures,
    loader,
    model_error,
)
from embedbridge.testing.contract import CHECKS, why_not
from embedbridge.testing.hosted import Load

MODEL = "text-embedding-3-small"
KEY = "sk-canary-5f0c9e8b7a6d4c3b2a190817"
VARIABLE = "OPENAI_API_KEY"

isolated, key, server, load = hosted_fixtures(
    "openai", MODEL, wire=OpenAIWire(), dimensions=16, variables=[VARIABLE], key=KEY
)
load_without_key = hosted_fixtures(
    "openai-compatible", MODEL, wire=OpenAIWire(), dimensions=16, variables=[]
).load


@pytest.fixture(scope="module", autouse=True)
def _a_developer_s_environment() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv(VARIABLE, "sk-of-a-developer-0123456789")
        yield


def test_no_variable_of_the_vendor_is_set() -> None:
    """What a developer has set is gone, without a test asking for it."""
    assert VARIABLE not in os.environ


def test_retries_do_not_wait(
    server: FaultServer, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test of faults takes no time."""
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def recorded(delay: float, result: object = None) -> object:
        pauses.append(delay)
        return await sleep(delay, result)

    embedder = load(dimensions=16)
    monkeypatch.setattr(asyncio, "sleep", recorded)
    server.play(faults.status(503), faults.status(503))
    embedder.embed_query("a text")

    assert len(server.requests) == 3
    assert not any(pauses)


def test_load_leads_to_the_server(server: FaultServer, load: Load, key: str) -> None:
    """With the key, for the model of the fixtures or another one; options of the call win."""
    load(dimensions=16).embed_query("a text")
    load("text-embedding-3-large", dimensions=16, api_key="sk-another-0123456789").embed_query("x")
    first, second = server.requests

    assert [record.json["model"] for record in (first, second)] == [MODEL, "text-embedding-3-large"]
    assert first.request.headers["authorization"] == f"Bearer {key}" == f"Bearer {KEY}"
    assert second.request.headers["authorization"] == "Bearer sk-another-0123456789"


def test_a_provider_without_a_key(server: FaultServer, load_without_key: Load) -> None:
    """None is given, so that the provider's own default shows."""
    embedder = load_without_key()
    embedder.embed_query("a text")

    assert len(server.requests) == 1
    assert "api_key" not in embedder.model.options.model_fields_set


def test_what_was_loaded_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every embedder and its cache on disk, also after a test that failed."""
    closed: list[object] = []

    def close(self: object) -> None:
        closed.append(self)

    monkeypatch.setattr(Embedder, "close", close)
    monkeypatch.setattr(DiskCache, "close", close)
    with suppress(ZeroDivisionError), loader(seed=3) as load:
        plain = load("fake:small")
        cached = load("fake:small", cache=tmp_path / "vectors.db")
        raise ZeroDivisionError

    assert {id(each) for each in closed} == {id(plain), id(cached), id(cached.cache)}


def test_the_model_s_own_error(server: FaultServer, load: Load) -> None:
    """What it makes of an answer, after one request: the engine would ask again."""
    server.always(faults.reply(429, {"error": {"code": "insufficient_quota", "message": "No."}}))
    assert type(model_error(load())) is QuotaExhaustedError
    assert len(server.requests) == 1

    server.always(None)
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        model_error(load())


def test_the_suite_leads_to_the_server(server: FaultServer) -> None:
    """Its `load_at` is one, so that the checks over HTTP are asked."""

    class Suite(HostedModelContract):
        model: ClassVar[str] = f"openai:{MODEL}"

    with Suite().load_at(server, api_key=KEY, dimensions=16) as embedder:
        found = embedder.embed_query("a text")

    assert np.array_equal(found, server.vector("a text", MODEL, 16))
    assert why_not(CHECKS["test_a_redirect_is_not_followed"], Suite) is None


SUITE = """
from embedbridge.testing import HostedModelContract

class TestWithoutCard(HostedModelContract):
    model = "openai:text-embedding-3-small"
    key = "sk-canary-5f0c9e8b7a6d4c3b2a190817"
    key_variable = "OPENAI_API_KEY"
"""


@pytest.mark.heavy
def test_the_server_is_as_wide_as_the_model(tmp_path: Path) -> None:
    """Also where the suite declares no card."""
    file = tmp_path / "test_wide.py"
    file.write_text(SUITE, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(file)]
    command += ["-o", "asyncio_default_fixture_loop_scope=function", "-k", "count_width"]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stdout

    assert "1 passed" in said, said
