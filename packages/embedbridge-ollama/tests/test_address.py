"""Addresses: whatever Ollama takes, and whatever users copy along."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from embedbridge.contract import ConfigurationError
from embedbridge.core import Embedder, load_embedder
from embedbridge.testing import FaultServer

Load: TypeAlias = Callable[..., Embedder]

FORMS = [
    ("1.2.3.4", "http://1.2.3.4:11434"),
    (":56789", "http://127.0.0.1:56789"),
    ("1.2.3.4:56789", "http://1.2.3.4:56789"),
    ("http://1.2.3.4", "http://1.2.3.4"),
    ("https://1.2.3.4", "https://1.2.3.4"),
    ("https://1.2.3.4:56789", "https://1.2.3.4:56789"),
    ("example.com", "http://example.com:11434"),
    ("example.com:", "http://example.com:11434"),
    ("example.com/", "http://example.com:11434"),
    ("example.com/path", "http://example.com:11434/path"),
    ("example.com:56789/path/", "http://example.com:56789/path"),
    ("https://example.com:56789/path", "https://example.com:56789/path"),
    ("[0001:002:003:0004::1]", "http://[0001:002:003:0004::1]:11434"),
    ("[0001:002:003:0004::1]:56789/path", "http://[0001:002:003:0004::1]:56789/path"),
    ("https://[0001:002:003:0004::1]", "https://[0001:002:003:0004::1]"),
    ("fd00::1", "http://[fd00::1]:11434"),
    ("0.0.0.0", "http://127.0.0.1:11434"),
    ("0.0.0.0:8080", "http://127.0.0.1:8080"),
    ("http://0.0.0.0:11434", "http://127.0.0.1:11434"),
    ("[::]:11434", "http://[::1]:11434"),
    ("::", "http://[::1]:11434"),
    ("ollama.com", "https://ollama.com"),
    (" 'localhost' ", "http://localhost:11434"),
    # What users copy along
    ("http://localhost:11434/", "http://localhost:11434"),
    ("http://localhost:11434/api/embed", "http://localhost:11434"),
    ("http://localhost:11434/api/embeddings", "http://localhost:11434"),
    ("http://localhost:11434/api", "http://localhost:11434"),
    ("http://localhost:11434/v1/", "http://localhost:11434"),
]


@pytest.mark.parametrize("door", ["variable", "option"])
@pytest.mark.parametrize(("written", "url"), FORMS, ids=str)
def test_forms_of_an_address(
    monkeypatch: pytest.MonkeyPatch, door: str, written: str, url: str
) -> None:
    """In the variable and in the option alike: Ollama's server reads the same variable to listen."""
    options: dict[str, Any] = {"base_url": written}
    if door == "variable":
        monkeypatch.setenv("OLLAMA_HOST", written)
        options = {}
    model: Any = load_embedder("ollama:all-minilm", **options).model

    assert model.address.url == url


def test_without_an_address_it_is_this_machine() -> None:
    """Ollama's default port; an empty variable is none."""
    model: Any = load_embedder("ollama:all-minilm").model

    assert model.address.url == "http://127.0.0.1:11434"


@pytest.mark.parametrize("wrong", ["ftp://host", "http://me:secret@host", "a b"])
def test_what_is_no_address_is_refused(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    """By name of the variable, and without its value, which may hold a password."""
    monkeypatch.setenv("OLLAMA_HOST", wrong)
    with pytest.raises(ConfigurationError, match="OLLAMA_HOST") as caught:
        load_embedder("ollama:all-minilm").embed_query("a text")

    assert "secret" not in str(caught.value)


def test_loopback_has_one_space_whatever_it_is_called() -> None:
    """A port that is forwarded, `localhost` or an IPv6 address: it is this machine."""
    spaces = {
        load_embedder("ollama:all-minilm", base_url=url).space
        for url in ("localhost", "127.0.0.1:1", "[::1]", "0.0.0.0")
    }

    assert spaces == {"ollama:all-minilm"}
    assert load_embedder("ollama:all-minilm", base_url="gpu-box").space not in spaces


def test_no_proxy_for_this_machine(
    monkeypatch: pytest.MonkeyPatch, server: FaultServer, load: Load
) -> None:
    """A company's proxy would answer for a server that it cannot see."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    load().embed_query("a text")

    assert len(server.requests) == 1


@pytest.mark.filterwarnings("ignore:Ollama model .* is not known here")
def test_behind_another_port_a_models_name_means_another_model() -> None:
    """One that a user has made, or converted: only those of the library are the same everywhere."""
    here, there = (
        load_embedder("ollama:my-own", base_url=f"http://localhost:{port}")
        for port in (11434, 8080)
    )

    assert here.space != there.space
    assert here.fingerprint != there.fingerprint
    assert here.fingerprint == load_embedder("ollama:my-own").fingerprint
