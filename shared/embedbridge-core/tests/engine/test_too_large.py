"""A server that refuses the size of a request teaches the engine how much it takes."""

import asyncio
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest

from embedbridge.contract import (
    Batch,
    BatchResult,
    Image,
    InputTooLongError,
    InvalidInputError,
    Limits,
    ModelCard,
    ProviderUnavailableError,
    RequestTooLargeError,
)
from embedbridge.core import Embedder, MemoryCache, Settings
from embedbridge.testing import FakeModel, RemoteFakeModel, tiny_png

TEXTS = [f"text number {number}" for number in range(40)]


class SmallServer(RemoteFakeModel):
    """Takes at most five items, which its card does not say."""

    most: ClassVar[int] = 5

    def __init__(self, name: str = "small") -> None:
        super().__init__(name)
        self.sizes: list[int] = []

    async def embed_batch(self, batch: Batch) -> BatchResult:
        self.sizes.append(len(batch))
        if len(batch) > self.most:
            raise RequestTooLargeError(f"batch size {len(batch)} > {self.most}", limit="items")
        return self.make_up(batch)


class ServerThatTakesNothing(SmallServer):
    most = 0


def test_a_refused_batch_is_halved_until_it_fits() -> None:
    """All vectors come back in order, whatever the server's limit."""
    model = SmallServer()
    vectors = Embedder(model).embed_documents(TEXTS)

    assert np.array_equal(vectors, Embedder(FakeModel("small")).embed_documents(TEXTS))
    assert max(model.sizes) == 32


def test_what_was_learned_is_kept() -> None:
    """The next job is planned within the limit from the start."""
    model = SmallServer()
    Embedder(model).embed_documents(TEXTS)
    model.sizes.clear()
    Embedder(model).embed_queries(TEXTS)

    assert max(model.sizes) <= 5


class HeavyImages(RemoteFakeModel):
    """Refuses more than three images at once without saying what is too much of them."""

    def __init__(self, name: str = "small") -> None:
        super().__init__(name)
        self.sizes: dict[str, list[int]] = {"text": [], "image": []}

    async def embed_batch(self, batch: Batch) -> BatchResult:
        self.sizes[batch.modality].append(len(batch))
        if batch.modality == "image" and len(batch) > 3:
            raise RequestTooLargeError("payload too large")
        return self.make_up(batch)


def test_a_refused_batch_of_images_says_nothing_about_texts() -> None:
    """Images are learned by their number, and the next job of texts is cut as ever."""
    model = HeavyImages()
    embedder = Embedder(model)
    images = [Image.from_bytes(tiny_png(number)) for number in range(20)]
    vectors = embedder.embed_images(images)
    assert np.array_equal(vectors, Embedder(FakeModel("small")).embed_images(images))

    model.sizes["image"].clear()
    embedder.embed_images(images, role="query")
    embedder.embed_documents(TEXTS)

    assert max(model.sizes["image"]) <= 3
    assert max(model.sizes["text"]) == 32


def test_a_single_input_that_is_refused_is_too_long() -> None:
    """What cannot be halved is the input's own fault, by its position."""
    with pytest.raises(InputTooLongError) as caught:
        Embedder(ServerThatTakesNothing()).embed_documents(["a"])

    assert caught.value.index == 0
    assert isinstance(caught.value.__cause__, RequestTooLargeError)


class FailsLate(RemoteFakeModel):
    """The third request fails for good."""

    requests = 0

    async def embed_batch(self, batch: Batch) -> BatchResult:
        self.requests += 1
        if self.requests == 3:
            raise ProviderUnavailableError("down")
        return self.make_up(batch)


def test_an_error_carries_what_was_finished() -> None:
    """The vectors that were paid for are not lost with the job."""
    embedder = Embedder(FailsLate(), settings=Settings(max_attempts=1, max_concurrency=1))
    with pytest.raises(ProviderUnavailableError) as caught:
        embedder.using(batch_size=10).embed_documents(TEXTS)
    partial = caught.value.partial

    assert partial.ok.sum() == 20
    expected = Embedder(FakeModel("small")).embed_documents(TEXTS)
    assert np.array_equal(partial.vectors[partial.ok], expected[partial.ok])
    assert set(partial.errors) == set(np.flatnonzero(~partial.ok).tolist())


class ChokesOnPoison(FakeModel):
    """A local model that fails on one input and does not say which."""

    def embed_batch(self, batch: Batch) -> BatchResult:
        if any("poison" in text for text in batch.texts):
            raise InvalidInputError("something in the batch is bad")
        return super().embed_batch(batch)


class RemoteThatChokesOnPoison(RemoteFakeModel):
    """The same behind a wire, where each request costs money."""

    requests = 0

    async def embed_batch(self, batch: Batch) -> BatchResult:
        self.requests += 1
        if any("poison" in text for text in batch.texts):
            raise InvalidInputError("something in the batch is bad")
        return self.make_up(batch)


WITH_POISON = [*TEXTS[:9], "poison", *TEXTS[9:20]]


def test_a_local_model_is_asked_again_until_the_culprit_is_found() -> None:
    """An error without an index is traced to its input: asking again costs nothing."""
    with pytest.raises(InvalidInputError) as caught:
        Embedder(ChokesOnPoison("small")).embed_documents(WITH_POISON)

    assert caught.value.index == 9


def test_a_remote_model_is_searched_as_well() -> None:
    """The input that is refused alone is named, and what was finished is handed over."""
    model = RemoteThatChokesOnPoison()
    with pytest.raises(InvalidInputError) as caught:
        Embedder(model).embed_documents(WITH_POISON)

    assert caught.value.index == 9
    assert caught.value.partial is not None


def test_collecting_errors_saves_the_others() -> None:
    """With errors="collect", the one bad input is found and all others have their vectors."""
    embedder = Embedder(RemoteThatChokesOnPoison(), settings=Settings(errors="collect"))
    result = embedder.embed(WITH_POISON, role="document")

    assert list(result.errors) == [9]
    expected = Embedder(FakeModel("small")).embed_documents(WITH_POISON)
    assert np.array_equal(result.vectors[result.ok], expected[result.ok])


class CountsByItself(RemoteFakeModel):
    """Refuses texts of more than 100 words, which only it can count, and cuts nothing."""

    def __init__(self, name: str = "small") -> None:
        super().__init__(name)
        self.batches: list[list[str]] = []

    @property
    def card(self) -> ModelCard:
        return replace(super().card, truncates=False, limits=Limits(max_tokens_per_input=100))

    async def embed_batch(self, batch: Batch) -> BatchResult:
        self.batches.append(batch.texts)
        if any(len(text.split()) > 100 for text in batch.texts):
            raise InputTooLongError("maximum input length is 100 tokens")
        return self.make_up(batch)


FITS_BARELY = "text " * 90  # estimated at more than 100 tokens, but it fits
TOO_LONG = "text " * 110
FAR_TOO_LONG = "embedding " * 5000


def test_a_text_is_not_cut_on_suspicion() -> None:
    """What is only estimated to be too long is sent as it is, and alone."""
    model = CountsByItself()
    result = Embedder(model).embed(["a", FITS_BARELY, "b"], role="document")

    assert [FITS_BARELY] in model.batches
    assert result.truncated.tolist() == [False, False, False]


def test_a_text_that_is_refused_is_cut() -> None:
    """One request more for that text, none for the others, and the cut is reported."""
    model = CountsByItself()
    result = Embedder(model).embed(["a", TOO_LONG, "b"], role="document")

    assert result.truncated.tolist() == [False, True, False]
    assert len(model.batches) == 3
    (cut,) = [texts[0] for texts in model.batches if texts[0] != TOO_LONG and len(texts) == 1]
    assert TOO_LONG.startswith(cut)


def test_a_text_that_is_surely_too_long_is_cut_at_once() -> None:
    """Nobody asks the server for what cannot be."""
    model = CountsByItself()
    result = Embedder(model).embed([FAR_TOO_LONG], role="document")

    assert result.truncated.tolist() == [True]
    assert len(model.batches) == 1


def test_a_suspect_that_is_refused_may_be_an_error() -> None:
    """With on_too_long="error" the server decides, and the position is known."""
    embedder = Embedder(CountsByItself(), settings=Settings(on_too_long="error"))
    assert len(embedder.embed_documents(["a", FITS_BARELY])) == 2
    with pytest.raises(InputTooLongError) as caught:
        embedder.embed_documents(["a", TOO_LONG])

    assert caught.value.index == 1


def test_a_cut_text_is_reported_from_the_cache_as_well() -> None:
    """And where a text that is too long is an error, it is one whatever the cache has."""
    model, cache = CountsByItself(), MemoryCache()
    strict = Embedder(model, cache=cache, settings=Settings(on_too_long="error"))
    first = Embedder(model, cache=cache).embed(["a", TOO_LONG, "b"], role="document")
    second = Embedder(model, cache=cache).embed(["a", TOO_LONG, "b"], role="document")

    assert second.requests == 0
    assert second.cached == 3
    assert np.array_equal(second.vectors, first.vectors)
    assert second.truncated.tolist() == first.truncated.tolist() == [False, True, False]
    with pytest.raises(InputTooLongError) as caught:
        strict.embed_documents(["a", TOO_LONG])
    assert caught.value.index == 1


class CutsInSilence(CountsByItself):
    """Reads the beginning of a text that is too long, and says so in its answer only."""

    async def embed_batch(self, batch: Batch) -> BatchResult:
        await asyncio.sleep(0)
        self.batches.append(batch.texts)
        truncated = [len(text.split()) > 100 for text in batch.texts]
        return replace(self.make_up(batch), truncated=truncated)


def test_what_the_server_cuts_is_an_error_where_that_was_asked_for() -> None:
    """Also if it was counted too low here, and if another job's request or the cache answers."""
    model, cache = CutsInSilence(), MemoryCache()
    strict = Embedder(model, cache=cache, settings=Settings(on_too_long="error"))
    loose = Embedder(model, cache=cache)
    for _ in range(2):
        assert loose.embed([TOO_LONG], role="document").truncated.tolist() == [True]
        with pytest.raises(InputTooLongError):
            strict.embed_documents([TOO_LONG])


@pytest.mark.parametrize("kind", [CountsByItself, CutsInSilence])
async def test_jobs_that_share_a_request_share_what_it_cut(kind: type[CountsByItself]) -> None:
    """One asks, the others join: each is told, and one that wants an error gets it."""
    model = kind()
    strict = Embedder(model, settings=Settings(on_too_long="error"))
    jobs = [Embedder(model).aembed([TOO_LONG], role="document") for _ in range(4)]
    found: list[Any] = await asyncio.gather(
        *jobs, strict.aembed_documents([TOO_LONG]), return_exceptions=True
    )
    *results, refused = found

    assert all(result.truncated.tolist() == [True] for result in results)
    assert isinstance(refused, InputTooLongError)


@pytest.mark.parametrize("text", ["a", FITS_BARELY, TOO_LONG, FAR_TOO_LONG], ids=len)
def test_an_explanation_says_what_only_the_server_knows(text: str) -> None:
    """It is the string of the first request, which a refusal may shorten."""
    model = CountsByItself()
    explained = Embedder(model).explain(text, "document")
    result = Embedder(model).embed([text], role="document")

    assert [explained.sent] == model.batches[0]
    assert explained.may_be_refused == (text in (FITS_BARELY, TOO_LONG))
    assert explained.truncated == (text == FAR_TOO_LONG)
    assert result.truncated[0] <= (explained.truncated or explained.may_be_refused)


class CutsHere(FakeModel):
    """Computes in this process, and reads the beginning of a text that is too long."""

    def __init__(self) -> None:
        super().__init__("small")
        self.batches: list[list[str]] = []

    def embed_batch(self, batch: Batch) -> BatchResult:
        self.batches.append(batch.texts)
        truncated = ["long" in text for text in batch.texts]
        return replace(super().embed_batch(batch), truncated=truncated)


class CutsThere(CutsInSilence):
    """The same behind a wire."""

    async def embed_batch(self, batch: Batch) -> BatchResult:
        answer = await super().embed_batch(batch)
        return replace(answer, truncated=["long" in text for text in batch.texts])


@pytest.mark.parametrize("kind", [CutsHere, CutsThere])
@pytest.mark.parametrize("place", range(3))
def test_the_input_that_was_cut_is_named(kind: Any, place: int) -> None:
    """Its position, not its row in a batch that is sorted by length; no request follows."""
    texts = ["a", "bb", "ccc"]
    texts[place] = texts[place] + " a long text"
    model = kind()
    with pytest.raises(InputTooLongError) as caught:
        Embedder(model, settings=Settings(on_too_long="error")).embed_documents(texts)

    assert caught.value.index == place
    partial = caught.value.partial
    assert partial is not None
    assert partial.ok.tolist() == [number != place for number in range(3)]
    assert len(model.batches) == 1
