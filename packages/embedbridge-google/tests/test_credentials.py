"""Vertex AI's credentials: each source works, expires in the middle of a job, or is missing.

Then the request is right, or an error names the source and the remedy; and no token, key or assertion
stands in anything that is shown. The servers of tokens and metadata are fakes on loopback.
"""

from __future__ import annotations

import functools
import logging
import pickle
import subprocess
import sys
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import google.auth.credentials
import google.auth.external_account
import numpy as np
import pytest

from embedbridge.contract import AuthenticationError, EmbedBridgeError, ProviderUnavailableError
from embedbridge.contract.errors import InvalidKeyError, InvalidOptionError
from embedbridge.core import Embedder
from embedbridge.testing import Exchange, Fault, FaultServer, PredictWire, loader
from embedbridge.testing.leaks import everything_about, leaks

Load: TypeAlias = Callable[..., Embedder]

MODEL = "text-embedding-005"
FEW = 8
"""Dimensions: here vectors are only to arrive."""
TEXTS = [f"text {number}" for number in range(600)]  # three requests
# As in conftest.py.
REFRESH, SECRET, SUBJECT = (
    "1//canary-refresh-9f8e7d6c5b4a3928",
    "GOCSPX-canary-secret-1a2b3c4d5e6f",
    "canary-subject-token-0f1e2d3c4b5a",
)
SOURCES = ("service account", "user file", "gcloud", "metadata", "external account")


@pytest.fixture
def vertex() -> Iterator[FaultServer]:
    with FaultServer(wire=PredictWire(), dimensions=768) as server:
        yield server


@pytest.fixture
def load_vertex(vertex: FaultServer) -> Iterator[Load]:
    settings = {"project": "my-project", "max_attempts": 1, "dimensions": FEW}
    with loader(base_url=vertex.url, **settings) as load:
        yield functools.partial(load, f"vertex:{MODEL}")


def sent_tokens(server: FaultServer) -> list[str]:
    return [
        record.request.headers["authorization"].removeprefix("Bearer ")
        for record in server.requests
    ]


def right(server: FaultServer, found: object, texts: list[str]) -> bool:
    expected = [server.vector(text, MODEL, FEW, role="RETRIEVAL_DOCUMENT") for text in texts]
    return bool(np.allclose(np.asarray(found), expected, atol=1e-6))


@pytest.mark.parametrize("source", SOURCES)
def test_a_source_works(
    source: str,
    set_up: Callable[[str], Path],
    tokens: Any,
    vertex: FaultServer,
    load_vertex: Load,
) -> None:
    """One token for the whole job, however many requests ask for it at the same time."""
    set_up(source)
    found = load_vertex(batch_size=50).embed_documents(TEXTS)

    assert right(vertex, found, TEXTS)
    assert set(sent_tokens(vertex)) == {tokens.issued[0]}
    assert len(tokens.issued) == 1
    payers = {record.request.headers.get("x-goog-user-project") for record in vertex.requests}
    assert payers == ({"payer"} if source in ("user file", "gcloud") else {None})


@pytest.mark.parametrize("source", SOURCES)
def test_a_token_that_expires_in_the_middle_is_replaced(
    source: str,
    set_up: Callable[[str], Path],
    tokens: Any,
    vertex: FaultServer,
    load_vertex: Load,
) -> None:
    """The server refuses it with 401 before its time: one new token, and no vector is lost."""
    set_up(source)

    async def play(exchange: Exchange) -> None:
        old = exchange.request.headers["authorization"].endswith(tokens.issued[0])
        if old and len(vertex.requests) > 1:
            await exchange.refuse(401, "Request had invalid authentication credentials.")
        else:
            await exchange.answer()

    vertex.always(Fault("revoked", play))
    found = load_vertex(batch_size=50).embed_documents(TEXTS)

    assert right(vertex, found, TEXTS)
    assert len(tokens.issued) == 2


def test_a_token_is_replaced_before_its_end(
    set_up: Callable[[str], Path], tokens: Any, vertex: FaultServer, load_vertex: Load
) -> None:
    """google-auth counts the last minutes as over: the next request brings a new one."""
    set_up("service account")
    embedder = load_vertex()
    tokens.lifetime = 60
    embedder.embed_query("one")
    embedder.embed_query("two")

    assert sent_tokens(vertex) == tokens.issued[:2]


@pytest.mark.parametrize(
    ("source", "break_it", "names", "remedy"),
    [
        ("service account", "no file", "GOOGLE_APPLICATION_CREDENTIALS=", "file of a service account"),
        ("service account", "no JSON", "GOOGLE_APPLICATION_CREDENTIALS=", "file of a service account"),
        ("service account", "revoked", "GOOGLE_APPLICATION_CREDENTIALS=", "service account and its key still exist"),
        ("user file", "revoked", "GOOGLE_APPLICATION_CREDENTIALS=", "gcloud auth application-default login"),
        ("gcloud", "no file", "in this environment", "gcloud auth application-default login"),
        ("gcloud", "revoked", "application_default_credentials.json", "gcloud auth application-default login"),
        ("metadata", "no account", "metadata server", "this machine has a service account"),
        ("external account", "no subject", "GOOGLE_APPLICATION_CREDENTIALS=", "workload identity pool"),
        ("external account", "revoked", "GOOGLE_APPLICATION_CREDENTIALS=", "workload identity pool"),
    ],
)  # fmt: skip
def test_a_source_is_missing_or_refused(
    source: str,
    break_it: str,
    names: str,
    remedy: str,
    set_up: Callable[[str], Path],
    tokens: Any,
    vertex: FaultServer,
    load_vertex: Load,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    private_key: str,
) -> None:
    """The error names the source and the remedy, holds no secret, and nothing is sent to Vertex AI."""
    caplog.set_level(logging.DEBUG)
    place = set_up(source)
    if break_it == "no file":
        place.unlink()
    elif break_it == "no JSON":
        place.write_text("{", encoding="utf-8")
    elif break_it == "no subject":
        (tmp_path / "subject").unlink()
    else:
        tokens.status = 404 if break_it == "no account" else 400
    embedder = load_vertex()
    with pytest.raises(EmbedBridgeError) as caught:
        embedder.embed_query("a text")
    shown = everything_about(caught.value) + caplog.text + repr(embedder)
    assertions = [
        value
        for request in tokens.asked
        for value in urllib.parse.parse_qs(request.body.decode()).get("assertion", [])
    ]

    assert isinstance(caught.value, AuthenticationError | ProviderUnavailableError)
    assert names in str(caught.value)
    assert remedy in str(caught.value)
    assert leaks(shown, [REFRESH, SECRET, SUBJECT, private_key[100:160], *assertions]) == []
    assert not vertex.requests


@pytest.mark.heavy  # google-auth waits between its attempts
def test_an_outage_of_the_token_server_is_tried_again(
    set_up: Callable[[str], Path], tokens: Any, vertex: FaultServer, load_vertex: Load
) -> None:
    """It is no fault of the credentials."""
    set_up("user file")
    tokens.status = 503
    with pytest.raises(ProviderUnavailableError, match="Token has been revoked") as caught:
        load_vertex().embed_query("a text")

    assert caught.value.retryable
    assert leaks(everything_about(caught.value), [REFRESH, SECRET]) == []


def test_the_project_of_the_credentials(
    set_up: Callable[[str], Path], tokens: Any, vertex: FaultServer, load_vertex: Load
) -> None:
    """Where neither option nor variable names one: that of the account, or of the machine."""
    for source, project in (("metadata", "project-of-metadata"), ("service account", "project-of-account")):  # fmt: skip
        set_up(source)
        load_vertex(project=None).embed_query(source)

        assert f"/projects/{project}/" in vertex.requests[-1].request.target


def test_the_project_of_a_pool_is_asked_for(
    set_up: Callable[[str], Path],
    tokens: Any,
    vertex: FaultServer,
    load_vertex: Load,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only where nothing else names one: it takes a request to another of Google's servers."""
    # google-auth knows this address by heart.
    address = f"http://{tokens.place}/computeMetadata/project/"
    monkeypatch.setattr(google.auth.external_account, "_CLOUD_RESOURCE_MANAGER", address)
    set_up("external account")
    load_vertex(project=None).embed_query("a text")

    assert "/projects/project-of-pool/" in vertex.requests[-1].request.target
    assert sent_tokens(vertex) == tokens.issued == [tokens.issued[0]]


def test_what_describes_it_holds_no_token(
    set_up: Callable[[str], Path], tokens: Any, vertex: FaultServer, load_vertex: Load
) -> None:
    """repr, configuration, pickle, endpoint, fingerprint; and the error of a server that repeats it."""
    set_up("user file")
    embedder = load_vertex()
    embedder.embed_query("a text")
    model: Any = embedder.model
    surfaces = [
        repr([embedder, model, model.options, model.endpoint, model.identity()]),
        str(embedder.to_config()) + embedder.fingerprint + embedder.space,
        pickle.dumps([embedder, model]).decode("latin-1"),
    ]

    async def play(exchange: Exchange) -> None:
        await exchange.refuse(403, f"Denied: {exchange.request.headers['authorization']}")

    vertex.always(Fault("echo", play))
    with pytest.raises(AuthenticationError, match="Vertex AI User") as caught:
        embedder.embed_query("another")
    surfaces.append(everything_about(caught.value))

    assert leaks("".join(surfaces), [*tokens.issued, REFRESH, SECRET]) == []


class Given(google.auth.credentials.Credentials):
    """A user's own, as LangChain's class takes them."""

    def refresh(self, request: Any) -> None:
        assert request is not None
        self.token = "ya29.given-0123456789abcdef"  # opens nothing


def test_credentials_of_the_users_own(vertex: FaultServer, load_vertex: Load) -> None:
    """They are refreshed like any other, and stay out of a configuration."""
    embedder = load_vertex(credentials=Given())  # type: ignore[no-untyped-call]
    embedder.embed_query("a text")

    assert sent_tokens(vertex) == ["ya29.given-0123456789abcdef"]
    assert "credentials" not in str(embedder.to_config())


@pytest.mark.parametrize("wrong", ["a path", {"type": "service_account"}])
def test_what_are_no_credentials(load_vertex: Load, wrong: object) -> None:
    """The error says what they are to be."""
    with pytest.raises(InvalidOptionError, match=r"google\.auth\.credentials\.Credentials"):
        load_vertex(credentials=wrong).embed_query("a text")


def test_a_token_that_a_function_fetches(vertex: FaultServer, load_vertex: Load) -> None:
    """google-auth is not needed then; an empty token is refused before anything is sent."""
    load_vertex(api_key=lambda: "ya29.fetched-0123456789abcdef").embed_query("a text")
    with pytest.raises(InvalidKeyError):
        load_vertex(api_key=lambda: "").embed_query("a text")

    assert sent_tokens(vertex) == ["ya29.fetched-0123456789abcdef"]


LATE = """
import sys, embedbridge.core
embedder = embedbridge.core.load_embedder("vertex:gemini-embedding-2", project="p")
print(embedder.space, [name for name in ("google.auth", "requests", "httpx2") if name in sys.modules])
"""


@pytest.mark.heavy  # a process of its own
def test_google_auth_is_imported_with_the_first_request() -> None:
    """Loading an embedder and asking for its space takes no SDK and no HTTP library."""
    command = [sys.executable, "-c", LATE]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)

    assert answer.stdout.split() == ["google:gemini-embedding-2", "[]"]
