"""A time limit that a signal handler raises (RQ, Celery, the recipe with SIGALRM) ends the job."""

from __future__ import annotations

import functools
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import numpy as np
import pytest

from embedbridge.contract import Batch, BatchResult, EmbedBridgeError, Image, hookimpl
from embedbridge.contract.events import BatchFinished, Event
from embedbridge.contract.signals import let_handlers_raise
from embedbridge.core import Embedder
from embedbridge.core.engine.local_driver import local_driver
from embedbridge.testing import FakeModel

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGURG"), reason="signals are different there")


class TimeLimitError(Exception):
    """As the job queues have it: no `BaseException`."""


def plain(*_: object) -> None:
    raise TimeLimitError


class Limit:
    def method(self, *_: object) -> None:
        raise TimeLimitError

    __call__ = method


HANDLERS = {
    "function": plain,
    "lambda": lambda *_: plain(),
    "method": Limit().method,
    "object": Limit(),
    "partial": functools.partial(plain, None),
}


@pytest.fixture
def install() -> Iterator[Callable[[Any], object]]:
    """Takes a handler of the signal."""
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("handlers are called in the main thread")
    before = signal.getsignal(signal.SIGURG)
    yield lambda handler: signal.signal(signal.SIGURG, handler)
    signal.signal(signal.SIGURG, before)


def time_is_up() -> None:
    signal.raise_signal(signal.SIGURG)  # one that ends no process, where nothing handles it


class SlowFile:
    """The signal comes while it is read."""

    def read(self, size: int = -1) -> bytes:
        time_is_up()
        return b""


def test_a_slow_file_object_is_no_bad_image(install: Callable[[Any], object]) -> None:
    """A time limit passes through what turns every error of a file into one of an image."""
    install(plain)
    file: Any = SlowFile()

    with pytest.raises(TimeLimitError):
        Image.from_file(file)


class Interrupted(FakeModel):
    """The signal comes while it computes the batch with this text."""

    wraps = False
    calls: list[list[str]]

    def embed_batch(self, batch: Batch) -> BatchResult:
        self.calls = [*getattr(self, "calls", []), batch.texts]
        if "now" in batch.texts:
            try:
                time_is_up()
            except TimeLimitError as error:
                if self.wraps:
                    raise EmbedBridgeError("The library failed.") from error
                raise
        return super().embed_batch(batch)


@pytest.mark.parametrize("errors", ["raise", "collect"])
@pytest.mark.parametrize("handler", HANDLERS.values(), ids=HANDLERS)
def test_a_time_limit_ends_a_local_job(
    install: Callable[[Any], object], handler: Any, errors: Literal["raise", "collect"]
) -> None:
    """It is raised as it is, and becomes the error of no input; the model goes on working."""
    install(handler)
    model = Interrupted("small")
    embedder = Embedder(model).using(errors=errors, batch_size=1)
    with pytest.raises(TimeLimitError):
        embedder.embed_documents(["one", "now", "two"])

    assert model.calls == [["one"], ["now"]]
    assert np.array_equal(embedder.embed_query("c"), Embedder(FakeModel("small")).embed_query("c"))


def test_a_time_limit_that_a_library_wraps_ends_the_job(install: Callable[[Any], object]) -> None:
    """What the handler raised is the cause of another error, and is what the caller waits for."""
    install(plain)
    model = Interrupted("small")
    model.wraps = True
    with pytest.raises(TimeLimitError):
        Embedder(model).using(errors="collect").embed_documents(["now"])


def test_a_time_limit_ends_a_job_that_counts_tokens(install: Callable[[Any], object]) -> None:
    """Before the first batch it is the same."""

    class Counting(FakeModel):
        def count_tokens(self, texts: Any) -> list[int] | None:
            time_is_up()
            return None

    install(plain)
    with pytest.raises(TimeLimitError):
        Embedder(Counting("small")).using(errors="collect").embed_documents(["a", "b"])


def test_a_time_limit_ends_a_job_that_tells_a_listener(install: Callable[[Any], object]) -> None:
    """What a listener itself raises is logged; this is not its own."""

    class Listener:
        @hookimpl
        def embedbridge_event(self, event: Event) -> None:
            if isinstance(event, BatchFinished):
                time_is_up()

    install(plain)
    with pytest.raises(TimeLimitError):
        Embedder(FakeModel("small"), listeners=[Listener()]).embed_documents(["a"])


@pytest.mark.parametrize("role", ["query", "document"])
def test_a_time_limit_is_not_handed_to_another_thread(
    install: Callable[[Any], object], role: Literal["query", "document"]
) -> None:
    """The main thread computes what another waits for, together with its own or before it."""

    class Serving(FakeModel):
        def embed_batch(self, batch: Batch) -> BatchResult:
            if threading.current_thread() is threading.main_thread():
                assert "other" in batch.texts
                time_is_up()
            return super().embed_batch(batch)

    install(plain)
    embedder = Embedder(Serving("small"))
    driver = local_driver(embedder.model)  # type: ignore[arg-type]
    with ThreadPoolExecutor(1) as others:
        with driver._lock:
            other = others.submit(embedder.embed_documents, ["other"])
            while not driver._waiting:
                time.sleep(0.001)
            with pytest.raises(TimeLimitError):
                embedder.embed(["main"], role=role)

        assert other.result().shape == (1, 8)


def test_an_error_of_the_model_stays_its_own(install: Callable[[Any], object]) -> None:
    """A handler that is there and was not called changes nothing, nor is any called in other threads."""
    install(plain)
    with pytest.raises(ValueError, match="own") as caught:
        int("its own")
    let_handlers_raise(caught.value)

    with ThreadPoolExecutor(1) as thread:
        error = thread.submit(plain).exception()
        assert isinstance(error, TimeLimitError)
        thread.submit(let_handlers_raise, error).result()
