"""Addresses and keys as users write them, at every hosted provider: the right request, or what to write.

One table for all of them, so that a new provider cannot forget a form: `test_no_provider_is_left_out`
compares it with what is announced. Vendors by name come from their rows.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
import pytest

from embedbridge.contract import (
    AuthenticationError,
    ConfigurationError,
    InvalidKeyError,
    ProviderUnavailableError,
)
from embedbridge.core import Embedder, Registry, load_embedder
from embedbridge.testing import FaultServer, faults

from .hosted_rows import ANYWHERE, HOSTED, KEY, SPELLINGS, WRONG, announced, row_of

FOREIGN_KEY = "sk-ant-REDACTED"
TEXTS = ["one text", "another"]
NO_KEYS = (
    "",
    "   ",
    "your-api-key",
    "<key>",
    f" {KEY}",
    f'"{KEY}"',
    f"Bearer {KEY}",
    "schlüssel" * 4,
)
"""What is set as a key and is none."""
Load: TypeAlias = Callable[..., Embedder]
PROVIDERS = announced()


@pytest.fixture(params=sorted(PROVIDERS))
def provider(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each hosted provider, without a developer's own keys and addresses."""
    name: str = request.param
    for variable in Registry().spec(name).variables:
        monkeypatch.delenv(variable, raising=False)
    for variable, value in row_of(name).environment.items():
        monkeypatch.setenv(variable, value)
    return name


@pytest.fixture
def server(provider: str) -> Iterator[FaultServer]:
    with FaultServer(wire=row_of(provider).wire(), dimensions=width_of(provider)) as server:
        yield server


def width_of(provider: str) -> int:
    kind = PROVIDERS[provider]
    model = row_of(provider).model
    return next((card.dimensions or 64 for card in kind.cards if card.name == model), 64)


@pytest.fixture
def load(provider: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """The provider's model at an address, named by option or variable; closed in the end."""
    row, loaded = row_of(provider), []

    def load(url: str | None, door: str = "option", **options: Any) -> Embedder:
        given = {"api_key": KEY, "max_attempts": 1, **row.options, **options}
        if url is not None and door == "option":
            given[row.option] = url
        elif url is not None:
            monkeypatch.setenv(doors_of(provider)["variable"], url)
        embedder = load_embedder(f"{provider}:{row.model}", **given)
        loaded.append(embedder)
        return embedder

    yield load
    for embedder in loaded:
        embedder.close()


def doors_of(provider: str) -> dict[str, str]:
    """Where an address can stand, and what an error calls it."""
    row, variable = row_of(provider), PROVIDERS[provider].vendor.url_variable
    doors = {"option": row.option}
    if provider != "openai-compatible" and (variable := row.variable or variable):
        doors["variable"] = variable
    return doors


def url_of(provider: str, server: FaultServer) -> str:
    """Its address as it is documented."""
    return f"http://{host_of(server)}{row_of(provider).paths[0]}"


def host_of(server: FaultServer) -> str:
    return server.url.removeprefix("http://").partition("/")[0]


def test_no_provider_is_left_out() -> None:
    """Each hosted provider has a row, and each row a provider."""
    own = {name for name, kind in PROVIDERS.items() if not hasattr(kind, "row")}

    assert own == set(HOSTED)
    assert len(PROVIDERS) > len(own) + 20


def test_every_way_to_write_an_address_is_one_server(
    provider: str, server: FaultServer, load: Load
) -> None:
    """The same request, the same space, the same fingerprint: nothing is embedded twice."""
    host, (documented, *others) = host_of(server), row_of(provider).paths
    base = f"http://{host}{documented}"
    usual = load(base)
    expected = usual.embed_documents(TEXTS)
    target = server.requests[0].request.target
    written = [spell(base) for spell in SPELLINGS.values()]
    written += [f"http://{host}{path}{end}" for path in others for end in ("", "/")]
    for door, address in itertools.product(doors_of(provider), written):
        asked = len(server.requests)
        embedder = load(address, door)

        assert np.array_equal(embedder.embed_documents(TEXTS), expected), (door, address)
        assert server.requests[asked].request.target == target, (door, address)
        assert embedder.space == usual.space, (door, address)
        assert embedder.fingerprint == usual.fingerprint, (door, address)


def test_what_is_no_address_is_an_error_that_says_what_to_write(
    provider: str, server: FaultServer, load: Load
) -> None:
    """Before anything is sent; it names option or variable, and does not repeat the value."""
    completed = ("scheme missing", "no host") if row_of(provider).completes else ()
    for (door, name), form in itertools.product(doors_of(provider).items(), WRONG):
        if form in completed:
            continue
        wrong = WRONG[form](host_of(server))
        with pytest.raises(ConfigurationError) as caught:
            load(wrong, door).embed_documents(TEXTS)
        said = str(caught.value)

        assert name in said, (door, form)
        assert "it must" in said or "its port must" in said, (door, form)
        assert wrong not in said, (door, form)
        assert KEY not in said, (door, form)
    assert not server.requests


def test_a_key_that_the_server_refuses(provider: str, server: FaultServer, load: Load) -> None:
    """It is asked once, and the error says what to do about the key."""
    server.always(faults.status(401, f"Incorrect API key provided: {KEY}."))
    with pytest.raises(AuthenticationError) as caught:
        load(url_of(provider, server), max_attempts=3).embed_query("a text")

    assert len(server.requests) == 1
    assert caught.value.hint
    assert KEY[:20] not in str(caught.value)


def test_a_key_that_cannot_be_one_is_not_sent(
    provider: str, server: FaultServer, load: Load
) -> None:
    """Empty, a placeholder, with white space or quotes around it, or not of ASCII."""
    for key in NO_KEYS:
        with pytest.raises(InvalidKeyError) as caught:
            load(url_of(provider, server), api_key=key).embed_query("a text")

        assert KEY not in str(caught.value), key
    assert not server.requests


def test_a_key_of_another_vendor_does_not_leave(provider: str, load: Load) -> None:
    """At the vendor's own server; what a user's own server takes is not known."""
    if provider in ANYWHERE:
        return
    embedder = load(None, api_key=FOREIGN_KEY)
    model: Any = embedder.model
    if model.at_home and model.vendor.needs_key:
        with pytest.raises(InvalidKeyError, match="Anthropic") as caught:
            embedder.embed_query("a text")

        assert FOREIGN_KEY not in str(caught.value)


def test_an_address_where_nobody_answers(provider: str, load: Load) -> None:
    """The error says which server, and what to check."""
    with pytest.raises(ProviderUnavailableError) as caught:
        load(f"http://127.0.0.1:9{row_of(provider).paths[0]}").embed_query("a text")

    assert "127.0.0.1:9" in str(caught.value)
    assert caught.value.hint
