"""What goes over the wire, and what a refusal means."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import pytest

from embedbridge.contract import (
    AuthenticationError,
    ConfigurationError,
    EmbedBridgeError,
    InputTooLongError,
    InvalidInputError,
    InvalidOptionError,
    InvalidResponseError,
    ProviderUnavailableError,
    RateLimitedError,
)
from embedbridge.core import Embedder
from embedbridge.testing import Exchange, Fault, FaultServer, faults

Load: TypeAlias = Callable[..., Embedder]
Serve: TypeAlias = Callable[..., FaultServer]

E5 = "intfloat/multilingual-e5-base"


def test_the_request(server: FaultServer, load: Load) -> None:
    """What is not set is left out; no key without a key."""
    load().embed_documents(["  two\nlines  "])
    request = server.requests[0].request

    assert request.path == "/embed"
    assert server.requests[0].json == {"inputs": ["  two\nlines  "], "truncate": False}
    assert "authorization" not in request.headers


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ({"normalize": False}, {"normalize": False}),
        ({"normalize": True}, {"normalize": True}),
        ({"dimensions": 32}, {"dimensions": 32}),
    ],
)
def test_options_are_sent(
    server: FaultServer, load: Load, options: dict[str, Any], sent: dict[str, Any]
) -> None:
    """Under TEI's own names."""
    load(**options).embed_query("a text")

    assert server.requests[0].json == {"inputs": ["a text"], "truncate": False, **sent}


def test_a_key_goes_to_all_pages(
    monkeypatch: pytest.MonkeyPatch, server: FaultServer, load: Load
) -> None:
    """Of any shape: it is the one that the server was started with."""
    monkeypatch.setenv("TEI_API_KEY", "hf_short")
    load().embed_query("a text")

    assert server.requests[0].request.headers["authorization"] == "Bearer hf_short"


@pytest.mark.parametrize(
    ("registered", "query", "document"),
    [
        ((), None, None),
        (("query", "document"), "query", "document"),
        (("query",), "query", None),
        (("query", "passage"), "query", "passage"),
        (("document", "passage"), None, "document"),
        (("s2p_query", "s2s_query"), None, None),
    ],
)
def test_prompts_that_the_model_registers(
    serve: Serve, load: Load, registered: Sequence[str], query: str | None, document: str | None
) -> None:
    """By role, under the names that sentence-transformers looks for; the server puts them in front."""
    server = serve(registered)
    embedder = load(base_url=server.url)
    embedder.embed_query("a text")
    embedder.embed_documents(["a text"])
    named = [record.json.get("prompt_name") for record in server.requests]

    assert named == [query, document]
    assert embedder.card.roles == ("field" if query or document else "none")
    assert len(server.asked_beside) <= 3


def test_prompts_of_families_that_register_none(serve: Serve, load: Load) -> None:
    """In front of the text, as the model's card says; the server is not asked for them."""
    server = serve(model_id=E5, served_model_name=E5)
    embedder = load(E5, base_url=server.url)
    embedder.embed_query("a text")
    embedder.embed_documents(["a text"])

    assert [record.json["inputs"] for record in server.requests] == [
        ["query: a text"],
        ["passage: a text"],
    ]
    assert server.asked_beside == ["/info"]


def test_the_user_s_own_prompts_win(serve: Serve, load: Load) -> None:
    """By name, or written out; a prompt never stands there twice."""
    server = serve(("query", "document", "s2p_query"))
    embedder = load(base_url=server.url, query_prompt_name="s2p_query", document_prompt="note: ")
    embedder.embed_query("a text")
    embedder.embed_documents(["a text"])

    assert [record.json for record in server.requests] == [
        {"inputs": ["a text"], "truncate": False, "prompt_name": "s2p_query"},
        {"inputs": ["note: a text"], "truncate": False},
    ]


def test_a_prompt_that_is_not_there(serve: Serve, load: Load) -> None:
    """The server's message lists those that are."""
    server = serve(("query",))
    server.always(None)
    with pytest.raises(InvalidOptionError, match=r"Available prompts: ..query"):
        load(base_url=server.url, query_prompt_name="nonsense").embed_query("a text")


@pytest.mark.parametrize(
    ("status", "body", "expected", "says"),
    [
        (400, {"error": "`inputs` cannot be empty", "error_type": "Empty"}, InvalidInputError, "empty"),
        (401, "", AuthenticationError, "Set TEI_API_KEY"),
        (404, "", ConfigurationError, "Check base_url"),
        (413, "length limit exceeded", InputTooLongError, "length limit"),
        (422, {"error": "`inputs` must have less than 512 tokens. Given: 600", "error_type": "Validation"}, InputTooLongError, "512"),
        (422, {"error": "`dimensions` should be smaller than the maximum embedding dimension.", "error_type": "Validation"}, InvalidOptionError, "dimensions"),
        (422, {"error": "tokenizer failed", "error_type": "Tokenizer"}, InvalidInputError, "tokenizer"),
        (424, {"error": "Model is not an embedding model", "error_type": "Backend"}, ConfigurationError, "not an embedding model"),
        (424, {"error": "inference failed", "error_type": "Backend"}, ProviderUnavailableError, "inference failed"),
        (424, {"error": 'DriverError(CUDA_ERROR_OUT_OF_MEMORY, "out of memory")', "error_type": "Backend"}, InputTooLongError, "memory"),
        (429, {"error": "Model is overloaded", "error_type": "Overloaded"}, RateLimitedError, "overloaded"),
        (503, {"error": "unhealthy", "error_type": "Unhealthy"}, ProviderUnavailableError, "unhealthy"),
        (200, {"error": "a gateway's"}, InvalidResponseError, "a gateway's"),
        (200, [], InvalidResponseError, "0 vectors"),
    ],
)  # fmt: skip
def test_refusals(
    server: FaultServer,
    load: Load,
    status: int,
    body: object,
    expected: type[EmbedBridgeError],
    says: str,
) -> None:
    """In the words of TEI's own source; a body need not be JSON, or be there at all."""
    kind = "text/plain" if isinstance(body, str) else "application/json"
    server.always(faults.reply(status, body, headers={"Content-Type": kind}))
    with pytest.raises(EmbedBridgeError) as caught:
        load(max_attempts=1).embed_query("a text")

    assert type(caught.value) is expected
    assert says in str(caught.value)


def test_a_body_that_is_too_large_is_sent_in_pieces(serve: Serve, load: Load) -> None:
    """413 comes from in front of the server, without JSON; nothing is lost."""

    async def play(exchange: Exchange) -> None:
        if len(exchange.request.body) > 4000:
            await exchange.connection.respond(413, b"length limit exceeded", headers={})
        else:
            await exchange.answer()

    server = serve()
    server.always(Fault("413", play))
    texts = [f"{number} {'word ' * 60}" for number in range(64)]

    assert load(base_url=server.url).embed_documents(texts).shape == (64, 64)


def test_a_batch_out_of_memory_is_halved(server: FaultServer, load: Load) -> None:
    """The GPU's memory is the server's limit, which it does not know itself."""

    async def play(exchange: Exchange) -> None:
        if len(exchange.asked.inputs) > 8:
            await exchange.refuse(424, "DriverError(CUDA_ERROR_OUT_OF_MEMORY, out of memory)")
        else:
            await exchange.answer()

    server.always(Fault("memory", play))

    assert load().embed_documents([f"text {n}" for n in range(64)]).shape == (64, 64)


@pytest.mark.heavy  # megabytes of text
def test_many_long_texts_stay_below_the_payload_limit(serve: Serve, load: Load) -> None:
    """TEI refuses more than 2 MB in one request, and does not say so beforehand."""
    server = serve(max_input_length=32_768)
    load(base_url=server.url).embed_documents([f"{n} {'x' * 100_000}" for n in range(64)])

    assert max(len(record.request.body) for record in server.requests) < 2_000_000
