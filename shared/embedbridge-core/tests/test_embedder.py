"""What users hold: every method and its async twin, streams, explanations, and itself."""

import asyncio
import copy
import inspect
import json
import pickle
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from contextvars import ContextVar
from io import StringIO
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedbridge.contract import (
    Batch,
    BatchResult,
    ConfigurationError,
    EmbedBridgeError,
    EmbeddingModel,
    Image,
    InvalidInputError,
    InvalidOptionError,
    Mixed,
    Text,
    UnknownProviderError,
)
from embedbridge.core import (
    DiskCache,
    Embedder,
    EmbeddingResult,
    MemoryCache,
    RateLimiter,
    Settings,
    Ticket,
    load_embedder,
)
from embedbridge.testing import FakeModel, RecordingModel, RemoteFakeModel, tiny_png

TEXTS = [f"text {number}" for number in range(20)]
EXPECTED = Embedder(FakeModel("small"))
IMAGES = [Image.from_bytes(tiny_png(shade)) for shade in range(5)]


@pytest.fixture(params=["local", "remote"])
def embedder(request: pytest.FixtureRequest) -> Embedder:
    return Embedder(FakeModel("small") if request.param == "local" else RemoteFakeModel("small"))


# Methods and their twins.


@pytest.mark.parametrize(
    ("method", "inputs", "role"),
    [
        ("embed_documents", TEXTS, "document"),
        ("embed_queries", TEXTS, "query"),
        ("embed_images", IMAGES, "document"),
    ],
)
async def test_every_method_and_its_twin_agree(
    embedder: Embedder, method: str, inputs: Any, role: Any
) -> None:
    """Each is `embed` with a role, in sync and in async."""
    expected = EXPECTED.embed(inputs, role=role).vectors

    assert np.array_equal(getattr(embedder, method)(inputs), expected)
    assert np.array_equal(await getattr(embedder, f"a{method}")(inputs), expected)


async def test_one_query_is_one_vector(embedder: Embedder) -> None:
    """Of shape (dimensions,), equal to a row of many."""
    expected = EXPECTED.embed_queries(["why?"])[0]
    for text in ("why?", Text("why?")):
        assert np.array_equal(embedder.embed_query(text), expected)
        assert np.array_equal(await embedder.aembed_query(text), expected)


def test_every_method_has_a_twin_of_the_same_signature() -> None:
    """Whoever knows one knows the other."""
    names = [name for name in dir(Embedder) if name.startswith("embed")]
    for name in names:
        twin = getattr(Embedder, f"a{name}")
        sync = inspect.signature(getattr(Embedder, name)).parameters
        assert list(sync) == list(inspect.signature(twin).parameters)
        assert inspect.iscoroutinefunction(twin) or inspect.isasyncgenfunction(twin)


@pytest.mark.parametrize("role", ["documents", "", None, "Query", 5])
async def test_an_unknown_role_is_refused(embedder: Embedder, role: Any) -> None:
    """A misspelt role would give wrong vectors in silence."""
    with pytest.raises(InvalidOptionError, match="'query' or 'document'"):
        embedder.embed(["a"], role=role)
    with pytest.raises(InvalidOptionError, match="'query' or 'document'"):
        await embedder.aembed(["a"], role=role)


def test_an_unknown_task_is_refused(embedder: Embedder) -> None:
    """So is a misspelt task."""
    with pytest.raises(InvalidOptionError, match="clustering"):
        embedder.embed(["a"], role="query", task="clusterin")  # type: ignore[arg-type]


async def test_nothing_gives_no_vectors(embedder: Embedder) -> None:
    """An empty list is fine, costs nothing and has the right width."""
    for result in (embedder.embed([], role="query"), await embedder.aembed([], role="query")):
        assert result.vectors.shape == (0, 8)
        assert (len(result), result.requests, list(result)) == (0, 0, [])


@given(st.lists(st.sampled_from(TEXTS), max_size=12), st.sampled_from(["query", "document"]))
@settings(max_examples=30)
def test_a_result_is_a_sequence_of_its_vectors(texts: list[str], role: Any) -> None:
    """Indexing, iterating, length and lists all tell the same."""
    result = EXPECTED.embed(texts, role=role)

    assert len(result) == len(texts)
    assert result.tolist() == result.vectors.tolist()
    assert [vector.tolist() for vector in result] == result.tolist()
    for place in range(-len(texts), len(texts)):
        assert np.array_equal(result[place], result.vectors[place])
    with pytest.raises(IndexError):
        result[len(texts)]


def test_a_result_travels_whole(embedder: Embedder) -> None:
    """To another process, with its collected errors."""
    inputs: list[Any] = ["a", "", "b"]
    result = embedder.using(errors="collect").embed(inputs, role="query")
    arrived: EmbeddingResult = pickle.loads(pickle.dumps(result))

    assert np.array_equal(arrived.vectors, result.vectors, equal_nan=True)
    assert str(arrived.errors) == str(result.errors)
    with pytest.raises(InvalidInputError, match="Input 1"):
        arrived[-2]


def test_an_error_with_what_was_finished_travels_too(embedder: Embedder) -> None:
    """Worker processes send their errors home, paid vectors included."""

    class FailsAtLast(FakeModel):
        def embed_batch(self, batch: Any) -> Any:
            if "a" in batch.inputs:
                raise ZeroDivisionError
            return self.make_up(batch)

    with pytest.raises(EmbedBridgeError) as caught:
        Embedder(FailsAtLast("small")).using(batch_size=1).embed_documents(["longer", "a"])
    arrived = pickle.loads(pickle.dumps(caught.value))

    assert str(arrived) == str(caught.value)
    assert arrived.partial.ok.tolist() == [True, False]


# Streams.


class Source:
    """An endless stream that knows how much of it was taken."""

    def __init__(self) -> None:
        self.taken = 0

    def __iter__(self) -> Iterator[str]:
        for number in count():
            self.taken += 1
            yield f"text {number}"

    async def __aiter__(self) -> AsyncIterator[str]:
        for text in self:
            await asyncio.sleep(0)
            yield text


def test_a_stream_is_taken_only_as_fast_as_it_is_read(embedder: Embedder) -> None:
    """Never more than one window ahead of the consumer: memory stays bounded."""
    source = Source()
    vectors = embedder.using(window=7).embed_iter(source)

    assert source.taken == 0
    for number, vector in zip(range(30), vectors, strict=False):
        assert source.taken == 7 * (number // 7 + 1)
        assert np.array_equal(vector, EXPECTED.embed_documents([f"text {number}"])[0])


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_an_async_stream_is_taken_only_as_fast_as_it_is_read(
    embedder: Embedder, kind: str
) -> None:
    """The same for the twin, from a sync source as from an async one."""
    source = Source()
    inputs: Any = iter(source) if kind == "sync" else aiter(source)
    vectors = embedder.using(window=7).aembed_iter(inputs)
    number = 0
    async for vector in vectors:
        assert source.taken == 7 * (number // 7 + 1)
        assert np.array_equal(vector, EXPECTED.embed_documents([f"text {number}"])[0])
        number += 1
        if number == 30:
            break
    await vectors.aclose()


@pytest.mark.parametrize("form", ["generator", "object"])
@pytest.mark.parametrize("method", ["aembed_iter", "aembed_windows"])
async def test_an_async_source_is_closed_with_its_reader(
    embedder: Embedder, method: str, form: str
) -> None:
    """By the task that reads, before the reader's end: a timeout or session of its own is left."""
    ended: list[Any] = []

    class Reading:
        async def __aiter__(self) -> AsyncIterator[str]:
            try:
                async with asyncio.timeout(None):  # belongs to the task
                    for text in TEXTS:
                        yield text
            finally:
                await asyncio.sleep(0)
                ended.append(asyncio.current_task())

    source: Any = Reading() if form == "object" else aiter(Reading())
    async with aclosing(getattr(embedder.using(window=7), method)(source)) as results:
        async for _ in results:
            break

    assert ended == [asyncio.current_task()]


async def test_an_async_source_is_closed_after_an_error(embedder: Embedder) -> None:
    """The error of a window reaches the caller when the source has ended."""
    ended = []

    async def source() -> AsyncIterator[Any]:
        try:
            yield "a"
            yield None
        finally:
            await asyncio.sleep(0)
            ended.append(True)

    with pytest.raises(InvalidInputError, match="Input 1"):
        await gathered(embedder.using(window=2).aembed_iter(source()))

    assert ended


async def test_a_stream_that_is_no_generator_stays_open(embedder: Embedder) -> None:
    """Who made it closes it: a queue's other end may have more readers."""

    class Queue:
        closed = False

        def __aiter__(self) -> Any:
            return self

        async def __anext__(self) -> str:
            return "a"

        async def aclose(self) -> None:
            self.closed = True

    queue = Queue()
    async with aclosing(embedder.using(window=2).aembed_iter(queue)) as vectors:
        await anext(vectors)

    assert not queue.closed


SAID: ContextVar[str] = ContextVar("SAID", default="nothing")


async def gathered(stream: Any) -> list[Any]:
    return [one async for one in stream]


@pytest.mark.parametrize(
    "read",
    [
        pytest.param(lambda embedder, texts: embedder.aembed_documents(texts), id="documents"),
        pytest.param(lambda embedder, texts: embedder.aembed(texts, role="query"), id="embed"),
        pytest.param(lambda embedder, texts: gathered(embedder.aembed_iter(texts)), id="iter"),
        pytest.param(
            lambda embedder, texts: gathered(embedder.aembed_windows(texts)), id="windows"
        ),
    ],
)
async def test_a_generator_never_blocks_the_event_loop(
    embedder: Embedder, read: Callable[[Embedder, Any], Any]
) -> None:
    """It may read files: every async method advances it in a thread, with the context variables."""
    seen: list[tuple[bool, str]] = []

    def texts() -> Iterator[str]:
        for text in TEXTS:
            seen.append((threading.get_ident() == loops, SAID.get()))
            yield text

    loops = threading.get_ident()
    SAID.set("something")
    await read(embedder.using(window=7), texts())

    assert seen == [(False, "something")] * len(TEXTS)


async def test_an_error_of_a_generator_is_its_own() -> None:
    """What it raises in the thread reaches the caller."""

    def texts() -> Iterator[str]:
        yield "a"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await gathered(EXPECTED.aembed_iter(texts()))


class RefusingModel(FakeModel):
    """Refuses one text."""

    def embed_batch(self, batch: Batch) -> BatchResult:
        refuse_poison(batch)
        return super().embed_batch(batch)


class RemoteRefusingModel(RemoteFakeModel):
    """The same behind a wire."""

    async def embed_batch(self, batch: Batch) -> BatchResult:
        refuse_poison(batch)
        return await super().embed_batch(batch)


def refuse_poison(batch: Batch) -> None:
    if "poison" in batch.texts:
        raise InvalidInputError("It is poison.", index=batch.texts.index("poison"))


@pytest.mark.parametrize("length", [0, 1, 6, 7, 8, 14, 20])
async def test_a_stream_gives_one_vector_per_input(embedder: Embedder, length: int) -> None:
    """Also where it ends at, before or after the end of a window."""

    async def stream() -> AsyncIterator[str]:
        for text in TEXTS[:length]:
            yield text

    small = embedder.using(window=7)
    expected = EXPECTED.embed_queries(TEXTS[:length]).tolist()

    assert [v.tolist() for v in small.embed_iter(iter(TEXTS[:length]), role="query")] == expected
    assert [v.tolist() async for v in small.aembed_iter(stream(), role="query")] == expected


async def test_an_error_in_a_stream_names_the_place_in_the_stream(embedder: Embedder) -> None:
    """Not the place in the window; what came before it was handed out already."""
    inputs: list[Any] = [*TEXTS[:9], None, *TEXTS]
    got: list[Any] = []

    def read() -> None:
        got.extend(embedder.using(window=4).embed_iter(inputs))

    async def aread() -> None:
        async for vector in embedder.using(window=4).aembed_iter(inputs):
            got.append(vector)  # noqa: PERF401  # what came before the error must stay

    with pytest.raises(InvalidInputError, match="Input 9"):
        read()
    with pytest.raises(InvalidInputError, match="Input 9"):
        await aread()

    assert len(got) == 16


@pytest.mark.parametrize(
    "model", [RefusingModel("small"), RemoteRefusingModel("small")], ids=["local", "remote"]
)
async def test_what_an_error_in_a_stream_carries_counts_in_the_stream(
    model: EmbeddingModel,
) -> None:
    """`partial` says where its window begins, and the errors in it name places in the stream."""
    embedder = Embedder(model).using(window=4, batch_size=1, max_concurrency=1)
    inputs = [*TEXTS[:9], "poison", "a"]
    with pytest.raises(InvalidInputError, match="Input 9") as caught:
        list(embedder.embed_iter(inputs))
    with pytest.raises(InvalidInputError, match="Input 9") as acaught:
        [vector async for vector in embedder.aembed_iter(inputs)]

    for error in (caught.value, acaught.value):
        assert error.partial.start == 8
        assert error.partial.ok.tolist() == [True, False, False]
        assert "Input 9" in str(error.partial.errors[1])


@given(length=st.integers(0, 30), window=st.integers(1, 12))
def test_windows_of_a_stream_are_results_in_order(length: int, window: int) -> None:
    """Each knows where it starts; together they are the whole stream."""
    inputs = [f"text {number}" for number in range(length)]
    results = list(EXPECTED.using(window=window).embed_windows(iter(inputs), role="query"))

    assert [result.start for result in results] == list(range(0, length, window))
    assert [len(result) for result in results[:-1]] == [window] * (len(results) - 1)
    assert [v.tolist() for result in results for v in result.vectors] == [
        vector.tolist() for vector in EXPECTED.embed_queries(inputs)
    ]


@pytest.mark.parametrize("kind", ["list", "async"])
async def test_windows_have_an_async_twin(embedder: Embedder, kind: str) -> None:
    """It gives the same results, from a list as from an async stream."""

    async def stream() -> AsyncIterator[str]:
        for text in TEXTS:
            yield text

    small = embedder.using(window=7)
    results = [r async for r in small.aembed_windows(TEXTS if kind == "list" else stream())]

    assert [result.start for result in results] == [0, 7, 14]
    for ours, theirs in zip(results, small.embed_windows(TEXTS), strict=True):
        assert np.array_equal(ours.vectors, theirs.vectors)
        assert ours.usage == theirs.usage


def test_a_text_file_is_a_stream_of_its_lines(embedder: Embedder) -> None:
    """Only where images are due is an open file one input."""
    vectors = list(embedder.embed_iter(StringIO("a\nb\n")))

    assert np.array_equal(vectors, EXPECTED.embed_documents(["a\n", "b\n"]))


async def test_collected_errors_of_a_window_name_positions_in_the_stream(
    embedder: Embedder,
) -> None:
    """In the result they stand by row, as in any result; equal inputs have an error each."""
    inputs: list[Any] = ["a", "b", "c", None, "", "", "d"]
    careful = embedder.using(window=3, errors="collect")
    read = list(careful.embed_windows(inputs))
    aread = [result async for result in careful.aembed_windows(inputs)]

    for results in (read, aread):
        assert [list(result.errors) for result in results] == [[], [0, 1, 2], []]
        found: Any = results[1].errors
        assert [found[row].index for row in found] == [3, 4, 5]
        with pytest.raises(InvalidInputError, match="Input 4"):
            results[1][1]


def test_a_stream_can_go_on_past_bad_inputs(embedder: Embedder) -> None:
    """Collecting, they are NaN at their place, and the width is the same in every window."""
    inputs: list[Any] = [None, None, "a", None, "b"]
    vectors = list(embedder.using(window=2, errors="collect").embed_iter(inputs))

    assert [bool(np.isnan(vector).all()) for vector in vectors] == [True, True, False, True, False]
    assert {vector.shape for vector in vectors} == {(8,)}


def test_an_error_of_the_source_is_the_callers(embedder: Embedder) -> None:
    """What the source raises comes out as it is."""

    def source() -> Iterator[str]:
        yield "a"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(embedder.embed_iter(source()))
    with pytest.raises(ZeroDivisionError):
        embedder.embed_documents(source())


# Explanations.


@pytest.mark.parametrize(
    ("truncates", "text"),
    [(True, "short"), (True, "word " * 50), (False, "short"), (False, "word " * 50)],
)
@pytest.mark.parametrize("role", ["query", "document"])
def test_an_explanation_is_what_is_sent(
    any_model: Any, truncates: bool, text: str, role: Any
) -> None:
    """The very string, its tokens and whether it is cut; and the model is not called for it."""
    model = any_model(
        prompts={"query": "Q: ", "document": ""},
        max_tokens_per_input=60,
        truncates=truncates,
        count=len,
    )
    embedder = Embedder(model)
    explained = embedder.explain(text, role)
    assert model.batches == []
    result = embedder.embed([text], role=role)

    assert [explained.sent] == model.batches[0].texts
    assert explained.prompt == model.batches[0].prompt
    assert explained.truncated == result.truncated[0]
    assert (explained.tokens, explained.max_tokens) == (len(explained.prompt + text), 60)
    assert (explained.role, explained.task, explained.estimated) == (role, None, False)


def test_an_explanation_says_that_it_is_an_estimate(embedder: Embedder) -> None:
    """Where the model cannot count offline."""
    assert embedder.explain(Text("some text"), "query").estimated


@pytest.mark.parametrize("text", ["", None, b"a", "\ud800", 5], ids=repr)
def test_what_cannot_be_embedded_cannot_be_explained(embedder: Embedder, text: Any) -> None:
    """With the same error as embedding it."""
    with pytest.raises(InvalidInputError):
        embedder.explain(text, "query")


# Itself.


def test_using_changes_a_copy() -> None:
    """Other settings, cache or listeners around the same model; the first one stays as it is."""
    cache = MemoryCache()
    first = Embedder(FakeModel("small"), settings=Settings(batch_size=3), cache=cache)
    second = first.using(errors="collect", cache=None)

    assert second.model is first.model
    assert (second.settings.batch_size, second.settings.errors) == (3, "collect")
    assert (first.settings.errors, first.cache, second.cache) == ("raise", cache, None)
    assert second.using().cache is None


@pytest.mark.parametrize("changes", [{"bach_size": 1}, {"batch_size": 0}, {"model": 1}])
def test_using_takes_only_settings(changes: Any) -> None:
    """With the same errors as loading."""
    with pytest.raises(InvalidOptionError):
        Embedder(FakeModel("small")).using(**changes)


def test_a_configuration_is_json_and_makes_the_same_embedder() -> None:
    """What was set, and nothing else."""
    first = load_embedder("fake:small", seed=3, dimensions=4, batch_size=2)
    config = json.loads(json.dumps(first.to_config()))
    second = Embedder.from_config(config)

    assert config == {
        "model": "fake:small",
        "options": {"seed": 3, "dimensions": 4},
        "settings": {"batch_size": 2},
    }
    assert second.fingerprint == first.fingerprint
    assert second.settings == first.settings
    assert np.array_equal(second.embed_query("a"), first.embed_query("a"))


@pytest.mark.parametrize(
    ("config", "error"),
    [
        ({}, InvalidOptionError),
        ({"model": "fake:small", "nonsense": 1}, InvalidOptionError),
        ({"model": "fake:small", "options": {"nonsense": 1}}, InvalidOptionError),
        ({"model": "fake:small", "settings": {"nonsense": 1}}, InvalidOptionError),
        ({"model": "nonsense:small"}, UnknownProviderError),
    ],
)
def test_a_wrong_configuration_is_refused(config: Any, error: type[Exception]) -> None:
    """By what is wrong with it."""
    with pytest.raises(error):
        Embedder.from_config(config)


@pytest.mark.parametrize("model", [FakeModel("small", seed=3), RemoteFakeModel("small", seed=3)])
def test_an_embedder_travels_by_its_configuration(model: Any) -> None:
    """To another process, where it makes the same vectors; a cache in memory stays here, and says so."""
    first = Embedder(model, settings=Settings(batch_size=2), cache=MemoryCache())
    first.embed_query("a")
    with pytest.warns(RuntimeWarning, match=r"MemoryCache\) stays in this process") as caught:
        pickled = pickle.dumps(first)
    assert (pickle.dumps(first), len(caught)) == (pickled, 1)  # it is said once
    code = (
        "import pickle, sys; embedder = pickle.load(sys.stdin.buffer);"
        "print(embedder.fingerprint, embedder.settings.batch_size, embedder.cache,"
        " embedder.embed_query('a').tolist())"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], input=pickled, capture_output=True, check=True
    )

    expected = f"{first.fingerprint} 2 None {first.embed_query('a').tolist()}"
    assert answer.stdout.decode().strip() == expected


class Loud(Embedder):
    """A user's subclass, whose constructor takes other arguments."""

    def __init__(self, name: str, prefix: str) -> None:
        super().__init__(FakeModel(name))
        self.prefix = prefix

    def embed(self, inputs: Any, **how: Any) -> EmbeddingResult:
        return super().embed([f"{self.prefix}{text}" for text in inputs], **how)


@pytest.mark.parametrize(
    "copied",
    [
        pytest.param(lambda one: one.using(batch_size=1), id="using"),
        pytest.param(lambda one: load_embedder(one, batch_size=1), id="load_embedder"),
        pytest.param(lambda one: pickle.loads(pickle.dumps(one)), id="pickle"),
        pytest.param(copy.copy, id="copy"),
    ],
)
def test_a_subclass_stays_one(copied: Callable[[Loud], Loud]) -> None:
    """With what it keeps: its methods would else be skipped without a word."""
    first = Loud("small", prefix="x: ")
    second = copied(first)

    assert (type(second), second.prefix) == (Loud, "x: ")
    assert np.array_equal(second.embed_documents(["a"]), EXPECTED.embed_documents(["x: a"]))
    assert second.fingerprint == first.fingerprint


async def test_every_method_takes_a_task() -> None:
    """It reaches the model, from the short methods too."""
    model = RecordingModel("small")
    embedder, image = Embedder(model), Image.from_bytes(tiny_png())
    embedder.embed_documents(["a"], task="clustering")
    embedder.embed_queries(["a"], task="clustering")
    embedder.embed_query("a", task="clustering")
    embedder.embed_images([image], task="clustering")
    await embedder.aembed_documents(["a"], task="clustering")
    await embedder.aembed_queries(["a"], task="clustering")
    await embedder.aembed_query("a", task="clustering")
    await embedder.aembed_images([image], task="clustering")

    assert [batch.task for batch in model.batches] == ["clustering"] * 8


@pytest.mark.parametrize("way", ["pickle", "from_config", "load_embedder"])
@pytest.mark.parametrize("given", ["path", "relative path", "DiskCache", "True"])
def test_a_cache_in_a_file_travels(
    way: str, given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that stands in another folder reads the same file, and what it writes stays."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EMBEDBRIDGE_CACHE_DIR", str(tmp_path))
    cache: Any = {
        "path": tmp_path / "vectors.sqlite",
        "relative path": "vectors.sqlite",
        "DiskCache": DiskCache("vectors.sqlite", max_bytes=10**6),
        "True": True,
    }[given]
    first: Any = load_embedder("fake:small", seed=3, cache=cache)
    first.embed_documents(["a", "b"])
    sent = pickle.dumps(first) if way == "pickle" else json.dumps(first.to_config()).encode()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")  # as a worker may do
    makers: dict[str, Callable[[], Embedder]] = {
        "pickle": lambda: pickle.loads(sent),
        "from_config": lambda: Embedder.from_config(json.loads(sent)),
        "load_embedder": lambda: load_embedder(json.loads(sent)),
    }
    second = makers[way]()
    second.embed_documents(["c"])

    assert second.embed(["a", "b"], role="document").cached == 2
    assert first.embed(["c"], role="document").cached == 1
    caches: list[Any] = [second.cache, first.cache]
    assert len({(one.path, one.max_bytes) for one in caches}) == 1
    assert not list((tmp_path / "elsewhere").iterdir())


class FileLimiter:
    """A user's own, with its books in a file."""

    def __init__(self, books: str) -> None:
        self.books = books

    def acquire(self, tokens: int) -> Ticket:
        with Path(self.books).open("a") as file:
            file.write(f"{tokens}\n")
        return Ticket()

    async def acquire_async(self, tokens: int) -> Ticket:
        return self.acquire(tokens)


def test_a_limiter_whose_books_are_elsewhere_travels(tmp_path: Path) -> None:
    """The copy writes to the same books; a limiter of this process stays here, and says so."""
    books = tmp_path / "books"
    first = Embedder(RemoteFakeModel("small"), limiter=FileLimiter(str(books)))
    first.embed_query("a")
    pickle.loads(pickle.dumps(first)).embed_query("a")

    assert len(books.read_text().splitlines()) == 2
    with pytest.warns(RuntimeWarning, match=r"RateLimiter\) stays in this process"):
        twin = pickle.loads(pickle.dumps(first.using(limiter=RateLimiter())))
    assert twin.limiter is None


def test_a_cache_beside_a_configuration_wins(tmp_path: Path) -> None:
    """`cache=False` means none, another cache means that one, and nonsense is refused."""
    config = load_embedder("fake:small", cache=tmp_path / "v.sqlite").to_config()
    other = MemoryCache()

    assert load_embedder(config, cache=False).cache is None
    assert load_embedder(config, cache=other).cache is other
    assert isinstance(load_embedder({"model": "fake:small", "cache": True}).cache, DiskCache)
    with pytest.raises(InvalidOptionError, match="cache"):
        load_embedder({"model": "fake:small", "cache": {"host": "redis"}})


async def test_closing_reaches_the_model_and_is_not_the_end() -> None:
    """A context manager closes, sync or async; a model that is used again opens anew."""
    closed: list[str] = []
    here = threading.current_thread()

    class Local(FakeModel):
        def close(self) -> None:
            closed.append("local" if threading.current_thread() is here else "local, in a thread")

    class Remote(RemoteFakeModel):
        async def aclose(self) -> None:
            closed.append("remote")

    for model in (Local("small"), Remote("small")):
        with Embedder(model) as embedder:
            embedder.embed_query("a")
        assert embedder.embed_query("a").shape == (8,)
        async with Embedder(model) as embedder:
            await embedder.aembed_query("a")
        assert (await embedder.aembed_query("a")).shape == (8,)

    assert closed == ["local", "local, in a thread", "remote", "remote"]


def test_an_embedder_says_what_it_is(embedder: Embedder) -> None:
    """Provider and model, in its repr; the card and the width as properties."""
    assert repr(embedder) == "Embedder(fake:small)"
    assert (embedder.dimensions, embedder.card.name) == (8, "small")


def test_the_identity_is_worked_out_once() -> None:
    """A digest of gigabytes of weights is made once, however many threads ask at first."""
    calls: list[int] = []

    class Expensive(FakeModel):
        def identity(self) -> Any:
            calls.append(1)
            return super().identity()

    embedder = Embedder(Expensive("small"))
    with ThreadPoolExecutor(8) as pool:
        fingerprints = set(pool.map(lambda _: embedder.fingerprint, range(8)))
    embedder.using(batch_size=1).embed_query("a")

    assert len(fingerprints) == len(calls) == 1


def test_everything_in_one_job() -> None:
    """Texts, images, mixed inputs, duplicates, bad and empty ones, in many batches, both ways."""
    inputs: list[Any] = [*TEXTS, *IMAGES, Mixed("a", IMAGES[0]), None, "", TEXTS[3], IMAGES[2]] * 3
    made = [
        Embedder(model, cache=MemoryCache(), settings=Settings(errors="collect", batch_size=4))
        for model in (RecordingModel("small"), RemoteFakeModel("small"))
    ]
    one, two = (embedder.embed(inputs, role="document") for embedder in made)

    assert np.array_equal(one.vectors, two.vectors, equal_nan=True)
    assert sorted(one.errors) == sorted(two.errors)
    assert len(one.errors) == 6
    assert one.usage == two.usage


@pytest.mark.parametrize("kind", [RecordingModel, RemoteFakeModel])
async def test_batches_are_handed_on_as_they_come(kind: type[FakeModel]) -> None:
    """`on_batch` gets each vector once, by its position in the stream; what has an error, never."""
    embedder = Embedder(kind("small"), settings=Settings(window=5, errors="collect", batch_size=2))
    inputs = ["a", "", "b", "a", "c", "d", "e", "d", "  ", "f"]
    found: dict[int, np.ndarray] = {}
    again: dict[int, np.ndarray] = {}

    def keep(into: dict[int, np.ndarray]) -> Any:
        return lambda at, rows, cut: into.update(zip(at.tolist(), rows, strict=True))

    windows = list(embedder.embed_windows(iter(inputs), on_batch=keep(found)))
    async for _ in embedder.aembed_windows(iter(inputs), on_batch=keep(again)):
        pass

    vectors = np.concatenate([window.vectors for window in windows])
    assert sorted(found) == sorted(again) == [0, 2, 4, 5, 6, 9]
    assert all(np.array_equal(row, vectors[at]) for at, row in found.items())


@pytest.mark.parametrize("kind", [RecordingModel, RemoteFakeModel])
def test_what_on_batch_raises_ends_the_job(kind: type[FakeModel]) -> None:
    """A full disk is no failure of the model: no input is tried alone, and none gets an error."""
    embedder = Embedder(kind("small"), settings=Settings(errors="collect", batch_size=2))
    calls = []

    def fail(*batch: object) -> None:
        calls.append(batch)
        raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space left"):
        embedder.embed(["a", "b", "c", "d"], role="document", on_batch=fail)

    assert len(calls) <= 2


@pytest.mark.parametrize("text", ["cat.png", Text("cat.png"), "https://example.com/cat.png"])
async def test_a_text_is_no_image(embedder: Embedder, text: Any) -> None:
    """The words of a path had a vector, and the adapters' methods of this name take paths."""
    given: Any = [IMAGES[0], text, IMAGES[1]]
    for kind in (list, iter):
        with pytest.raises(InvalidInputError, match=r"Input 1: A text is no image.*from_path"):
            embedder.embed_images(kind(given))
        with pytest.raises(InvalidInputError, match=r"Input 1: A text is no image.*from_path"):
            await embedder.aembed_images(kind(given))
    collecting = embedder.using(errors="collect")
    vectors = collecting.embed_images(given)

    assert np.isnan(vectors).any(axis=1).tolist() == [False, True, False]
    with pytest.raises(InvalidInputError, match="single str"):
        embedder.embed_images(text if isinstance(text, str) else "cat.png")  # type: ignore[arg-type]


# What it is made of.


@pytest.mark.parametrize("wrong", ["fake:small", FakeModel, Embedder(FakeModel("small")), None, 5])
def test_what_is_no_model_is_refused_at_once(wrong: Any) -> None:
    """Not with the first text, in words of Python; the error says who takes names."""
    with pytest.raises(ConfigurationError, match=r"is no model.*load_embedder"):
        Embedder(wrong)


def test_settings_are_settings() -> None:
    """A mapping looked like some until they were used."""
    wrong: Any = {"batch_size": 8}
    with pytest.raises(InvalidOptionError, match=r"settings is dict.*Settings\(batch_size=8\)"):
        Embedder(FakeModel("small"), settings=wrong)


@pytest.mark.parametrize("inputs", [["a", "b", "c"], ["a", "", "c"], ["a", None, "c"]])
def test_a_result_has_no_slices(inputs: Any) -> None:
    """They could not raise the error of an input; there is `vectors` for that."""
    embedder = Embedder(FakeModel("small"), settings=Settings(errors="collect", on_empty="skip"))
    result: Any = embedder.embed(inputs, role="document")
    with pytest.raises(TypeError, match="slice"):
        result[0:2]
    assert np.array_equal(result[-1], result.vectors[2])
