"""What goes over the wire: exactly what was asked for, and nothing that was not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pytest

from embedbridge.core import Embedder
from embedbridge.testing import FaultServer, Gate, faults

Load: TypeAlias = Callable[..., Embedder]

MODEL = "text-embedding-3-small"


def sent(server: FaultServer) -> Any:
    return server.requests[-1].json


def test_text_is_sent_as_it_is(server: FaultServer, load: Load) -> None:
    """No newline is replaced, nothing is trimmed, and no token array takes its place."""
    text = "  two\nlines\r\n\tand a tab – ünïcode 👩‍👩‍👧 \x00 "
    load().embed_query(text)

    assert sent(server) == {"input": [text], "model": MODEL, "encoding_format": "base64"}


def test_a_role_is_nothing_that_openai_knows(server: FaultServer, load: Load) -> None:
    """Query and document are the same request."""
    embedder = load()
    embedder.embed_query("a text")
    embedder.embed_documents(["a text"])

    assert server.requests[0].json == server.requests[1].json


def test_dimensions_are_asked_for(server: FaultServer, load: Load) -> None:
    """The server shortens, and normalises anew."""
    found = load(dimensions=256).embed_documents(["one", "two"])

    assert sent(server)["dimensions"] == 256
    assert np.allclose(found[1], server.vector("two", MODEL, 256))


def test_old_models_know_no_dimensions(server: FaultServer, load: Load) -> None:
    """Ada refuses the field, also for the width that it has anyway."""
    embedder = load("openai:text-embedding-ada-002", dimensions=1536)
    embedder.embed_query("a text")

    assert "dimensions" not in sent(server)
    with pytest.raises(ValueError, match="cannot make vectors of 512"):
        load("openai:text-embedding-ada-002", dimensions=512).embed_query("a text")


def test_user_and_extra_fields(server: FaultServer, load: Load) -> None:
    """`user` is OpenAI's own; `extra_body` is for servers that know more."""
    load(user="me", extra_body={"truncate_prompt_tokens": 512}).embed_query("a text")

    assert sent(server)["user"] == "me"
    assert sent(server)["truncate_prompt_tokens"] == 512


def test_headers(server: FaultServer, load: Load, key: str) -> None:
    """The key as a bearer, who pays for what, and the user's own headers."""
    load(organization="org-1", project="proj-2", default_headers={"X-Gateway": "3"}).embed_query(
        "x"
    )
    headers = server.requests[0].request.headers

    assert server.requests[0].request.target == "/v1/embeddings"
    assert headers["authorization"] == f"Bearer {key}"
    assert headers["openai-organization"] == "org-1"
    assert headers["openai-project"] == "proj-2"
    assert headers["x-gateway"] == "3"


def test_usage_is_what_the_server_counts(server: FaultServer, load: Load) -> None:
    """Reported, not estimated."""
    usage = load().embed(["one two three", "four"], role="document").usage

    assert (usage.tokens, usage.estimated) == (4, False)


# Base64 or floats.


@pytest.mark.parametrize("fault", [faults.ignores_base64(), faults.refuses_base64()], ids=repr)
def test_a_server_that_knows_floats_only(
    server: FaultServer, load: Load, fault: faults.Fault
) -> None:
    """It is found out once and remembered; the vectors are the same."""
    server.always(fault)
    embedder = load()
    found = [embedder.embed_query(text) for text in ("one", "two")]
    before = len(server.requests)
    embedder.embed_query("three")

    assert np.allclose(found[1], server.vector("two", MODEL), atol=1e-7)
    assert len(server.requests) == before + 1
    assert sent(server)["encoding_format"] == "float"


def test_a_refusal_of_base64_costs_one_request_and_no_retry(
    server: FaultServer, load: Load
) -> None:
    """Asking again in the other way is no attempt of the engine's."""
    server.always(faults.refuses_base64())

    assert load(max_attempts=1).embed(["a text"], role="query").requests == 1
    assert len(server.requests) == 2


# Many requests.


def test_in_flight_never_above_the_limit(server: FaultServer, load: Load) -> None:
    """Also at 1."""
    for limit in (1, 3):
        gate = Gate()
        server.max_in_flight = 0
        server.always(gate.fault)
        begun = len(server.requests)
        embedder = load(max_concurrency=limit, batch_size=1, user=f"{limit}")
        texts = [f"{limit}: text {number}" for number in range(10)]
        work = threading.Thread(target=embedder.embed_documents, args=[texts])
        work.start()
        server.wait_for(begun + limit)
        gate.open()
        work.join()

        assert server.max_in_flight == limit
        assert len(server.requests) == begun + 10


def test_many_batches_come_back_in_order(server: FaultServer, load: Load) -> None:
    """Whatever the order in which the server answers."""
    texts = [f"text {number}" * (number % 7 + 1) for number in range(500)]
    found = load(batch_size=7, dimensions=4).embed_documents(texts)

    assert np.allclose(found, [server.vector(text, MODEL, 4) for text in texts], atol=1e-6)


def test_large_answers_are_parsed_beside_the_loop(server: FaultServer, load: Load) -> None:
    """More than four mebibytes, several at once."""
    texts = [f"text {number}" for number in range(1200)]
    found = load(batch_size=600).embed_documents(texts)

    assert np.allclose(found[::50], [server.vector(text, MODEL) for text in texts[::50]])


async def test_cancelling_the_last_waiter_cancels_the_request(
    server: FaultServer, load: Load
) -> None:
    """The server sees the connection go away."""
    server.always(faults.silent())
    task = asyncio.create_task(load().aembed_query("a text"))
    await asyncio.to_thread(server.wait_for, 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    await asyncio.to_thread(server.wait_until_idle)
