"""Where a server refuses batch after batch for the key, the account or the model, the rest is not sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from embedbridge.contract import (
    AuthenticationError,
    Batch,
    BatchFinished,
    BatchResult,
    ConfigurationError,
    EmbedBridgeError,
    Event,
    Image,
    ProviderUnavailableError,
    QuotaExhaustedError,
    UnknownModelError,
    hookimpl,
)
from embedbridge.core import Embedder
from embedbridge.core.engine.bisection import ALIKE
from embedbridge.testing import RemoteFakeModel, no_backoff, tiny_png

TEXTS = [f"text {number}" for number in range(100)]

Refuse = Callable[[int, Batch], EmbedBridgeError | None]


class Refusing(RemoteFakeModel):
    """Refuses requests by their number and content."""

    def __init__(self, refuse: Refuse) -> None:
        super().__init__("small")
        self.refuse = refuse
        self.requests = 0

    async def embed_batch(self, batch: Batch) -> BatchResult:
        self.requests += 1
        error = self.refuse(self.requests, batch)
        if error is not None:
            raise error
        return self.make_up(batch)


class Listener:
    def __init__(self) -> None:
        self.batches: list[BatchFinished] = []

    @hookimpl
    def embedbridge_event(self, event: Event) -> None:
        if isinstance(event, BatchFinished):
            self.batches.append(event)


def collecting(
    model: RemoteFakeModel, *, at_once: int = 1, listeners: Sequence[object] = ()
) -> Embedder:
    embedder = Embedder(model, listeners=listeners)
    return embedder.using(errors="collect", batch_size=1, max_concurrency=at_once)


FINAL = [AuthenticationError, QuotaExhaustedError, UnknownModelError, ConfigurationError]


@pytest.mark.parametrize("at_once", [1, 8, 32])
@pytest.mark.parametrize("kind", FINAL)
def test_the_rest_is_not_sent(kind: type[EmbedBridgeError], at_once: int) -> None:
    """A few batches are sent, each input has its error, and those that were not sent say so."""
    model, listener = Refusing(lambda *_: kind("no", hint="Pay.")), Listener()
    result = collecting(model, at_once=at_once, listeners=[listener]).embed(TEXTS, role="document")

    assert max(ALIKE, at_once) <= model.requests <= 2 * max(ALIKE, at_once)
    assert result.requests == model.requests == sum(batch.attempts for batch in listener.batches)
    assert len(listener.batches) == len(result.errors) == len(TEXTS)
    assert {type(error) for error in result.errors.values()} == {kind}
    unsent = [error for error in result.errors.values() if "Not sent" in str(error)]
    assert len(unsent) == len(TEXTS) - model.requests
    assert all(str(error).startswith("no") and "Pay." in str(error) for error in unsent)


def test_it_may_begin_in_the_midst_of_a_job() -> None:
    """The credit ends after 20 batches: what was embedded stays, and the rest is asked for no more."""
    model = Refusing(lambda number, _: QuotaExhaustedError("no credit") if number > 20 else None)
    result = collecting(model).embed(TEXTS, role="document")

    assert model.requests == 20 + ALIKE
    assert result.ok.sum() == 20


def test_a_refusal_now_and_then_stops_nothing() -> None:
    """A firewall may refuse single batches with a 403: all others are embedded."""
    model = Refusing(lambda number, _: AuthenticationError("403") if number % ALIKE else None)
    result = collecting(model).embed(TEXTS, role="document")

    assert model.requests == len(TEXTS)
    assert result.ok.sum() == len(TEXTS) // ALIKE


def test_what_differs_is_no_refusal_of_all() -> None:
    """Errors of several classes: none of them is that of everything."""
    model = Refusing(lambda number, _: FINAL[number % 2]("no"))
    collecting(model).embed(TEXTS, role="document")

    assert model.requests == len(TEXTS)


def test_an_outage_may_end_within_the_job() -> None:
    """A server that was down for twenty batches embeds the rest."""
    model = Refusing(lambda number, _: ProviderUnavailableError("down") if number <= 20 else None)
    with no_backoff():
        result = collecting(model).using(max_attempts=1).embed(TEXTS, role="document")

    assert model.requests == len(TEXTS)
    assert result.ok.sum() == len(TEXTS) - 20


def test_another_modality_may_fare_better() -> None:
    """Images are asked for elsewhere by some vendors: an unknown model there refuses no text."""
    model = Refusing(
        lambda _, batch: UnknownModelError("no images") if batch.modality == "image" else None
    )
    images = [Image.from_bytes(tiny_png(number)) for number in range(20)]
    result = collecting(model).embed([*images, *TEXTS], role="document")

    assert model.requests == ALIKE + len(TEXTS)
    assert result.ok.sum() == len(TEXTS)


def test_what_was_never_sent_costs_no_request() -> None:
    """A function that fetches the key may fail for a while: each batch asks it."""

    def no_key(number: int, batch: Batch) -> EmbedBridgeError | None:
        error = AuthenticationError("The vault is closed.")
        error.never_sent = True
        return error if number <= 20 else None

    result = collecting(Refusing(no_key)).embed(TEXTS, role="document")

    assert result.ok.sum() == len(TEXTS) - 20
