"""An object of a framework as a model: how it is called, what it is, and what it never tells.

The objects here only look like a LangChain `Embeddings`; the adapters' tests hold real ones.
"""

from __future__ import annotations

import asyncio
import hashlib
import pickle
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ClassVar

import numpy as np
import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from embedbridge.contract import (
    AuthenticationError,
    Batch,
    BatchResult,
    ConfigurationError,
    EmbedBridgeError,
    InvalidOptionError,
    InvalidResponseError,
    MissingDependencyError,
    ProviderUnavailableError,
    QuotaExhaustedError,
    RateLimitedError,
    RequestTimeoutError,
    UnknownProviderError,
)
from embedbridge.core import Embedder, MemoryCache
from embedbridge.core.bridge import from_documents_and_queries as from_object
from embedbridge.testing import RemoteFakeModel

KEY = "canary-5f0c9e8b7a6d4c3b2a190817"
TEXTS = [f"text {number}" for number in range(10)]


def made_up(text: str, role: str) -> list[float]:
    digest = hashlib.sha256(f"{role}|{text}".encode()).digest()
    return [byte / 255 for byte in digest[:6]]


class Embeds:
    """Sync methods only. It remembers each call, and whether two ever overlapped."""

    def __init__(self, model: str = "m-1") -> None:
        self.model = model
        self._calls: list[list[str]] = []
        self._threads: set[int] = set()
        self._busy = threading.Lock()
        self._overlapped = False

    @property
    def calls(self) -> list[list[str]]:
        return self._calls

    def _record(self, texts: list[str]) -> None:
        free = self._busy.acquire(blocking=False)
        self._overlapped |= not free
        self._threads.add(threading.get_ident())
        self._calls.append(list(texts))
        if free:
            self._busy.release()

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        self._record(texts)
        return [made_up(text, "document") for text in texts]

    def embed_query(self, text: str) -> list[float]:
        self._record([text])
        return made_up(text, "query")

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        return await asyncio.to_thread(self.embed_documents, texts)

    async def aembed_query(self, text: str) -> list[float]:
        return await asyncio.to_thread(self.embed_query, text)


class EmbedsNatively(Embeds):
    """Documents by native async code, queries by none."""

    chunk_size = 4

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        await asyncio.sleep(0)
        self._record(texts)
        return [made_up(text, "document") for text in texts]


class Alone(Embeds):
    """Keeps its job in itself, so that two at once give wrong vectors; the first waits for a second."""

    def __init__(self) -> None:
        super().__init__()
        self._job: list[str] = []

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        self._job = texts
        while not self.calls and len(_calls_in_threads()) < 2:
            time.sleep(0)
        for _ in range(100):  # it would come in meanwhile
            time.sleep(0)
        return super().embed_documents(self._job)


def _calls_in_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "embedbridge-call"]


class Forwards(Embeds):
    """A wrapper, whose async methods are what those of the object in it are."""

    chunk_size = 2

    def __init__(self, inner: Embeds) -> None:
        super().__init__()
        self._inner = inner

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return self._inner.embed_documents(texts)

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        return await self._inner.aembed_documents(texts)


class AwaitsItsBase(Alone):
    chunk_size = 2

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        return await super().aembed_documents(texts)


class Fails(Embeds):
    def __init__(self, error: Exception, api_key: str = KEY) -> None:
        super().__init__()
        self.error = error
        self.api_key = api_key

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        raise self.error


class FailsNatively(Fails):
    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        await asyncio.sleep(0)
        raise self.error


def documents(texts: list[str]) -> Any:
    return np.array([made_up(text, "document") for text in texts], dtype=np.float32)


# Calls.


@pytest.mark.parametrize("kind", [Embeds, EmbedsNatively])
def test_one_call_per_planned_batch(kind: Callable[[], Embeds]) -> None:
    """Duplicates are left out and batches are as large as the object takes them."""
    held = kind()
    vectors = from_object(held, max_items=4).embed_documents([*TEXTS, *TEXTS])

    assert np.array_equal(vectors, documents([*TEXTS, *TEXTS]))
    assert sorted(map(len, held.calls)) == [2, 4, 4]
    assert sorted(text for call in held.calls for text in call) == sorted(TEXTS)


def test_its_own_batch_size_is_a_limit() -> None:
    """`chunk_size` says how many inputs go into one request; the user may ask for fewer."""
    held = EmbedsNatively()

    assert from_object(held).card.limits.max_items == 4
    from_object(held, batch_size=2).embed_documents(TEXTS)
    assert max(map(len, held.calls)) == 2


@pytest.mark.parametrize("kind", [Embeds, EmbedsNatively])
def test_queries_are_embedded_as_queries(kind: Callable[[], Embeds]) -> None:
    """Each is a call of its own: the interface has none for several."""
    held = kind()
    vectors = from_object(held).embed_queries(["a", "b", "a"])
    expected = [made_up(text, "query") for text in ("a", "b", "a")]

    assert np.array_equal(vectors, np.array(expected, dtype=np.float32))
    assert sorted(held.calls) == [["a"], ["b"]]


def test_sync_code_runs_in_the_callers_thread() -> None:
    """No hop for a lone sync caller."""
    held = Embeds()
    from_object(held).embed_documents(TEXTS)

    assert held._threads == {threading.get_ident()}


async def test_sync_code_never_blocks_an_event_loop() -> None:
    """An async caller's loop goes on while a sync object computes."""
    started, opened = Future[None](), Future[None]()

    class Waits(Embeds):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            started.set_result(None)
            opened.result()
            return super().embed_documents(texts)

    job = asyncio.create_task(from_object(Waits()).aembed_documents(TEXTS))
    await asyncio.wrap_future(started)
    opened.set_result(None)  # never reached, were the loop blocked

    assert np.array_equal(await job, documents(TEXTS))


def test_what_is_sync_in_an_async_object_never_blocks_the_background_loop() -> None:
    """A query waits in a thread while documents are embedded on the loop."""
    started, opened = Future[None](), Future[None]()

    class Waits(EmbedsNatively):
        def embed_query(self, text: str) -> list[float]:
            started.set_result(None)
            opened.result()
            return super().embed_query(text)

    embedder = from_object(Waits())
    with ThreadPoolExecutor(1) as pool:
        query = pool.submit(embedder.embed_query, "a")
        started.result()
        assert np.array_equal(embedder.embed_documents(TEXTS), documents(TEXTS))
        opened.set_result(None)

        assert query.result().shape == (6,)


def test_an_object_is_never_called_by_two_threads_at_once() -> None:
    """Not even through two bridges: nobody promises that it may be."""
    held = Embeds()
    embedders = [from_object(held, max_items=1), from_object(held, max_items=1)]
    with ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(embedders[n % 2].embed_documents, TEXTS) for n in range(16)]
        found = [job.result() for job in jobs]

    assert all(np.array_equal(vectors, documents(TEXTS)) for vectors in found)
    assert not held._overlapped


@pytest.mark.parametrize("make", [lambda: Forwards(Alone()), AwaitsItsBase])
async def test_nor_where_its_async_code_comes_down_to_threads(make: Callable[[], Embeds]) -> None:
    """A wrapper's code does not tell whether what it awaits is native, so its threads take turns."""
    embedder = from_object(make())

    assert np.array_equal(embedder.embed_documents(TEXTS), documents(TEXTS))
    assert np.array_equal(await embedder.aembed_documents(TEXTS), documents(TEXTS))


def test_what_it_asks_of_other_models_is_no_part_of_its_turn() -> None:
    """In its thread, a wrapped object waits for a model that hands work to threads as well."""

    class Remote(RemoteFakeModel):
        async def embed_batch(self, batch: Batch) -> BatchResult:
            await asyncio.to_thread(int)
            return await super().embed_batch(batch)

    inner = Embedder(Remote("small"))

    class AsksAnother(Embeds):
        chunk_size = 2

        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return inner.embed_documents(texts).tolist()  # type: ignore[no-any-return]

    embedder = from_object(Forwards(AsksAnother()))

    assert np.array_equal(embedder.embed_documents(TEXTS), inner.embed_documents(TEXTS))


@pytest.mark.parametrize("kind", [EmbedsNatively, lambda: Forwards(EmbedsNatively())])
def test_native_code_is_awaited_several_at_once(kind: Callable[[], Embeds]) -> None:
    """Through a wrapper too: as many batches are in flight as may be."""
    together = asyncio.Barrier(4)

    class Meets(Forwards):
        async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
            await together.wait()
            return await self._inner.aembed_documents(texts)

    embedder = from_object(Meets(kind()), max_items=1, max_concurrency=4)

    assert np.array_equal(embedder.embed_documents(TEXTS[:8]), documents(TEXTS[:8]))


@pytest.mark.parametrize(("native", "threads"), [(False, 1), (None, 1), (True, 0)])
def test_the_user_decides_about_async_methods(native: bool | None, threads: int) -> None:
    """`native_async` overrules what the code looks like."""
    held = Embeds()
    from_object(held, native_async=native).embed_documents(["a"])

    assert (threading.get_ident() in held._threads) == bool(threads)


def test_one_try_unless_more_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their classes retry already; the constructor wins over the environment, which wins over us."""
    assert from_object(Embeds()).settings.max_attempts == 1
    assert from_object(Embeds(), max_attempts=2).settings.max_attempts == 2
    monkeypatch.setenv("EMBEDBRIDGE_MAX_ATTEMPTS", "5")

    assert from_object(Embeds()).settings.max_attempts == 5
    assert from_object(Embeds(), max_retries=1).settings.max_attempts == 2


def test_a_wrong_answer_is_noticed() -> None:
    """One vector per input, as for any model."""

    class Forgets(Embeds):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return super().embed_documents(texts)[:-1]

    with pytest.raises(InvalidResponseError, match="10 inputs were sent and 9 vectors"):
        from_object(Forgets()).embed_documents(TEXTS)


def test_options() -> None:
    """Options of models work; an unknown one names the nearest."""
    embedder = from_object(Embeds(), dimensions=2, normalize=True, document_prompt="passage: ")
    vectors = embedder.embed_documents(["a"])

    assert vectors.shape == (1, 2)
    assert np.linalg.norm(vectors) == pytest.approx(1)
    assert embedder.explain("a", "document").sent == "passage: a"
    with pytest.raises(InvalidOptionError, match="fingerprint"):
        from_object(Embeds(), fingerprnt="a")  # type: ignore[call-arg]  # found by mypy too


class Ours(Embeds):
    """An adapter of ours, as the one for LangChain is."""

    def __init__(self, embedder: Embedder) -> None:
        super().__init__()
        self.embedder = embedder

    def __embedbridge__(self) -> Embedder:
        return self.embedder


class OursWithAPrefix(Ours):
    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        rows: list[list[float]] = self.embedder.embed_documents([f"x: {t}" for t in texts]).tolist()
        return rows


class OursWithAsyncCode(Ours):
    async def aembed_query(self, text: str) -> list[float]:
        return [1.0] * 6


class OursAndMore(Ours):
    """A subclass that does not touch how things are embedded."""

    def __init__(self, embedder: Embedder) -> None:
        super().__init__(embedder)
        self.name = "mine"

    def search(self, text: str) -> list[float]:
        return self.embed_query(text)


class KeepsOne(Embeds):
    """A user's own class, which happens to keep an embedder under that name."""

    def __init__(self, embedder: Embedder) -> None:
        super().__init__()
        self.embedder = embedder


@pytest.mark.parametrize("kind", [Ours, OursAndMore])
def test_one_of_ours_is_not_wrapped_twice(kind: type[Ours]) -> None:
    """An adapter of ours gives its own embedder."""
    embedder = from_object(Embeds())
    adapter = kind(embedder)

    assert from_object(adapter) is embedder
    assert from_object(adapter, batch_size=1).settings.batch_size == 1


@pytest.mark.parametrize("kind", [OursWithAPrefix, OursWithAsyncCode, KeepsOne])
def test_code_around_an_embedder_is_called(kind: type[Any]) -> None:
    """Who overrides a method, or only keeps an embedder, is asked, and the embedder is not."""
    adapter = kind(from_object(Embeds()))
    expected = adapter.embed_documents(TEXTS)

    assert from_object(adapter) is not adapter.embedder
    assert np.array_equal(from_object(adapter).embed_documents(TEXTS), np.float32(expected))


def test_a_method_that_is_replaced_on_the_object_is_called() -> None:
    """The same for one object only, as tests and notebooks do it."""
    adapter = Ours(from_object(Embeds()))
    adapter.embed_query = lambda text: [2.0] * 6  # type: ignore[method-assign]

    assert from_object(adapter).embed_query("a").tolist() == [2.0] * 6


def test_a_sync_method_of_a_subclass_wins_over_an_inherited_async_one() -> None:
    """The async method is native, and knows nothing of what the subclass adds."""

    class Prefixed(EmbedsNatively):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return super().embed_documents([f"x: {text}" for text in texts])

    vectors = from_object(Prefixed()).embed_documents(TEXTS)

    assert np.array_equal(vectors, documents([f"x: {text}" for text in TEXTS]))


# What it is.


def test_a_cache_serves_one_object_only() -> None:
    """Two objects that say the same of themselves may still differ in what they keep in private."""
    cache = MemoryCache()
    first, second = Embeds(), Embeds()
    from_object(first, cache=cache).embed_documents(TEXTS)
    from_object(second, cache=cache).embed_documents(TEXTS)

    assert len(second.calls) == len(first.calls) == 1


def test_a_cache_serves_all_of_one_fingerprint() -> None:
    """The user says that they are the same, and what can be seen agrees."""
    cache = MemoryCache()
    others = [Embeds(), Embeds("m-2")]
    for held in [Embeds(), *others]:
        from_object(held, cache=cache, fingerprint="v1").embed_documents(TEXTS)

    assert [len(held.calls) for held in others] == [0, 1]


def test_the_same_embedder_finds_its_own() -> None:
    """A bridged object has a working cache without any option, queries apart from documents."""
    held = Embeds()
    embedder = from_object(held, cache=MemoryCache())
    for _ in range(2):
        embedder.embed_documents(["a"])
        embedder.embed_query("a")

    assert held.calls == [["a"], ["a"]]


class Fields(BaseModel):
    """A pydantic object, as most of them are."""

    # As the frameworks do: pydantic before 2.10 warns about every field `model_…`.
    model_config = ConfigDict(protected_namespaces=())

    model_name: str = "m-1"
    revision: str = "main"
    api_key: SecretStr = SecretStr(KEY)
    access_token: str = KEY
    default_headers: dict[str, str] = Field(default_factory=dict)
    timeout: float = 10.0
    max_tokens: int = 512
    also_calls_itself: ClassVar[str] = "anything"

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [made_up(text, "document") for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return made_up(text, "query")


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"timeout": 1.0}, True),
        ({"api_key": SecretStr("another key"), "access_token": "another"}, True),
        ({"default_headers": {"X-Key": "another"}}, True),
        ({"model_name": "m-2"}, False),
        ({"revision": "v2"}, False),
        ({"max_tokens": 8}, False),
    ],
)
def test_what_decides_the_vectors_decides_the_names(change: dict[str, Any], same: bool) -> None:
    """Not the key, nor how long to wait for the answer; everything else that was set."""
    one = from_object(Fields(), fingerprint="v1")
    other = from_object(Fields(**change), fingerprint="v1")

    assert (one.space == other.space) == same
    assert (one.fingerprint == other.fingerprint) == same


def test_the_space_of_an_object_without_a_models_name() -> None:
    """Nothing says that two such objects are comparable, unless the user does."""
    one, other = Embeds(model=""), Embeds(model="")

    assert from_object(one).space != from_object(other).space
    assert from_object(one, fingerprint="v1").space == from_object(other, fingerprint="v1").space
    assert from_object(one, space="mine").space == "mine"


def test_the_width_is_known_with_the_first_answer() -> None:
    """Nobody is asked for it before."""
    embedder = from_object(Embeds())

    assert embedder.dimensions is None
    embedder.embed_query("a")
    assert embedder.dimensions == 6


def test_a_configuration_cannot_hold_an_object() -> None:
    """The error says how the embedder is made again."""
    config = from_object(Embeds(), batch_size=2).to_config()

    assert config["settings"]["batch_size"] == 2
    with pytest.raises(UnknownProviderError, match="from_langchain") as raised:
        Embedder.from_config(config)

    assert raised.value.message.startswith("An embedder of 'langchain' was made from an object")
    assert "No installed package" not in str(raised.value)


# Secrets and pickles.


def test_no_secret_is_shown() -> None:
    """Not in any text or configuration of ours."""
    embedder = from_object(Fields())
    shown = [repr(embedder), repr(embedder.model), str(embedder.to_config()), embedder.space]

    assert KEY not in "".join(shown)
    assert KEY not in str(embedder.model.identity())


def test_an_object_without_secrets_pickles() -> None:
    """As it pickles itself; the copy is another object, and so has a cache of its own."""
    embedder = from_object(Fields(api_key=SecretStr(""), access_token=""), batch_size=3)
    copy = pickle.loads(pickle.dumps(embedder))

    assert np.array_equal(copy.embed_documents(TEXTS), documents(TEXTS))
    assert copy.settings == embedder.settings
    assert copy.space == embedder.space
    assert copy.fingerprint != embedder.fingerprint


@pytest.mark.parametrize(
    "held", [Fields(access_token=""), Fields(api_key=SecretStr(""))], ids=["SecretStr", "str"]
)
def test_an_object_with_a_secret_does_not_pickle(held: Fields) -> None:
    """Its class may write the key in clear."""
    with pytest.raises(ConfigurationError, match="holds a secret") as raised:
        pickle.dumps(from_object(held))

    assert KEY not in str(raised.value)


# Errors.


class HttpError(Exception):
    """As SDKs make them."""

    def __init__(self, status: int, said: str = "no", **headers: str) -> None:
        super().__init__(said)
        self.status_code = status
        self.response = type("Response", (), {"headers": headers})


class APIConnectionError(Exception):
    """As OpenAI's SDK names it."""


class OpenAIError(Exception):
    """The most general one of OpenAI's SDK: it has no status, as nothing was sent."""


class DefaultCredentialsError(Exception):
    """As Google's libraries name it."""


class ReadTimeout(Exception):  # noqa: N818  # as requests and httpx name it
    pass


class RetryError(Exception):
    """As tenacity raises it after the last attempt."""

    def __init__(self, error: Exception) -> None:
        super().__init__("RetryError[<Future state=finished>]")
        self.last_attempt: Future[None] = Future()
        self.last_attempt.set_exception(error)


@pytest.mark.parametrize("kind", [Fails, FailsNatively])
@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (HttpError(401), AuthenticationError),
        (HttpError(429), RateLimitedError),
        (HttpError(429, "insufficient_quota"), QuotaExhaustedError),
        (HttpError(500), ProviderUnavailableError),
        (RetryError(HttpError(503)), ProviderUnavailableError),
        (ConnectionResetError("reset"), ProviderUnavailableError),
        (APIConnectionError("Connection error."), ProviderUnavailableError),
        (TimeoutError(), RequestTimeoutError),
        (ReadTimeout("slow"), RequestTimeoutError),
        (ModuleNotFoundError("No module named 'torch'"), MissingDependencyError),
        (OpenAIError("Missing credentials. Please pass an `api_key`."), AuthenticationError),
        (ValueError("set the OPENAI_API_KEY environment variable"), AuthenticationError),
        (DefaultCredentialsError("File not found"), AuthenticationError),
        (ValueError("something else"), EmbedBridgeError),
        (ValueError("the monkey_api_keyboard"), EmbedBridgeError),
        (type("AuthorError", (Exception,), {})("Who wrote this?"), EmbedBridgeError),
    ],
    ids=repr,
)
def test_errors_are_translated(
    kind: Callable[[Exception], Fails], theirs: Exception, ours: type[EmbedBridgeError]
) -> None:
    """By status, builtin and name; theirs is the cause, and nothing was tried again by us."""
    with pytest.raises(ours) as raised:
        from_object(kind(theirs)).embed_documents(["a"])

    assert type(raised.value) is ours
    assert raised.value.__cause__ is theirs
    assert (raised.value.provider, raised.value.model) == ("langchain", f"{kind.__name__}/m-1")


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("Missing credentials. Please pass an `api_key`, `workload_identity` or `token`.",) * 2,
        ("no end", "no end."),
        ("two\n lines!", "two lines!"),
        ("word " * 200, ("word " * 60).strip()[:-4] + "…"),
    ],
)
def test_a_message_is_whole_sentences(theirs: str, ours: str) -> None:
    """One line of what was said, with an end, so that the next sentence can follow; no word is cut."""
    with pytest.raises(EmbedBridgeError) as raised:
        from_object(Fails(ValueError(theirs))).embed_documents(["a"])

    assert raised.value.message == f"Fails failed with ValueError: {ours}"


async def test_a_lock_of_another_event_loop_says_what_helps() -> None:
    """The bridge awaits on a loop of its own; an object may have a connection to the user's."""

    class Limited(EmbedsNatively):
        free = asyncio.Condition()

        async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
            async with self.free:
                return await super().aembed_documents(texts)

    held = Limited()
    async with held.free:  # a second one waits, on this loop
        waits = asyncio.create_task(held.aembed_documents(["a"]))
        await asyncio.sleep(0)
        with pytest.raises(EmbedBridgeError, match="native_async=False"):
            await from_object(held).aembed_documents(["a"])
    await waits


@pytest.mark.parametrize(
    "error",
    [HttpError(429, **{"Retry-After": "7"}), HttpError(429, "Rate limit. Try again in 7s.")],
    ids=["header", "sentence"],
)
def test_how_long_to_wait_is_kept(error: Exception) -> None:
    """What the server asks for travels with the error, in a header or in words."""
    with pytest.raises(RateLimitedError) as raised:
        from_object(Fails(error)).embed_documents(["a"])

    assert raised.value.retry_after == 7


@pytest.mark.parametrize("kind", [Fails, FailsNatively])
@pytest.mark.parametrize("error", [HttpError(401, f"Wrong key {KEY}"), ValueError(KEY)], ids=type)
def test_a_key_that_is_repeated_goes_no_further(
    kind: Callable[[Exception], Fails], error: Exception
) -> None:
    """Such an exception of theirs is not chained either: its text stands in every traceback."""
    with pytest.raises(EmbedBridgeError) as raised:
        from_object(kind(error)).embed_documents(["a"])

    told: BaseException | None = raised.value
    while told is not None:
        assert KEY not in str(told)
        assert KEY not in repr(told)
        told = told.__cause__ or told.__context__


VOYAGE_KEY = "pa-Ab3dEf6hIj9lMnOpQr"


@pytest.mark.parametrize("kind", [Fails, FailsNatively])
@pytest.mark.parametrize(
    "said",
    [VOYAGE_KEY, f"Wrong key {KEY[:10]}…", f"Wrong key …{KEY[-14:]}"],
    ids=["", "start", "end"],
)
def test_no_key_is_repeated_that_nobody_declared_and_no_piece_of_one(
    kind: Callable[[Exception], Fails], said: str
) -> None:
    """As for a model behind HTTP: the same table of shapes, the same redaction."""
    model = kind(HttpError(401, said))
    vars(model)["api_key"] = KEY
    with pytest.raises(AuthenticationError) as raised:
        from_object(model).embed_documents(["a"])

    assert "[hidden]" in str(raised.value)
    assert not {VOYAGE_KEY, KEY[:10], KEY[-14:]} & set(re.split(r"[\s…]+", str(raised.value)))
    assert raised.value.__cause__ is None


def test_a_plain_header_is_no_secret() -> None:
    """Its words stand in many messages, and the cause of an error is worth more."""
    model = Fails(ValueError("application/json was expected"))
    vars(model)["headers"] = {"Content-Type": "application/json"}
    with pytest.raises(EmbedBridgeError, match="application/json") as raised:
        from_object(model).embed_documents(["a"])

    assert isinstance(raised.value.__cause__, ValueError)
