"""What a job has to warn of is said once, at its end and at its caller's line, and costs nothing."""

import asyncio
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embedbridge.contract import (
    AuthenticationError,
    Batch,
    BatchResult,
    EmbedBridgeError,
)
from embedbridge.core import DiskCache, Embedder, EmbeddingResult, MemoryCache, Ticket
from embedbridge.core.notices import Notices, tell
from embedbridge.testing import FakeModel, RemoteFakeModel

EXPECTED = Embedder(FakeModel("small"))
TEXTS = ["a", "bb", "ccc", "dddd", "eeeee"]
Entries = Mapping[str, Any]


class Broken:
    """A store that neither reads nor writes."""

    def get_many(self, keys: Sequence[str]) -> Entries:
        raise OSError("gone")

    def put_many(self, vectors: Entries) -> None:
        raise OSError("full")


class Warns(Broken):
    """A store that warns of its trouble itself."""

    def get_many(self, keys: Sequence[str]) -> Entries:
        warnings.warn("my server is away", UserWarning, stacklevel=1)
        return {}

    def put_many(self, vectors: Entries) -> None:
        pass


def model_of(remote: bool, zeros: Sequence[str] = (), fails: str | None = None) -> Any:
    """A model that counts its requests, answers zeros for some texts, and fails for one."""

    def answer(model: Any, batch: Batch) -> BatchResult:
        model.requests += 1
        if fails in batch.inputs:
            raise AuthenticationError("no such key")
        vectors = np.array(model.make_up(batch).vectors)
        vectors[[text in zeros for text in batch.texts]] = 0
        return BatchResult(vectors=vectors)

    class Local(FakeModel):
        requests = 0

        def embed_batch(self, batch: Batch) -> BatchResult:
            return answer(self, batch)

    class Remote(RemoteFakeModel):
        requests = 0

        async def embed_batch(self, batch: Batch) -> BatchResult:
            return answer(self, batch)

    return (Remote if remote else Local)("small")


Trouble = Callable[[bool, Path], tuple[Embedder, list[str], str]]


def cache_that(cache: object, said: str) -> Trouble:
    return lambda remote, path: (Embedder(model_of(remote), cache=cache), TEXTS, said)  # type: ignore[arg-type]


def damaged_file(remote: bool, path: Path) -> tuple[Embedder, list[str], str]:
    (path / "v.sqlite").write_bytes(bytes(9999))
    cache = DiskCache(path / "v.sqlite")
    return Embedder(model_of(remote), cache=cache), TEXTS, "kept as"


def zeros_of_the_model(remote: bool, path: Path) -> tuple[Embedder, list[str], str]:
    return Embedder(model_of(remote, zeros=["a", "bb"])), TEXTS, "zeros for 2 of 5 inputs"


def zeros_for_empty(remote: bool, path: Path) -> tuple[Embedder, list[str], str]:
    embedder = Embedder(model_of(remote)).using(on_empty="zero")
    return embedder, [*TEXTS, ""], "made 1 of 6 vectors zeros"


TROUBLE: dict[str, Trouble] = {
    "a store that fails": cache_that(Broken(), "could not be read"),
    "a store that warns": cache_that(Warns(), "my server is away"),
    "a damaged file": damaged_file,
    "zeros of the model": zeros_of_the_model,
    "zeros for empty texts": zeros_for_empty,
}


def sync(embedder: Embedder, texts: list[str], **options: Any) -> EmbeddingResult:
    return embedder.embed(texts, role="document", **options)


def in_async_code(embedder: Embedder, texts: list[str], **options: Any) -> EmbeddingResult:
    async def caller() -> EmbeddingResult:
        return await embedder.aembed(texts, role="document", **options)

    return asyncio.run(caller())


ways = pytest.mark.parametrize("way", [sync, in_async_code], ids=["sync", "async"])
kinds = pytest.mark.parametrize("remote", [False, True], ids=["local", "remote"])
troubles = pytest.mark.parametrize("trouble", TROUBLE.values(), ids=TROUBLE)


@ways
@kinds
@troubles
def test_a_warning_that_is_an_error_costs_no_vector(
    trouble: Trouble, remote: bool, way: Any, tmp_path: Path
) -> None:
    """It comes when all is embedded, has the result, and `on_batch` had every batch before."""
    embedder, texts, said = trouble(remote, tmp_path)
    handed: list[int] = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(Warning, match=said) as caught:
            way(
                embedder.using(batch_size=2),
                texts,
                on_batch=lambda positions, *_: handed.extend(positions.tolist()),
            )

    partial = vars(caught.value)["partial"]
    assert len(partial) == len(texts)
    assert not partial.errors
    assert sorted(handed) == list(range(len(TEXTS)))
    assert embedder.model.requests == 3  # type: ignore[attr-defined]


@ways
@kinds
@troubles
def test_a_warning_names_the_line_of_the_caller_once(
    trouble: Trouble, remote: bool, way: Any, tmp_path: Path
) -> None:
    """However many batches there are: the line is one of this file, and none of the engine's."""
    embedder, texts, said = trouble(remote, tmp_path)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        way(embedder.using(batch_size=1), texts)

    assert [one.filename for one in caught if said in str(one.message)] == [__file__]


@kinds
def test_the_cache_has_what_was_paid_before_the_warning_comes(remote: bool) -> None:
    """Whoever asks again after the error pays nothing."""
    embedder = Embedder(model_of(remote, zeros=["a"]), cache=MemoryCache())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="zeros for 1 of 5"):
            embedder.embed_documents(TEXTS)
        again = embedder.embed(TEXTS, role="document")

    assert again.cached == len(TEXTS)
    assert embedder.model.requests == 1  # type: ignore[attr-defined]


@kinds
def test_the_error_of_a_job_comes_before_its_warnings(remote: bool) -> None:
    """A warning that is an error becomes a note of it; the paid vectors are on it as ever."""
    model = model_of(remote, fails="a")
    embedder = Embedder(model, cache=Broken()).using(batch_size=1, max_concurrency=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(AuthenticationError) as caught:
            embedder.embed_documents(TEXTS)

    assert caught.value.partial is not None
    assert caught.value.partial.ok[-1]
    assert [note.partition("(")[0] for note in caught.value.__notes__] == [
        "The cache could not be read ",
        "The cache could not be written ",
    ]


def sync_windows(embedder: Embedder, texts: list[str]) -> list[Any]:
    found: list[Any] = []
    try:
        for result in embedder.embed_windows(texts):
            found.append(result)  # noqa: PERF402  # those before the error count
    except Warning as raised:
        found.append(raised)
    return found


def async_windows(embedder: Embedder, texts: list[str]) -> list[Any]:
    async def caller() -> list[Any]:
        found: list[Any] = []
        try:
            async for result in embedder.aembed_windows(texts):
                found.append(result)  # noqa: PERF401  # those before the error count
        except Warning as raised:
            found.append(raised)
        return found

    return asyncio.run(caller())


@pytest.mark.parametrize("way", [sync_windows, async_windows], ids=["sync", "async"])
@kinds
def test_a_window_with_a_warning_is_not_lost(remote: bool, way: Any) -> None:
    """The result on the error begins where its window does; those before were handed out."""
    embedder = Embedder(model_of(remote, zeros=["ccc"])).using(window=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = way(embedder, TEXTS)

    partial = vars(found[1])["partial"]
    assert (found[0].start, partial.start) == (0, 2)
    assert np.array_equal(partial.vectors[1], EXPECTED.embed_documents(["dddd"])[0])


def test_a_shared_answer_is_warned_of_by_each_job_that_takes_it() -> None:
    """Jobs that ask for the same text at once have one request, and each hears of its zeros."""
    embedder = Embedder(model_of(True, zeros=["a"]))

    async def both() -> list[Any]:
        jobs = [embedder.aembed_query("a") for _ in range(2)]
        return await asyncio.gather(*jobs, return_exceptions=True)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        outcomes = asyncio.run(both())

    assert ["zeros for 1 of 1" in str(outcome) for outcome in outcomes] == [True, True]


class LostBooks(Ticket):
    """The ticket of a limiter that cannot settle."""

    def settle(self, used_tokens: int) -> None:
        raise OSError("no books")


class Limits:
    """A limiter that gives what a test says."""

    def __init__(self, ticket: Any) -> None:
        self.ticket = ticket

    def acquire(self, tokens: int) -> Any:
        if isinstance(self.ticket, BaseException):
            raise self.ticket
        return self.ticket

    async def acquire_async(self, tokens: int) -> Any:
        return self.acquire(tokens)


class Priced(RemoteFakeModel):
    """Says what each request cost."""

    requests = 0

    async def embed_batch(self, batch: Batch) -> BatchResult:
        self.requests += 1
        return self.make_up(batch)


def test_a_limiter_that_cannot_settle_costs_no_vector() -> None:
    """The answer is paid for by then."""
    embedder = Embedder(Priced("small"), limiter=Limits(LostBooks()))
    with pytest.warns(RuntimeWarning, match=r"could not settle.*OSError"):
        vectors = embedder.embed_documents(TEXTS)

    assert np.array_equal(vectors, EXPECTED.embed_documents(TEXTS))


@ways
@kinds
def test_a_limiter_that_fails_is_named(remote: bool, way: Any) -> None:
    """It is not the model that failed, and nothing was sent."""
    embedder = Embedder(model_of(remote), limiter=Limits(OSError("no books")))
    said = r"^The limiter \(Limits\) failed with OSError: .*no books"
    with pytest.raises(EmbedBridgeError, match=said) as caught:
        way(embedder, TEXTS)
    with pytest.raises(EmbedBridgeError, match=said):  # also beside the rates of the settings
        way(embedder.using(requests_per_minute=1000), TEXTS)

    assert isinstance(caught.value.__cause__, OSError)
    assert embedder.model.requests == 0  # type: ignore[attr-defined]


@ways
@kinds
def test_what_is_no_ticket_is_refused_before_the_request(remote: bool, way: Any) -> None:
    """It is needed after the answer, which would be lost."""
    embedder = Embedder(model_of(remote), limiter=Limits("yes"))
    with pytest.raises(EmbedBridgeError, match=r"The limiter \(Limits\) returned str"):
        way(embedder, TEXTS)

    assert embedder.model.requests == 0  # type: ignore[attr-defined]


def test_what_is_told_outside_a_job_is_a_warning_at_once() -> None:
    """As where somebody asks a cache directly."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with Notices() as notices:
            with notices.heard():
                tell(UserWarning, "later")
            assert not caught
        tell(UserWarning, "now")

    assert [str(warning.message) for warning in caught] == ["later", "now"]
    assert {warning.filename for warning in caught} == {__file__}
