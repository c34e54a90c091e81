"""What goes over the wire: exactly what was asked for, and nothing that was not."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeAlias, get_args

import numpy as np
import pytest

from embedbridge.contract import InputTooLongError, Role, Task
from embedbridge.core import Embedder, MemoryCache, load_embedder
from embedbridge.testing import CohereWire, Exchange, Fault, FaultServer, Gate

Load: TypeAlias = Callable[..., Embedder]

MODEL = "embed-v4.0"


def sent(server: FaultServer) -> Any:
    return server.requests[-1].json


def test_text_is_sent_as_it_is(server: FaultServer, load: Load) -> None:
    """No newline is replaced and nothing is trimmed; NUL and emoji travel too."""
    text = "  two\nlines\r\n\tand a tab – ünïcode 👩‍👩‍👧 \x00 "
    load().embed_query(text)

    assert sent(server) == {
        "model": MODEL,
        "input_type": "search_query",
        "embedding_types": ["float"],
        "truncate": "NONE",
        "texts": [text],
    }


@pytest.mark.parametrize(
    "text",
    [
        "data:image/png;base64,iVBORw0KGgo=",
        "data:",
        "https://example.com/cat.png",
        '{"type": "image_url"}',
    ],
)
def test_text_stays_text_whatever_it_looks_like(server: FaultServer, load: Load, text: str) -> None:
    """LiteLLM takes what begins with `data:` for an image, and the whole batch with it."""
    texts = ["first", text, "last"]
    found = load().embed_documents(texts)
    right = [server.vector(each, MODEL, role="search_document") for each in texts]

    assert np.allclose(found, right, atol=1e-6)
    assert sorted(sent(server)["texts"]) == sorted(texts)


@pytest.mark.parametrize("task", [None, *get_args(Task)])
@pytest.mark.parametrize("role", get_args(Role))
def test_role_and_task(server: FaultServer, load: Load, role: Role, task: Task | None) -> None:
    """Cohere knows two tasks, which take the place of the role; for the others the role stands."""
    load().embed(["a text"], role=role, task=task)
    expected = task if task in ("classification", "clustering") else f"search_{role}"

    assert sent(server)["input_type"] == expected


def test_the_cache_tells_roles_and_tasks_apart(server: FaultServer, load: Load) -> None:
    """The same text is four vectors, and each is asked for once."""
    embedder = load().using(cache=MemoryCache())
    asked: list[tuple[Role, Task | None]] = [
        ("query", None),
        ("document", None),
        ("document", "classification"),
        ("document", "clustering"),
    ]
    first = [embedder.embed(["a text"], role=role, task=task)[0] for role, task in asked]
    again = [embedder.embed(["a text"], role=role, task=task)[0] for role, task in asked]

    assert len({vector.tobytes() for vector in first}) == 4
    assert np.array_equal(first, again)
    assert len(server.requests) == 4


@pytest.mark.filterwarnings("ignore:Cohere model .* is not known here")
@pytest.mark.parametrize(
    ("model", "asked", "allowed"),
    [
        ("embed-v4.0", 256, True),
        ("embed-v4.0", 1536, True),
        ("embed-v4.0", 768, False),
        ("embed-v5.0-pro", 768, True),
        ("embed-v5.0-fast", 2048, True),
        ("embed-english-v3.0", 512, False),
        ("embed-english-light-v3.0", 1024, False),
        ("embed-v9.0-giant", 333, True),
    ],
)
def test_dimensions_are_asked_for_or_refused(
    server: FaultServer, load: Load, model: str, asked: int, allowed: bool
) -> None:
    """Never dropped in silence, as others do: they are sent, or an error before anything is."""
    embedder = load(model, dimensions=asked)
    if not allowed:
        with pytest.raises(ValueError, match=f"cannot make vectors of {asked}"):
            embedder.embed_query("a text")
        assert not server.requests
        return
    with FaultServer(wire=CohereWire(), dimensions=max(asked, 1536)) as wide:
        same = load(model, dimensions=asked, base_url=wide.url)
        assert same.embed_query("a text").shape == (asked,)
        assert sent(wide)["output_dimension"] == asked


def test_v3_has_no_output_dimension(load: Load) -> None:
    """Its own width is no wish, and a field that it does not know would be refused."""
    with FaultServer(wire=CohereWire(), dimensions=1024) as server:
        embedder = load("embed-english-v3.0", dimensions=1024, base_url=server.url)
        embedder.embed_query("a text")

        assert "output_dimension" not in sent(server)


def test_further_fields(server: FaultServer, load: Load) -> None:
    """Each under Cohere's own name."""
    load(priority=7, max_tokens=100, truncate="START").embed_query("a text")

    assert sent(server)["priority"] == 7
    assert sent(server)["max_tokens"] == 100
    assert sent(server)["truncate"] == "START"


def test_headers(server: FaultServer, load: Load, key: str) -> None:
    """The key as a bearer, and the user's own headers, which win."""
    load(default_headers={"X-Gateway": "3", "X-Client-Name": "mine"}).embed_query("x")
    request = server.requests[0].request

    assert request.target == "/v2/embed"
    assert request.headers["authorization"] == f"Bearer {key}"
    assert request.headers["x-gateway"] == "3"
    assert request.headers["x-client-name"] == "mine"


@pytest.mark.parametrize("behind", ["", "/", "/v1", "/v2/"])
def test_the_address_ends_where_others_say_it_does(
    server: FaultServer, load: Load, behind: str
) -> None:
    """Cohere's older clients had a version in it."""
    load(base_url=server.url + behind).embed_query("x")

    assert server.requests[0].request.target == "/v2/embed"


def test_usage_is_what_is_billed(load: Load) -> None:
    """Reported, not estimated."""
    usage = load().embed(["one two three", "four"], role="document").usage

    assert (usage.tokens, usage.images, usage.estimated) == (4, 0, False)


# Many.


def test_never_more_than_96(server: FaultServer, load: Load) -> None:
    """A job of 500 is 6 requests, and each text gets its own vector."""
    texts = [f"text {number}" * (number % 7 + 1) for number in range(500)]
    found = load(dimensions=256).embed_documents(texts)

    assert [len(record.inputs) for record in server.requests].count(96) == 5
    assert max(len(record.inputs) for record in server.requests) == 96
    right = [server.vector(text, MODEL, 256, role="search_document") for text in texts]
    assert np.allclose(found, right, atol=1e-6)


def test_long_texts_go_in_several_requests(server: FaultServer, load: Load) -> None:
    """No request is planned with more tokens than one text may have."""
    texts = [f"{number} " + "word and " * 20_000 for number in range(6)]
    load(dimensions=256).embed_documents(texts)

    assert len(server.requests) >= 2
    assert sum(len(record.inputs) for record in server.requests) == 6


def test_in_flight_never_above_the_limit(server: FaultServer, load: Load) -> None:
    """Also at 1."""
    for limit in (1, 3):
        gate = Gate()
        server.max_in_flight = 0
        server.always(gate.fault)
        begun = len(server.requests)
        embedder = load(max_concurrency=limit, batch_size=1, default_headers={"X-N": str(limit)})
        texts = [f"{limit}: text {number}" for number in range(10)]
        work = threading.Thread(target=embedder.embed_documents, args=[texts])
        work.start()
        server.wait_for(begun + limit)
        gate.open()
        work.join()

        assert server.max_in_flight == limit
        assert len(server.requests) == begun + 10


# Texts that are too long.


def refuses_more_words_than(limit: int) -> Fault:
    """Cohere with `truncate: NONE`."""

    async def play(exchange: Exchange) -> None:
        sizes = [len(str(text).split()) for text in exchange.asked.inputs]
        long = [number for number, size in enumerate(sizes) if size > limit]
        if long and exchange.request.body.find(b'"truncate":"NONE"') >= 0:
            said = f"too many tokens: texts[{long[0]}] has {sizes[long[0]]}, the limit is {limit}"
            await exchange.refuse(400, said)
        else:
            await exchange.answer()

    return Fault("too-long", play)


def test_a_new_model_refuses_and_the_engine_cuts(server: FaultServer, load: Load) -> None:
    """What may be too long is sent alone; only what Cohere refuses is cut, and reported."""
    server.always(refuses_more_words_than(200_000))
    fits, too_long = "wordy " * 100_000, "wordy " * 250_000
    result = load().embed(["short", fits, too_long], role="document")

    assert result.truncated.tolist() == [False, False, True]
    right = server.vector(fits, MODEL, role="search_document")
    assert np.allclose(result.vectors[1], right, atol=1e-6)


def test_a_new_model_can_say_which_is_too_long(server: FaultServer, load: Load) -> None:
    """With on_too_long="error" the server is asked where only it can tell."""
    server.always(refuses_more_words_than(200_000))
    fits, too_long = "wordy " * 100_000, "wordy " * 250_000
    with pytest.raises(InputTooLongError) as caught:
        load(on_too_long="error").embed_documents(["short", fits, too_long])

    assert caught.value.index == 2


def test_v3_is_cut_by_cohere(load: Load) -> None:
    """Most chunks are near its 512 tokens: sending each alone would be a hundred times dearer."""
    with FaultServer(wire=CohereWire(), dimensions=1024) as server:
        texts = [f"{number} " + "word " * 600 for number in range(50)]
        embedder = load("embed-english-v3.0", base_url=server.url)
        result = embedder.embed(["short", *texts], role="document")

        assert len(server.requests) == 1
        assert sent(server)["truncate"] == "END"
        assert sorted(sent(server)["texts"]) == sorted(["short", *texts])
        assert result.truncated.tolist() == [False, *[True] * 50]


def test_fewer_tokens_are_cut_by_cohere(server: FaultServer, load: Load) -> None:
    """Who asks for 100 tokens of each text wants usual texts cut, not each of them sent alone."""
    texts = [f"{number} " + "word " * 300 for number in range(96)]
    result = load(max_tokens=100).embed(["short", *texts[1:]], role="document")

    assert len(server.requests) == 1
    assert sent(server)["truncate"] == "END"
    assert result.truncated.tolist() == [False, *[True] * 95]


@pytest.mark.parametrize(
    ("options", "truncates"),
    [
        ({}, False),
        ({"truncate": "END"}, True),
        ({"truncate": "NONE"}, False),
        ({"max_tokens": 100}, True),
        ({"max_tokens": 100, "truncate": "NONE"}, False),
    ],
)
def test_the_card_says_who_cuts(options: dict[str, Any], truncates: bool) -> None:
    """So that the engine does it where nobody else does."""
    assert load_embedder(f"cohere:{MODEL}", **options).card.truncates is truncates
