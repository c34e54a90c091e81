"""Faults planted in copies of this provider, each caught over HTTP by the check meant for it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from embedbridge.contract import (
    Batch,
    BatchResult,
    EmbedBridgeError,
    ProviderUnavailableError,
    RateLimitedError,
)
from embedbridge.core import Embedder, Settings
from embedbridge.providers.openai import OpenAIModel
from embedbridge.testing import EmbeddingModelContract, FaultServer, OpenAIWire
from embedbridge.testing.contract.by_hand import failure_of

NAME = "text-embedding-3-small"


class RetriesItself(OpenAIModel):
    """Tries once more by itself, below the engine that does so too."""

    async def embed_batch(self, batch: Batch) -> BatchResult:
        try:
            return await super().embed_batch(batch)
        except ProviderUnavailableError:
            return await super().embed_batch(batch)


class GivesUpAtOnce(OpenAIModel):
    """Takes every failure for one that lasts."""

    async def embed_batch(self, batch: Batch) -> BatchResult:
        try:
            return await super().embed_batch(batch)
        except EmbedBridgeError as error:
            raise EmbedBridgeError(error.message) from None


class ForgetsRetryAfter(OpenAIModel):
    async def embed_batch(self, batch: Batch) -> BatchResult:
        try:
            return await super().embed_batch(batch)
        except RateLimitedError as error:
            raise RateLimitedError(error.message) from None


class ShowsTheKey(OpenAIModel):
    def _advised(self, error: EmbedBridgeError, secrets: Any) -> EmbedBridgeError:
        error.message = f"{error.message} (key {getattr(self._key, 'get_secret_value')()})"  # noqa: B009
        error.args = (error.message,)
        return error


class PatchesAnswersUp(OpenAIModel):
    """Fills in what is missing, so that the count is right."""

    async def embed_batch(self, batch: Batch) -> BatchResult:
        try:
            return await super().embed_batch(batch)
        except EmbedBridgeError:
            return BatchResult(vectors=np.ones((len(batch), 1536), np.float32))


class StripsTexts(OpenAIModel):
    """Replaces newlines, as was once advised."""

    async def embed_batch(self, batch: Batch) -> BatchResult:
        texts = [text.replace("\n", " ") for text in batch.texts]
        return await super().embed_batch(_with_inputs(batch, texts))


class WaitsInPlace(OpenAIModel):
    """A blocking pause on the engine's loop."""

    async def embed_batch(self, batch: Batch) -> BatchResult:
        time.sleep(0.001)  # noqa: ASYNC251  # that is the fault
        return await super().embed_batch(batch)


class OneAtATime(OpenAIModel):
    """Holds a lock over the whole request."""

    def __init__(self, name: str, **options: Any) -> None:
        import asyncio

        super().__init__(name, **options)
        self.lock = asyncio.Lock()

    async def embed_batch(self, batch: Batch) -> BatchResult:
        async with self.lock:
            return await super().embed_batch(batch)


class CannotBeCancelled(OpenAIModel):
    """Goes on in the background when nobody waits any more."""

    async def embed_batch(self, batch: Batch) -> BatchResult:
        import asyncio

        return await asyncio.shield(asyncio.ensure_future(super().embed_batch(batch)))


class IgnoresDimensions(OpenAIModel):
    async def embed_batch(self, batch: Batch) -> BatchResult:
        from dataclasses import replace

        return await super().embed_batch(replace(batch, dimensions=None))


class ForgetsTheServer(OpenAIModel):
    """Whose server answers is in neither identity nor space, and nor is the width."""

    def identity(self) -> Mapping[str, object]:
        return {}


@dataclass(frozen=True)
class Planted:
    model: type[OpenAIModel]
    check: str
    says: str


PLANTED = [
    Planted(RetriesItself, "test_a_server_that_stays_down", "does the SDK retry too"),
    Planted(GivesUpAtOnce, "test_a_fault_that_passes_costs_one_more_request", "Rate limit"),
    Planted(ForgetsRetryAfter, "test_the_server_says_how_long_to_wait", "arrives as None"),
    Planted(ShowsTheKey, "test_a_refused_key_is_named_and_not_shown", "shows the key"),
    Planted(PatchesAnswersUp, "test_wrong_answers_are_never_taken", "DID NOT RAISE"),
    Planted(StripsTexts, "test_texts_arrive_as_they_are", "arrive changed"),
    Planted(WaitsInPlace, "test_the_event_loop_is_not_blocked", "time.sleep"),
    Planted(OneAtATime, "test_requests_run_side_by_side", "second request is not sent"),
    Planted(CannotBeCancelled, "test_a_cancelled_job_hangs_up", "request goes on"),
    Planted(IgnoresDimensions, "test_fewer_dimensions", "dimensions were expected, 1536 came back"),
    Planted(
        ForgetsTheServer,
        "test_options_that_change_vectors_change_the_fingerprint",
        "changes vectors and not the fingerprint",
    ),
]


def _with_inputs(batch: Batch, texts: list[str]) -> Batch:
    from dataclasses import replace

    return replace(batch, inputs=texts)


def suite_of(model: type[OpenAIModel], key: str) -> type[EmbeddingModelContract]:
    class Suite(EmbeddingModelContract):
        # Faults are waited for: a short patience can only find more of them.
        patience = 60.0 if model is OpenAIModel else 0.5

        def load_at(self, server: FaultServer, **settings: Any) -> Embedder:
            made = model(NAME, base_url=server.url, api_key=key)
            return Embedder(made, settings=Settings(**settings))

    return Suite


def said_of(
    model: type[OpenAIModel], check: str, key: str, server: FaultServer, caplog: Any
) -> str | None:
    suite = suite_of(model, key)
    embedder = suite().load_at(server)
    assert embedder is not None
    with embedder:
        return failure_of(check, embedder, suite=suite, caplog=caplog)


@pytest.mark.parametrize("fault", PLANTED, ids=lambda fault: fault.model.__name__)
def test_a_planted_fault_is_caught(
    fault: Planted, key: str, server: FaultServer, caplog: pytest.LogCaptureFixture
) -> None:
    """The check that is meant for a fault fails on it, and its message is about the matter."""
    said = said_of(fault.model, fault.check, key, server, caplog)

    assert said is not None, f"{fault.check} passes"
    assert fault.says in said


@pytest.mark.parametrize("fault", PLANTED, ids=lambda fault: fault.check)
def test_the_model_without_the_fault_passes(
    fault: Planted, key: str, server: FaultServer, caplog: pytest.LogCaptureFixture
) -> None:
    """No check is simply always red."""
    assert said_of(OpenAIModel, fault.check, key, server, caplog) is None


class FindsNoKey(OpenAIWire):
    """Looks for the key in a header that this vendor does not use."""

    def credential(self, request: Any) -> str:
        return str(request.headers.get("x-api-key", ""))


def test_a_wire_format_without_the_key_is_caught(
    key: str, server: FaultServer, caplog: pytest.LogCaptureFixture
) -> None:
    """A format that finds no key would let every leak pass: the check of leaks says so."""

    class Suite(suite_of(OpenAIModel, key)):  # type: ignore[misc]  # made by a function
        wire = FindsNoKey()

    with Suite().load_at(server) as embedder:
        check = "test_a_refused_key_is_named_and_not_shown"
        said = failure_of(check, embedder, suite=Suite, caplog=caplog)

    assert said is not None
    assert "FindsNoKey.credential finds no key" in said
