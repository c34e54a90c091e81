"""One stream of events: complete, discreet, and never in the way of the job."""

import asyncio
import io
import logging
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from embedbridge.contract import (
    AuthenticationError,
    Batch,
    BatchFinished,
    BatchResult,
    Event,
    Image,
    InvalidInputError,
    InvalidOptionError,
    JobFinished,
    JobStarted,
    RateLimitedError,
    RequestTooLargeError,
    hookimpl,
)
from embedbridge.core import Embedder, MemoryCache, TqdmProgress, load_embedder
from embedbridge.testing import FakeModel, FlakyModel, RemoteFakeModel, tiny_png

TEXTS = [f"secret text {number}" for number in range(10)]


class Listener:
    def __init__(self) -> None:
        self.events: list[Any] = []

    @hookimpl
    def embedbridge_event(self, event: Event) -> None:
        self.events.append(event)

    @property
    def batches(self) -> list[BatchFinished]:
        return [event for event in self.events if isinstance(event, BatchFinished)]


@pytest.fixture
def listener() -> Listener:
    return Listener()


def test_a_job_is_told_from_start_to_end(any_model: Any, listener: Listener) -> None:
    """Start, one event per batch, end: of one job, with figures that agree with the result."""
    embedder = Embedder(any_model(), listeners=[listener]).using(batch_size=3)
    result = embedder.embed([*TEXTS, TEXTS[0], TEXTS[1]], role="query")
    started, *batches, finished = listener.events

    assert isinstance(started, JobStarted)
    assert isinstance(finished, JobFinished)
    assert (started.inputs, started.unique, started.cached, started.batches) == (12, 10, 0, 4)
    assert (started.role, started.provider, started.model) == ("query", "fake", "small")
    assert len(batches) == started.batches
    assert sum(batch.inputs for batch in batches) == started.inputs
    assert sum(batch.usage.tokens for batch in batches) == finished.usage.tokens
    assert (finished.usage, finished.requests) == (result.usage, result.requests)
    assert (finished.failed, finished.error) == (0, None)
    assert len({event.job for event in listener.events}) == 1
    assert all(event.seconds >= 0 for event in [*batches, finished])


def test_two_jobs_can_be_told_apart(any_model: Any, listener: Listener) -> None:
    """Each job has a number of its own in the process."""
    embedder = Embedder(any_model(), listeners=[listener])
    embedder.embed_query("a")
    embedder.embed_query("b")

    assert len({event.job for event in listener.events}) == 2


def test_what_the_cache_answers_is_told(any_model: Any, listener: Listener) -> None:
    """A job that pays for nothing has a start and an end, and no batch."""
    embedder = Embedder(any_model(), cache=MemoryCache(), listeners=[listener])
    embedder.embed_documents(TEXTS)
    listener.events.clear()
    embedder.embed_documents(TEXTS)
    started, finished = listener.events

    assert (started.cached, started.batches, finished.requests) == (10, 0, 0)


def test_a_failed_job_ends_too(any_model: Any, listener: Listener) -> None:
    """With the name of the error's class, and nothing of its text."""

    def fail(batch: Batch) -> BatchResult:
        raise AuthenticationError("refused key sk-123")

    model = any_model()
    model.make_up = fail
    with pytest.raises(AuthenticationError):
        Embedder(model, listeners=[listener]).embed_documents(TEXTS)
    _, batch, finished = listener.events

    assert (batch.error, finished.error) == ("AuthenticationError",) * 2
    assert "sk-123" not in repr(listener.events)


@pytest.mark.parametrize("batch_size", [1, 3, 100])
@pytest.mark.parametrize(
    "problem",
    [
        pytest.param(lambda index: InvalidInputError("bad", index=index), id="named culprit"),
        pytest.param(lambda index: InvalidInputError("bad"), id="unnamed culprit"),
        pytest.param(lambda index: RequestTooLargeError("big"), id="too large"),
    ],
)
def test_every_input_is_accounted_for(
    any_model: Any, listener: Listener, problem: Callable[[int], Exception], batch_size: int
) -> None:
    """Collected errors included, however often a batch was cut: the sums are right at the end."""
    inner = FakeModel("small")

    def picky(batch: Batch) -> BatchResult:
        for index, text in enumerate(batch.texts):
            if "poison" in text:
                raise problem(index)
        return inner.make_up(batch)

    model = any_model()
    model.make_up = picky
    texts: list[Any] = ["a", "poison", "b", "poison", "poison 2", "a", ""]
    embedder = Embedder(model, listeners=[listener])
    result = embedder.using(errors="collect", batch_size=batch_size).embed(texts, role="document")
    finished = listener.events[-1]

    assert sorted(result.errors) == [1, 3, 4, 6]
    assert finished.failed == 4
    assert sum(batch.inputs for batch in listener.batches) == 6  # the empty one never set out
    assert sum(batch.inputs for batch in listener.batches if batch.error) == 3


def test_retries_are_told(listener: Listener) -> None:
    """A batch says how many requests it took."""
    failures = [RateLimitedError("slow down", retry_after=0.001) for _ in range(2)]
    Embedder(FlakyModel(failures=failures), listeners=[listener]).embed_query("a")

    assert [batch.attempts for batch in listener.batches] == [3]
    assert listener.events[-1].requests == 3


def test_events_hold_no_content(any_model: Any, listener: Listener) -> None:
    """No text, no image and no vector: only counts and names."""
    image = Image.from_bytes(tiny_png())
    embedder = Embedder(any_model(document_prompt="secret "), listeners=[listener])
    embedder.embed([*TEXTS, image], role="document")
    values = [getattr(event, field.name) for event in listener.events for field in fields(event)]

    assert "secret" not in repr(listener.events)
    assert not [value for value in values if isinstance(value, bytes | list | np.ndarray)]


def test_a_failing_listener_costs_neither_the_job_nor_the_others(
    any_model: Any, listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged; whoever stands before or behind it hears everything."""

    class Failing:
        @hookimpl
        def embedbridge_event(self, event: Event) -> None:
            raise ZeroDivisionError

    other = Listener()
    with caplog.at_level(logging.ERROR):
        Embedder(any_model(), listeners=[listener, Failing(), other]).embed_documents(TEXTS)

    assert len(listener.events) == len(other.events) == 3
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [
        ZeroDivisionError
    ] * 3


def test_one_listener_may_be_given_twice(listener: Listener) -> None:
    """Then it hears everything twice."""
    Embedder(FakeModel("small"), listeners=[listener, listener]).embed_query("a")

    assert len(listener.events) == 6


class Unmarked:
    def embedbridge_event(self, event: Event) -> None:
        raise AssertionError


class Misspelt:
    @hookimpl
    def embedbridge_events(self, event: Event) -> None:
        raise AssertionError


class Waits:
    @hookimpl
    async def embedbridge_event(self, event: Event) -> None:
        raise AssertionError


class AnotherArgument:
    @hookimpl
    def embedbridge_event(self, happened: Event) -> None:
        raise AssertionError


@pytest.mark.parametrize(
    ("listener", "said"),
    [
        pytest.param(print, "builtin_function_or_method is no listener.*hookimpl", id="function"),
        pytest.param(Unmarked(), "Unmarked is no listener.*@hookimpl", id="unmarked"),
        pytest.param(Misspelt(), "Misspelt is no listener", id="misspelt"),
        pytest.param(
            AnotherArgument(), "(?s)AnotherArgument is no listener.*happened", id="argument"
        ),
        pytest.param(Listener, "The class Listener is no listener", id="class"),
        pytest.param(None, "NoneType is no listener", id="nothing"),
        pytest.param(Waits(), "Waits is async.*plain method", id="async"),
    ],
)
def test_a_listener_that_would_never_hear_anything_is_refused(listener: object, said: str) -> None:
    """At once, and not by silence: `load_embedder` and `using` say what to pass."""
    with pytest.raises(InvalidOptionError, match=said):
        load_embedder("fake:small", listeners=[listener])
    with pytest.raises(InvalidOptionError, match=said):
        load_embedder("fake:small").using(listeners=[Listener(), listener])


def test_listeners_are_a_list(listener: Listener) -> None:
    """One alone is refused with our own error."""
    with pytest.raises(InvalidOptionError, match=r"a list, not Listener.*listeners=\[listener\]"):
        load_embedder("fake:small", listeners=listener)  # type: ignore[arg-type]


def test_no_event_comes_after_the_end() -> None:
    """Also where requests are cancelled because one failed."""
    listener = Listener()

    class FailsOnce(RemoteFakeModel):
        async def embed_batch(self, batch: Batch) -> BatchResult:
            if TEXTS[3] in batch.inputs:
                raise AuthenticationError("refused")
            await asyncio.sleep(0)
            return self.make_up(batch)

    embedder = Embedder(FailsOnce(), cache=MemoryCache(), listeners=[listener]).using(batch_size=1)
    for _ in range(20):
        with pytest.raises(AuthenticationError):
            embedder.embed_documents(TEXTS)
    ends = [
        [type(event) for event in listener.events if event.job == job][-1]
        for job in {event.job for event in listener.events}
    ]

    assert ends == [JobFinished] * 20


# The progress bar.


def bar_of(embedder: Embedder, inputs: list[Any], **options: Any) -> str:
    """What the bar looked like at its end."""
    pytest.importorskip("tqdm")
    out = io.StringIO()
    progress = TqdmProgress("Embedding", file=out, mininterval=0, ascii=True, **options)
    embedder.using(listeners=[progress]).embed(inputs, role="document")

    assert progress._bars == {}
    return out.getvalue().replace("\r", "\n").strip().splitlines()[-1]


@pytest.mark.parametrize(
    "inputs",
    [
        pytest.param(TEXTS, id="texts"),
        pytest.param(TEXTS * 3, id="duplicates"),
        pytest.param([*TEXTS, "", None], id="bad inputs"),
        pytest.param(["", None], id="bad inputs only"),
    ],
)
def test_a_bar_counts_the_callers_inputs(any_model: Any, inputs: list[Any]) -> None:
    """It ends at the number of inputs, whatever became of each."""
    embedder = Embedder(any_model()).using(batch_size=3, errors="collect")

    assert f"{len(inputs)}/{len(inputs)}" in bar_of(embedder, inputs)


def test_a_bar_counts_what_the_cache_answers(any_model: Any) -> None:
    """A job that pays for nothing ends at 100 %, too."""
    embedder = Embedder(any_model(), cache=MemoryCache())
    embedder.embed_documents(TEXTS)

    assert "10/10" in bar_of(embedder, TEXTS)


def test_a_bar_closes_when_the_job_fails(any_model: Any) -> None:
    """Where it stood, without pretending that all was done."""
    pytest.importorskip("tqdm")

    def fail(batch: Batch) -> BatchResult:
        raise AuthenticationError("refused")

    model = any_model()
    model.make_up = fail
    out = io.StringIO()
    progress = TqdmProgress(file=out)
    with pytest.raises(AuthenticationError):
        Embedder(model, listeners=[progress]).embed_documents(TEXTS)

    assert progress._bars == {}
    assert out.getvalue().endswith("\n")


def test_a_bar_is_shown_where_it_is_asked_for(
    any_model: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the setting or by the call, which wins; a text is the bar's description."""
    pytest.importorskip("tqdm")
    quiet = Embedder(any_model())
    loud = quiet.using(show_progress=True)
    quiet.embed_documents(TEXTS)
    loud.embed_documents(TEXTS, show_progress=False)
    assert capsys.readouterr().err == ""
    quiet.embed_documents(TEXTS, show_progress="Reading")
    loud.embed_queries(TEXTS)
    shown = capsys.readouterr().err

    assert "Reading: 100%" in shown
    assert "Generating embeddings: 100%" in shown
