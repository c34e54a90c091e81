"""What goes over the wire: one kind of input to its endpoint, within the limits of the model."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pytest

from embedbridge.contract import InputTooLongError, InvalidOptionError, InvalidResponseError
from embedbridge.core import Embedder
from embedbridge.testing import Exchange, Fault, FaultServer

Load: TypeAlias = Callable[..., Embedder]
ENDPOINTS = {
    "voyage-4": "/embeddings",
    "voyage-multimodal-3.5": "/multimodalembeddings",
    "voyage-context-4": "/contextualizedembeddings",
}


def test_texts_of_a_text_model(server: FaultServer, load: Load, key: str) -> None:
    """Sent as they are, for base64, and to be refused rather than cut."""
    load().embed_query("  two\nlines \x00")
    (record,) = server.requests

    assert record.request.target == "/v1/embeddings"
    assert record.request.headers["authorization"] == f"Bearer {key}"
    assert record.json == {
        "model": "voyage-4",
        "input": ["  two\nlines \x00"],
        "input_type": "query",
        "truncation": False,
        "encoding_format": "base64",
    }


def test_texts_of_a_multimodal_model(server: FaultServer, load: Load) -> None:
    """At its own endpoint, where a text is a part of an input; one that looks like an image is none."""
    text = "data:image/png;base64,iVBORw0KGgo="
    load("voyage-multimodal-3").embed_documents([text])
    (record,) = server.requests

    assert record.request.target == "/v1/multimodalembeddings"
    assert record.json["inputs"] == [{"content": [{"type": "text", "text": text}]}]


def test_texts_of_a_model_of_chunks(server: FaultServer, load: Load) -> None:
    """Each is a document of its own: no vector depends on the other texts of a batch."""
    load("voyage-context-4").embed_documents(["one", "two"])
    (record,) = server.requests

    assert record.request.target == "/v1/contextualizedembeddings"
    assert record.json == {
        "model": "voyage-context-4",
        "inputs": [["one"], ["two"]],
        "input_type": "document",
        "encoding_format": "base64",
    }


def test_a_model_of_chunks_has_no_truncation(load: Load) -> None:
    """Its endpoint does not know the field."""
    with pytest.raises(InvalidOptionError, match="has no option 'truncation'"):
        load("voyage-context-4", truncation=True)


@pytest.mark.parametrize("count", [0, 2, None], ids=["none", "two", "no list"])
def test_a_document_of_one_chunk_has_one_vector(
    server: FaultServer, load: Load, count: int | None
) -> None:
    """Whatever else a server makes of it is no answer."""

    async def play(exchange: Exchange) -> None:
        vector = [0.5] * 1024
        chunks = [{"index": number, "embedding": vector} for number in range(count or 0)]
        document = {"index": 0, "data": None if count is None else chunks}
        body = json.dumps({"data": [document]}).encode()
        await exchange.connection.respond(200, body, headers={"content-type": "application/json"})

    server.always(Fault("other-chunks", play))
    with pytest.raises(InvalidResponseError, match=r"inputs were sent and [02]|no list of vectors"):
        load("voyage-context-4", max_attempts=1).embed_query("a text")


@pytest.mark.parametrize("behind", ["", "/", "/embeddings/", *ENDPOINTS.values()])
@pytest.mark.parametrize(("model", "endpoint"), ENDPOINTS.items())
def test_an_address_may_hold_the_path(
    server: FaultServer, load: Load, model: str, endpoint: str, behind: str
) -> None:
    """As it is copied from the documentation, of whichever endpoint."""
    load(model, base_url=server.url + behind).embed_query("x")

    assert server.requests[0].request.target == f"/v1{endpoint}"


@pytest.mark.parametrize(
    ("model", "asked", "allowed"),
    [
        ("voyage-4-lite", 2048, True),
        ("voyage-multimodal-3.5", 256, True),
        ("voyage-4", 768, False),
        ("voyage-3", 512, False),
        ("voyage-multimodal-3", 256, False),
    ],
)
def test_dimensions_are_asked_for_or_refused(
    server: FaultServer, load: Load, model: str, asked: int, allowed: bool
) -> None:
    """Wider than usual too; LlamaIndex's class drops them for multimodal models."""
    embedder = load(model, dimensions=asked)
    if allowed:
        assert embedder.embed_query("a text").shape == (asked,)
        assert server.requests[0].json["output_dimension"] == asked
    else:
        with pytest.raises(ValueError, match=f"cannot make vectors of {asked}"):
            embedder.embed_query("a text")


# Many.


def test_a_thousand_in_one_request(server: FaultServer, load: Load) -> None:
    """Not 128, the limit of 2024: 2,500 short texts are 3 requests, each text with its own vector."""
    texts = [f"text {number}" for number in range(2500)]
    found = load(dimensions=256).embed_documents(texts)
    right = [server.vector(text, "voyage-4", 256, role="document") for text in texts]

    assert np.allclose(found, right, atol=1e-6)
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("model", "fewest", "most"),
    [("voyage-4-lite", 1, 1), ("voyage-4", 2, 3), ("voyage-4-large", 5, 7)],
)
def test_tokens_per_request_are_the_models(
    server: FaultServer, load: Load, model: str, fewest: int, most: int
) -> None:
    """500 texts of about 1,000 tokens are one request for one model, and several for another."""
    texts = [f"{number} " + "word and " * 500 for number in range(500)]
    load(model, dimensions=256).embed_documents(texts)

    assert fewest <= len(server.requests) <= most


def refuses_more_words_than(limit: int) -> Fault:
    """Voyage where a batch has more tokens than a model takes."""

    async def play(exchange: Exchange) -> None:
        size = sum(len(text.split()) for text in exchange.asked.inputs)
        if size <= limit:
            return await exchange.answer()
        said = (
            f"Request to model 'voyage-4' failed. The max allowed tokens per submitted batch is "
            f"{limit}. Your batch has {size} tokens after truncation. Please lower the number of "
            "tokens in the batch."
        )
        return await exchange.refuse(400, said, code="TOO_MANY_TOKENS_IN_BATCH")

    return Fault("too-many-tokens", play)


def test_a_batch_with_more_tokens_than_planned(server: FaultServer, load: Load) -> None:
    """Estimates fail for some scripts: the batch is halved, and the next job knows better."""
    server.always(refuses_more_words_than(1000))
    embedder = load(dimensions=256)
    texts = [f"{number} " + "word " * 99 for number in range(40)]
    found = embedder.embed_documents(texts)
    right = [server.vector(text, "voyage-4", 256, role="document") for text in texts]
    server.wait_until_idle()  # a record is complete a moment after its answer came
    before = [record.status for record in server.requests]
    embedder.embed_documents([text.upper() for text in texts])
    server.wait_until_idle()
    after = [record.status for record in server.requests[len(before) :]]

    assert np.allclose(found, right, atol=1e-6)
    assert before.count(400) >= 1
    assert after.count(400) == 0


# Texts that are too long.


def refuses_texts_of_more_words_than(limit: int) -> Fault:
    """Voyage with `truncation: false`."""

    async def play(exchange: Exchange) -> None:
        sizes = [len(text.split()) for text in exchange.asked.inputs]
        long = [number for number, size in enumerate(sizes) if size > limit]
        if not long or b'"truncation":true' in exchange.request.body:
            return await exchange.answer()
        said = (
            f"Request to model 'voyage-4' failed. The example at index {long[0]} in your batch has "
            f"too many tokens and does not fit into the model's context window of {limit} tokens. "
            "Please lower the number of tokens in the listed example(s) or use truncation."
        )
        return await exchange.refuse(400, said)

    return Fault("too-long", play)


def test_voyage_refuses_and_the_engine_cuts(server: FaultServer, load: Load) -> None:
    """Only what Voyage refuses is cut, and it is reported; its neighbours are as they were."""
    server.always(refuses_texts_of_more_words_than(500))
    fits, too_long = "wordy " * 400, "wordy " * 900
    result = load().embed(["short", fits, too_long, "last"], role="document")

    assert result.truncated.tolist() == [False, False, True, False]
    right = server.vector(fits, "voyage-4", role="document")
    assert np.allclose(result.vectors[1], right, atol=1e-6)
    assert len(server.requests) <= 3


def test_voyage_says_which_is_too_long(server: FaultServer, load: Load) -> None:
    """With on_too_long="error" its position is the caller's."""
    server.always(refuses_texts_of_more_words_than(500))
    with pytest.raises(InputTooLongError) as caught:
        load(on_too_long="error").embed_documents(["short", "fits", "wordy " * 900])

    assert caught.value.index == 2


def test_truncation_by_voyage(server: FaultServer, load: Load) -> None:
    """On request; what may have been cut is reported as cut."""
    server.always(refuses_texts_of_more_words_than(500))
    result = load(truncation=True).embed(["short", "word " * 60_000], role="document")

    assert result.truncated.tolist() == [False, True]
    assert [record.json["truncation"] for record in server.requests] == [True]
