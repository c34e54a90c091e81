"""A refusal that names no input is searched in halves: bounded, and never blaming the wrong one."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedbridge.contract import (
    Batch,
    BatchResult,
    ConfigurationError,
    EmbedBridgeError,
    InputTooLongError,
    InvalidInputError,
    Limits,
    ModelCard,
    ProviderUnavailableError,
    RequestTooLargeError,
)
from embedbridge.core import Embedder, Settings
from embedbridge.testing import FakeModel, RemoteFakeModel, no_backoff

EXPECTED = Embedder(FakeModel("small"))


class Refuses(RemoteFakeModel):
    """Refuses a batch with a bad text, without saying which one it is."""

    kind: ClassVar[type[EmbedBridgeError]] = InvalidInputError
    most: ClassVar[int] = 256

    def __init__(self, name: str = "small") -> None:
        super().__init__(name)
        self.refused: list[int] = []
        self.answered: list[int] = []

    @property
    def card(self) -> ModelCard:
        return replace(super().card, limits=Limits(max_items=self.most))

    async def embed_batch(self, batch: Batch) -> BatchResult:
        bad = [text for text in batch.texts if "bad" in text]
        if bad:
            self.refused.append(len(batch))
            raise self.kind(f"It has {len(batch)} inputs and is malformed.")
        self.answered.append(len(batch))
        return self.make_up(batch)


class FailsFor(Refuses):
    kind = ProviderUnavailableError


def texts_of(count: int, bad: set[int]) -> list[str]:
    return [f"bad {n}" if n in bad else f"good {n}" for n in range(count)]


def bound(count: int, bad: int) -> int:
    """Refusals that one batch may cost."""
    return (2 * math.ceil(math.log2(max(count, 2))) + 1) * max(bad, 1)


@given(st.integers(1, 40), st.data(), st.sampled_from([1, 8]))
def test_each_bad_input_costs_few_refusals(count: int, data: st.DataObject, workers: int) -> None:
    """And all others get their vectors, in order, wherever the bad ones stand."""
    bad = data.draw(st.sets(st.integers(0, count - 1), max_size=min(3, count)))
    model = Refuses()
    settings = Settings(errors="collect", max_concurrency=workers)
    result = Embedder(model, settings=settings).embed(texts_of(count, bad), role="document")
    stopped = any(isinstance(error, ConfigurationError) for error in result.errors.values())

    assert len(model.refused) <= bound(count, len(bad))
    if not stopped:
        assert set(result.errors) == bad
        good = [n for n in range(count) if n not in bad]
        expected = (
            EXPECTED.embed_documents([f"good {n}" for n in good]) if good else np.empty((0, 8))
        )
        assert np.array_equal(result.vectors[good], expected)


@pytest.mark.parametrize("bad", [0, 100, 128, 199, 255])
def test_one_bad_input_of_many_is_named(bad: int) -> None:
    """Also where errors are raised: it alone is to blame."""
    model = Refuses()
    with pytest.raises(InvalidInputError, match=f"Input {bad}: ") as caught:
        Embedder(model).embed_documents(texts_of(256, {bad}))

    assert caught.value.index == bad
    assert len(model.refused) <= bound(256, 1)


@pytest.mark.parametrize("errors", ["raise", "collect"])
def test_where_everything_is_refused_the_inputs_are_not_to_blame(
    errors: Literal["raise", "collect"],
) -> None:
    """An option, the model or the account is; what is left of the batch is not sent."""
    model = Refuses()
    settings = Settings(errors=errors, max_concurrency=1)
    embedder = Embedder(model, settings=settings)
    texts = texts_of(256, set(range(256)))
    if errors == "raise":
        with pytest.raises(
            ConfigurationError, match=r"Each input is refused.*an option is to blame"
        ):
            embedder.embed_documents(texts)
    else:
        result = embedder.embed(texts, role="document")
        assert len(result.errors) == 256
        assert {type(error) for error in result.errors.values()} == {ConfigurationError}
    assert len(model.refused) <= bound(256, 1)


class BlamesAnOption(Refuses):
    """Says of a single input what it kept to itself about a batch: it is an option, not the input."""

    async def embed_batch(self, batch: Batch) -> BatchResult:
        if len(batch) == 1:
            raise ConfigurationError("There is no such index.")
        return await super().embed_batch(batch)


def test_a_verdict_without_a_remedy_says_which_inputs_were_sent() -> None:
    """And nothing else after it."""
    settings = Settings(max_concurrency=1)
    with pytest.raises(ConfigurationError, match=r"were sent alone\.$"):
        Embedder(BlamesAnOption(), settings=settings).embed_documents(texts_of(4, set(range(4))))


def test_what_was_paid_for_is_on_the_error_of_a_search() -> None:
    """Also where only its end shows that everything left is refused."""
    settings = Settings(batch_size=4, max_concurrency=1)
    texts = ["good long text"] * 2 + [f"good long text {n}" for n in range(3)] + ["bad 1", "bad 2"]
    with pytest.raises(InvalidInputError, match="Each input is refused") as caught:
        Embedder(Refuses(), settings=settings).embed_documents(texts)

    assert caught.value.partial is not None
    assert caught.value.partial.ok.tolist() == [True] * 5 + [False] * 2


class StumblesOnce(Refuses):
    """While a bad input is searched, one request fails for a moment."""

    async def embed_batch(self, batch: Batch) -> BatchResult:
        if len(self.refused) == 3 and not self.stumbled:
            self.stumbled = True
            raise ProviderUnavailableError("A moment, please.")
        return await super().embed_batch(batch)

    stumbled = False


def test_a_search_survives_a_moment_of_outage() -> None:
    """Its requests are tried again like all others."""
    model = StumblesOnce()
    with no_backoff(), pytest.raises(InvalidInputError, match="Input 5: "):
        Embedder(model, settings=Settings(max_concurrency=1)).embed_documents(texts_of(40, {5}))

    assert model.stumbled


def test_two_batches_that_are_refused_whole() -> None:
    """Each is searched by itself, and stops by itself."""
    model = Refuses()
    settings = Settings(errors="collect", max_concurrency=1)
    result = Embedder(model, settings=settings).embed(
        texts_of(512, set(range(512))), role="document"
    )

    assert len(result.errors) == 512
    assert len(model.refused) <= bound(256, 2)


def test_a_batch_that_fails_while_others_are_answered_is_searched() -> None:
    """An outage that one input causes: with errors="collect", the others have their vectors."""
    model = FailsFor()
    texts = texts_of(600, {300})
    with no_backoff():
        result = Embedder(model, settings=Settings(errors="collect", max_concurrency=1)).embed(
            texts, role="document"
        )

    assert list(result.errors) == [300]
    assert isinstance(result.errors[300], ProviderUnavailableError)
    assert len(model.refused) <= 3 + bound(256, 1)  # three attempts, then one for each piece


def test_an_outage_of_everything_fails_every_input_once() -> None:
    """With errors="collect" too: no batch is searched while nothing is answered."""
    model = FailsFor()
    with no_backoff():
        result = Embedder(model, settings=Settings(errors="collect")).embed(
            texts_of(600, set(range(600))), role="document"
        )

    assert len(result.errors) == 600
    assert len(model.refused) == 9  # three batches, three attempts each


def test_an_outage_of_everything_is_not_searched() -> None:
    """Nothing was answered, so no input can be meant; the error names what the batch held."""
    model = FailsFor()
    with no_backoff(), pytest.raises(ProviderUnavailableError, match="held inputs 0, 1, 2"):
        Embedder(model, settings=Settings(max_concurrency=1)).embed_documents(
            texts_of(10, set(range(10)))
        )

    assert model.refused == [10, 10, 10]


class FailsHere(FakeModel):
    """Not behind a wire, as a bridged object of a framework: it asks its server itself."""

    def __init__(self, name: str = "small") -> None:
        super().__init__(name)
        self.calls = 0

    def embed_batch(self, batch: Batch) -> BatchResult:
        self.calls += 1
        if any("bad" in text for text in batch.texts):
            raise ProviderUnavailableError("It is down.")
        return super().embed_batch(batch)


@pytest.mark.parametrize("good", [0, 20])
def test_an_outage_behind_a_local_model_is_not_searched(good: int) -> None:
    """One call for each batch, and each of its inputs has the error."""
    model = FailsHere()
    texts = [f"a good text {n}" for n in range(good)] + [f"bad {n}" for n in range(20)]
    settings = Settings(errors="collect", batch_size=20)
    result = Embedder(model, settings=settings).embed(texts, role="document")

    assert list(result.errors) == list(range(good, good + 20))
    assert model.calls == len(texts) // 20


class ReadsLittle(RemoteFakeModel):
    """Refuses texts of more than 200 characters, in words that may say how many it reads."""

    says: ClassVar[tuple[int | None, bool]] = (None, False)

    def __init__(self, name: str = "small") -> None:
        super().__init__(name)
        self.refused = 0
        self.sent: list[str] = []

    async def embed_batch(self, batch: Batch) -> BatchResult:
        longest = max(map(len, batch.texts))
        if longest > 200:
            self.refused += 1
            error = InputTooLongError("the input is too long")
            error.most = 200 if self.says[0] else None
            error.size = longest if self.says[1] else None
            raise error
        self.sent += batch.texts
        return self.make_up(batch)


class SaysBoth(ReadsLittle):
    says = (200, True)


class TooLargeAlone(ReadsLittle):
    async def embed_batch(self, batch: Batch) -> BatchResult:
        try:
            return await super().embed_batch(batch)
        except InputTooLongError as error:
            raise RequestTooLargeError(error.message) from None


LONG = "a long text " * 100


@pytest.mark.parametrize("kind", [ReadsLittle, SaysBoth, TooLargeAlone])
@pytest.mark.parametrize("count", [1, 40])
def test_a_text_that_is_too_long_is_cut_and_reported(kind: type[ReadsLittle], count: int) -> None:
    """Whatever the server calls it, alone or among others, and although no card knew the limit."""
    texts = [f"short {n}" for n in range(count)]
    texts[count // 2] = LONG
    model = kind()
    result = Embedder(model).embed(texts, role="document")
    cut = next(text for text in model.sent if text.startswith("a long"))

    assert result.truncated.nonzero()[0].tolist() == [count // 2]
    assert LONG.startswith(cut)
    assert 64 < len(cut) <= 200
    if kind is SaysBoth:
        assert len(cut) > 180  # not half of it is lost where the server says how much it reads
    assert model.refused <= bound(count, 1) + 4


def test_a_long_text_is_refused_where_that_was_asked_for() -> None:
    """`on_too_long="error"` names it."""
    texts = ["short", "shorter", LONG, "short too"]
    with pytest.raises(InputTooLongError) as caught:
        Embedder(ReadsLittle(), settings=Settings(on_too_long="error")).embed_documents(texts)

    assert caught.value.index == 2


class RefusesEveryLength(ReadsLittle):
    async def embed_batch(self, batch: Batch) -> BatchResult:
        self.refused += 1
        raise InputTooLongError("too long")


def test_a_short_text_is_not_cut_to_nothing() -> None:
    """What is refused at 64 characters is not refused for its length."""
    model = RefusesEveryLength()
    with pytest.raises(InputTooLongError):
        Embedder(model).embed_query(LONG)

    assert model.refused < 8
