"""A rate limiter takes back the ticket of a request that was never sent, and of no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import Any, ClassVar

import pytest

from embedbridge.contract import (
    Batch,
    BatchResult,
    EmbedBridgeError,
    InvalidImageError,
    InvalidInputError,
    ModelCard,
)
from embedbridge.contract.remote import HttpModel, Vendor, in_order, matrix, rows_at
from embedbridge.core import Embedder
from embedbridge.testing import Exchange, Fault, FaultServer
from embedbridge.testing.limiters import RecordingLimiter

KEY = "canary-acme-0123456789abcdef"


class AcmeModel(HttpModel):
    """Refuses inputs that say so before they are sent."""

    provider: ClassVar[str] = "acme"
    vendor: ClassVar[Vendor] = Vendor(
        name="Acme", url="https://api.acme.example/v1", keys=("ACME_API_KEY",)
    )
    cards = (ModelCard(name="acme-1", dimensions=8, space="acme"),)
    max_request_bytes = 400
    optional: ClassVar[Mapping[str, str]] = {"user": "user"}

    def request(self, batch: Batch) -> tuple[str, Mapping[str, object]]:
        if "bad" in batch.texts:
            raise InvalidImageError("no image", index=batch.texts.index("bad"))
        return "/embeddings", {"model": self.name, "input": batch.texts, "user": "me"}

    def read(self, answer: dict[str, Any], batch: Batch) -> BatchResult:
        return BatchResult(vectors=matrix(in_order(rows_at(answer, "data"), len(batch))))


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(dimensions=8) as server:
        yield server


def fails_from(number: int) -> Callable[[], str]:
    """A function that fetches a key so often, and then fails."""
    calls = count(1)

    def fetch() -> str:
        if next(calls) >= number:
            raise OSError("the vault is closed")
        return KEY

    return fetch


def charged(server: FaultServer, texts: list[str], key: object) -> int:
    """How many tickets were not returned, over a job that fails."""
    tickets = RecordingLimiter(blocking=False)
    model = AcmeModel("acme-1", base_url=server.url, api_key=key)
    with Embedder(model, limiter=tickets) as embedder, pytest.raises(EmbedBridgeError):
        embedder.using(max_attempts=1).embed_documents(texts)
    assert tickets.given
    return tickets.given - tickets.returned


@pytest.mark.parametrize(
    ("texts", "key"),
    [
        pytest.param(["bad"], KEY, id="input"),
        pytest.param(["good"], fails_from(1), id="key"),
        pytest.param(["good"], lambda: "no key", id="wrong-key"),
        pytest.param(["good"], "no key", id="no-client"),
    ],
)
def test_what_fails_before_it_is_sent_is_not_charged(
    server: FaultServer, texts: list[str], key: object
) -> None:
    """A bad input, or a key that cannot be had."""
    assert charged(server, texts, key) == 0
    assert server.requests == []


def test_a_batch_that_is_too_large_is_charged_for_its_pieces(server: FaultServer) -> None:
    """It was cut in two before anything was sent: two requests, two tickets."""
    tickets = RecordingLimiter(blocking=False)
    model = AcmeModel("acme-1", base_url=server.url, api_key=KEY)
    with Embedder(model, limiter=tickets) as embedder:
        embedder.embed_documents(["a" * 180, "b" * 180])

    assert len(server.requests) == tickets.given - tickets.returned == 2
    assert tickets.returned == 1


def refuses(said: str) -> Fault:
    async def play(exchange: Exchange) -> None:
        await exchange.refuse(400, said)

    return Fault("refuses", play)


def test_what_the_server_refused_stays_charged(server: FaultServer) -> None:
    """It counts there, too."""
    server.always(refuses("The input is not good."))

    assert charged(server, ["good"], KEY) == len(server.requests) == 1


def test_what_was_sent_once_stays_charged(server: FaultServer) -> None:
    """A field was refused, and then there was no key for the request without it."""
    server.always(refuses("Unknown parameter: user"))

    assert charged(server, ["good"], fails_from(2)) == len(server.requests) == 1


def test_an_error_says_whether_anything_was_sent(server: FaultServer) -> None:
    """For limiters, and for whoever writes another driver."""
    model = AcmeModel("acme-1", base_url=server.url, api_key=KEY)
    server.always(refuses("The input is not good."))
    with Embedder(model) as embedder:
        for text, never_sent in (("bad", True), ("good", False)):
            with pytest.raises(InvalidInputError) as caught:
                embedder.embed_query(text)
            assert caught.value.never_sent is never_sent
