"""What goes over the wire, within limits that Mistral tells only by refusing, and what comes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pytest

from embedbridge.contract import InputTooLongError
from embedbridge.core import Embedder
from embedbridge.testing import Exchange, Fault, FaultServer, faults

Load: TypeAlias = Callable[..., Embedder]

MODEL = "mistral-embed"


def right(server: FaultServer, texts: list[str]) -> np.ndarray:
    return np.array([server.vector(text, MODEL) for text in texts])


def test_a_request(server: FaultServer, load: Load, key: str) -> None:
    """Texts as they are, and vectors in base64."""
    load().embed_query("  two\nlines \x00")
    (record,) = server.requests

    assert record.request.target == "/v1/embeddings"
    assert record.request.headers["authorization"] == f"Bearer {key}"
    assert record.json == {
        "model": MODEL,
        "input": ["  two\nlines \x00"],
        "encoding_format": "base64",
    }


@pytest.mark.parametrize("behind", ["", "/", "/v1", "/v1/", "/v1/embeddings"])
def test_an_address_may_hold_the_path(server: FaultServer, load: Load, behind: str) -> None:
    """As the SDK takes it, as LangChain takes it, and as it is copied from the documentation."""
    load(base_url=server.url + behind).embed_query("x")

    assert server.requests[0].request.target == "/v1/embeddings"


def test_no_roles(server: FaultServer, load: Load) -> None:
    """A query is what a document with the same text is; the cache keeps them apart all the same."""
    embedder = load()

    assert np.array_equal(embedder.embed_query("a text"), embedder.embed_documents(["a text"])[0])


# Base64, or not.


def test_numbers_where_base64_was_asked_for(server: FaultServer, load: Load) -> None:
    """As Mistral's own server answers; others decode them to 256 zeros."""
    server.always(faults.ignores_base64())
    found = load().embed_documents(["one", "two"])

    assert np.allclose(found, right(server, ["one", "two"]), atol=1e-6)


def test_a_server_that_refuses_base64(server: FaultServer, load: Load) -> None:
    """One more request for the first batch, and none for the others."""

    async def play(exchange: Exchange) -> None:
        if b"encoding_format" in exchange.request.body:
            await exchange.refuse(422, "Extra inputs are not permitted: body.encoding_format")
        else:
            await exchange.answer()

    server.always(Fault("no-base64", play))
    texts = [f"text {number}" for number in range(300)]
    found = load(max_concurrency=1).embed_documents(texts)

    assert np.allclose(found, right(server, texts), atol=1e-6)
    assert ["encoding_format" in record.json for record in server.requests] == [True, False, False]


# Both of its "too many".


def test_never_more_than_256(server: FaultServer, load: Load) -> None:
    """A job of 1,000 short texts is 4 requests, none refused."""
    texts = [f"text {number}" for number in range(1000)]
    found = load().embed_documents(texts)

    assert np.allclose(found, right(server, texts), atol=1e-6)
    assert len(server.requests) == 4


@pytest.mark.parametrize(
    ("said", "size_of", "most"),
    [
        ("Too many inputs in request, split into more batches.", len, 100),
        ("Too many tokens overall, split into more batches.", lambda texts: sum(map(len, texts)), 3000),
        ("Too many tokens in batch. Max is 3000 got 17555", lambda texts: sum(map(len, texts)), 3000),
    ],
)  # fmt: skip
def test_too_many_is_halved_and_learned(
    server: FaultServer, load: Load, said: str, size_of: Callable[[list[str]], int], most: int
) -> None:
    """Its code is 3210 for both: the sentence says which. A second job is refused nothing."""

    async def play(exchange: Exchange) -> None:
        if size_of(list(exchange.asked.inputs)) > most:
            await exchange.refuse(400, said, code="3210", kind="invalid_request_prompt")
        else:
            await exchange.answer()

    server.always(Fault("too-many", play))
    embedder = load(max_concurrency=1)
    texts = [f"{number} text {'word ' * 4}" for number in range(256)]
    found = embedder.embed_documents(texts)
    server.wait_until_idle()  # a record is complete a moment after its answer came
    first = [record.status for record in server.requests]
    embedder.embed_documents([f"again {text}"[: len(text)] for text in texts])
    server.wait_until_idle()
    second = [record.status for record in server.requests[len(first) :]]

    assert np.allclose(found, right(server, texts), atol=1e-6)
    assert first.count(400) >= 1
    assert second.count(400) == 0


def test_a_text_that_is_too_long(server: FaultServer, load: Load) -> None:
    """Mistral names it: it alone is cut, and reported; or it is an error by position."""
    texts = ["short", "wordy " * 9000, "last"]
    result = load().embed(texts, role="document")

    assert result.truncated.tolist() == [False, True, False]
    assert np.allclose(result.vectors[2], server.vector("last", MODEL), atol=1e-6)
    with pytest.raises(InputTooLongError) as caught:
        load(on_too_long="error").embed_documents(texts)
    assert caught.value.index == 1
