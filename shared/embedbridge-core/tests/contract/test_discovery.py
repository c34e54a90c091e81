"""What only the server knows is asked once, before a job is planned, and never costs a job."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import httpx2
import pytest

from embedbridge.contract import Batch, BatchResult, ConfigurationError, Limits, ModelCard
from embedbridge.contract.errors import (
    AuthenticationError,
    EmbedBridgeError,
    InvalidResponseError,
)
from embedbridge.contract.remote import HttpModel, Server, Vendor, counted, matrix, rows_at
from embedbridge.core import Embedder, Settings

TEXTS = [f"text {number}" for number in range(12)]


class ListModel(HttpModel):
    """Its server answers with a bare list, counts tokens in a header, and says how much it takes."""

    told: str

    provider: ClassVar[str] = "lists"
    vendor: ClassVar[Vendor] = Vendor(name="Lists", url="http://lists.example", needs_key=False)
    unknown: ClassVar[ModelCard] = ModelCard(name="unknown", limits=Limits(max_items=2))
    discovers: ClassVar[bool] = True
    list_name: ClassVar[str | None] = "vectors"
    tokens_header: ClassVar[str | None] = "x-tokens"

    @property
    def card(self) -> ModelCard:
        return replace(super().card, limits=Limits(max_items=self.facts.get("most", 2)))

    async def ask(self, server: Server) -> Mapping[str, Any]:
        reply = await server.ask("/limits")
        self.told = reply.message
        if reply.content.get("closed"):
            raise ConfigurationError("This server is closed.")
        if reason := reply.content.get("reason"):
            raise ConfigurationError(f"It is closed: {reason}", hint=f"It says {reason}.")
        return reply.content

    def request(self, batch: Batch) -> tuple[str, Mapping[str, object]]:
        return "/embed", {"texts": batch.texts}

    def read(self, answer: dict[str, Any], batch: Batch) -> BatchResult:
        return BatchResult(vectors=matrix(counted(rows_at(answer, "vectors"), len(batch))))


class Lists:
    """The server, in memory."""

    def __init__(self) -> None:
        self.says: Any = httpx2.Response(200, json={"most": 6})
        self.header: dict[bytes, bytes] = {}
        self.asked = 0
        self.sizes: list[int] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/limits":
            self.asked += 1
            if isinstance(self.says, Exception):
                raise self.says
            return httpx2.Response(
                self.says.status_code, content=self.says.content, headers=self.says.headers
            )
        texts = json.loads(request.content)["texts"]
        self.sizes.append(len(texts))
        rows = [[float(len(text)), 1.0] for text in texts]
        header = self.header or {b"x-tokens": str(len(texts)).encode()}
        return httpx2.Response(200, json=rows, headers=header)


@pytest.fixture
def server() -> Lists:
    return Lists()


@pytest.fixture
def embedder(server: Lists) -> Iterator[Embedder]:
    transport = httpx2.MockTransport(server)
    model = ListModel("one", http_client=lambda: httpx2.AsyncClient(transport=transport))
    with Embedder(model) as embedder:
        yield embedder


def test_the_plan_knows_what_the_server_said(server: Lists, embedder: Embedder) -> None:
    """Also the first one; and the tokens of its header are counted."""
    result = embedder.embed(TEXTS, role="document")

    assert server.sizes == [6, 6]
    assert (result.usage.tokens, result.usage.estimated) == (12, False)


def test_jobs_that_begin_together_ask_once(server: Lists, embedder: Embedder) -> None:
    """From threads and tasks, and of twins with other settings."""

    async def ask() -> None:
        await asyncio.gather(*map(embedder.aembed_query, TEXTS))

    threads = [threading.Thread(target=asyncio.run, args=[ask()]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    embedder.using(max_attempts=1).embed_query("another")

    assert server.asked == 1


def test_nothing_is_asked_for_a_description(server: Lists, embedder: Embedder) -> None:
    """A card before the first job holds careful limits."""
    embedder.explain("a text", "query")

    assert (embedder.card.limits.max_items, embedder.space) == (2, "lists:one")
    assert server.asked == 0


@pytest.mark.parametrize(
    "says",
    [
        httpx2.Response(404, text="page not found"),
        httpx2.Response(401),
        httpx2.Response(302, headers={"location": "http://elsewhere.example"}),
        httpx2.Response(200, text="<html>Log in</html>"),
        httpx2.Response(200, json=None),
        httpx2.Response(200, text="[" + "1," * 600_000 + "1]"),
    ],
    ids=["404", "401", "302", "page", "null", "large"],
)
def test_a_refusal_is_an_answer(server: Lists, embedder: Embedder, says: httpx2.Response) -> None:
    """Careful limits hold, and it is not asked again."""
    server.says = says
    embedder.embed_documents(TEXTS[:4])
    embedder.embed_documents(TEXTS[:4])

    assert server.sizes == [2, 2, 2, 2]
    assert server.asked == 1


class NeedingModel(ListModel):
    """A vector depends on what its server says: it may scale them."""

    @property
    def needs_facts(self) -> bool:
        return True

    async def ask(self, server: Server) -> Mapping[str, Any]:
        reply = await server.ask("/limits", needed=True)
        return {"scale": 3.0, **reply.content}

    def read(self, answer: dict[str, Any], batch: Batch) -> BatchResult:
        return BatchResult(vectors=matrix(rows_at(answer, "vectors")) * self.facts["scale"])


@pytest.mark.parametrize(
    ("says", "error"),
    [
        (httpx2.Response(401), AuthenticationError),
        (httpx2.Response(403, json={"error": "not from here"}), AuthenticationError),
        (httpx2.Response(407), ConfigurationError),
        (httpx2.Response(497), ConfigurationError),
        (httpx2.Response(302, headers={"location": "https://log.in/"}), ConfigurationError),
        (httpx2.Response(200, text="<html>Log in</html>"), InvalidResponseError),
        (httpx2.Response(200, json=None), InvalidResponseError),
        (httpx2.Response(200, text="[" + "1," * 600_000 + "1]"), InvalidResponseError),
    ],
    ids=["401", "403", "407", "497", "302", "page", "null", "large"],
)
def test_what_a_vector_depends_on_is_asked_until_it_is_answered(
    server: Lists, says: httpx2.Response, error: type[EmbedBridgeError]
) -> None:
    """A refused key or a login page says nothing of the server: no vector is made, or kept, without."""
    transport = httpx2.MockTransport(server)
    model = NeedingModel("one", http_client=lambda: httpx2.AsyncClient(transport=transport))
    server.says = says
    with Embedder(model, settings=Settings(max_attempts=1)) as embedder:
        with pytest.raises(error):
            embedder.embed_query("a text")
        assert server.sizes == []
        assert model.needs_discovery

        server.says = httpx2.Response(200, json={"scale": 2.0})
        assert embedder.embed_query("a text").tolist() == [12.0, 2.0]


@pytest.mark.parametrize("status", [400, 404, 405, 422])
def test_a_server_without_the_page_says_no_more(server: Lists, status: int) -> None:
    """That is an answer, also where a vector depends on it."""
    transport = httpx2.MockTransport(server)
    model = NeedingModel("one", http_client=lambda: httpx2.AsyncClient(transport=transport))
    server.says = httpx2.Response(status)
    with Embedder(model) as embedder:
        assert embedder.embed_query("a text").tolist() == [18.0, 3.0]


@pytest.mark.parametrize(
    "says",
    [
        *map(httpx2.Response, (425, 429, 499, 503, 511)),
        httpx2.ConnectError("x"),
        httpx2.ReadTimeout("x"),
    ],
    ids=repr,
)
def test_no_answer_is_asked_again(server: Lists, embedder: Embedder, says: object) -> None:
    """Before the next job; this one goes on with careful limits."""
    server.says = says
    embedder.embed_documents(TEXTS[:4])
    server.says = httpx2.Response(200, json={"most": 6})
    embedder.embed_documents(TEXTS)

    assert server.sizes == [2, 2, 6, 6]
    assert server.asked == 2


def test_a_model_that_can_never_be_used_there_says_so(server: Lists, embedder: Embedder) -> None:
    """Before anything is sent, with provider and model, sync and async."""
    server.says = httpx2.Response(200, json={"closed": True})
    with pytest.raises(ConfigurationError, match=r"closed\. \[lists:one\]"):
        embedder.embed_query("a text")
    with pytest.raises(ConfigurationError, match=r"closed\. \[lists:one\]"):
        asyncio.run(embedder.aembed_query("a text"))

    assert server.sizes == []


CANARY = "canary-lists-0123456789"


def test_what_a_server_says_to_a_question_shows_no_key(server: Lists) -> None:
    """Neither in a reply, nor in an error that a provider makes of it; and it is short."""
    transport = httpx2.MockTransport(server)
    model = ListModel(
        "one", http_client=lambda: httpx2.AsyncClient(transport=transport), api_key=CANARY
    )
    with Embedder(model) as embedder:
        server.says = httpx2.Response(400, json={"message": f"{'x' * 2_500} {CANARY} is wrong"})
        embedder.embed_query("a text")
        assert model.told.endswith("[hidden] is wrong")
    with Embedder(model) as embedder:
        server.says = httpx2.Response(200, json={"reason": f"{CANARY} {'x' * 5_000}"})
        with pytest.raises(ConfigurationError, match=r"\[hidden\]") as caught:
            embedder.embed_query("a text")

    assert CANARY not in repr(vars(caught.value))
    assert len(caught.value.hint or "") <= 300


@pytest.mark.parametrize("tokens", ["9" * 5_000, "9" * 17, "-1", "many", "\u0663", ""])
def test_a_count_that_cannot_be_is_no_count(server: Lists, embedder: Embedder, tokens: str) -> None:
    """The tokens are then estimated, and no vector is lost."""
    server.header = {b"x-tokens": tokens.encode()}
    result = embedder.embed(TEXTS, role="document")

    assert result.usage.estimated


def test_a_closed_model_asks_again(server: Lists, embedder: Embedder) -> None:
    """The server may have been started anew."""
    embedder.embed_query("a text")
    embedder.close()
    embedder.embed_query("a text")

    assert server.asked == 2


def test_a_key_that_cannot_be_fetched_is_said(server: Lists) -> None:
    """It is a fault of the user's function, not of the server."""
    transport = httpx2.MockTransport(server)

    def fetch() -> str:
        raise OSError("the vault is closed")

    model = ListModel(
        "one", http_client=lambda: httpx2.AsyncClient(transport=transport), api_key=fetch
    )
    with Embedder(model) as embedder, pytest.raises(AuthenticationError, match="fetches the key"):
        embedder.embed_query("a text")
