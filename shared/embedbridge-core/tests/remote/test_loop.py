"""One background loop per process: sync code works anywhere, and no client meets a closed loop."""

import asyncio
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from textwrap import dedent
from typing import Any

import numpy as np
import pytest

from embedbridge.contract import Batch, BatchResult, ConfigurationError
from embedbridge.core import Embedder, RateLimiter, Ticket
from embedbridge.core.remote.loop import BackgroundLoop, background_loop
from embedbridge.testing import FakeModel, RemoteFakeModel

TEXTS = [f"text {number}" for number in range(50)]
EXPECTED = Embedder(FakeModel("small")).embed_documents(TEXTS)

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")


class LoopBoundModel(RemoteFakeModel):
    """Like a real client: it belongs to the loop that it was first used on."""

    def __init__(self, name: str = "small") -> None:
        super().__init__(name)
        self.loops: set[int] = set()
        self.threads: set[str] = set()
        self._lock = asyncio.Lock()

    async def embed_batch(self, batch: Batch) -> BatchResult:
        async with self._lock:  # raises on any other loop once somebody waits for it
            self.loops.add(id(asyncio.get_running_loop()))
            self.threads.add(threading.current_thread().name)
            await asyncio.sleep(0)
            return self.make_up(batch)


def test_all_calls_are_made_on_one_loop_in_one_thread() -> None:
    """From this thread, from others, sync and async: a client exists once."""
    model = LoopBoundModel()
    embedder = Embedder(model).using(batch_size=5)
    embedder.embed_documents(TEXTS)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(embedder.embed_query, TEXTS))
    asyncio.run(embedder.aembed_documents(TEXTS[::-1]))

    assert len(model.loops) == 1
    assert model.threads == {"embedbridge-loop"}


@pytest.mark.parametrize("model", [LoopBoundModel(), FakeModel("small")], ids=["remote", "local"])
def test_one_embedder_outlives_many_event_loops(model: Any) -> None:
    """Three `asyncio.run` on one object: no "event loop is closed"."""
    embedder = Embedder(model)
    for _ in range(3):
        assert np.array_equal(asyncio.run(embedder.aembed_documents(TEXTS)), EXPECTED)


@pytest.mark.parametrize("model", [LoopBoundModel(), FakeModel("small")], ids=["remote", "local"])
def test_several_loops_use_one_embedder_at_once(model: Any) -> None:
    """Four threads, each with a loop of its own."""
    embedder = Embedder(model).using(batch_size=5)
    start = threading.Barrier(4)

    def run(_: int) -> bool:
        async def work() -> bool:
            start.wait()
            answers = await asyncio.gather(*(embedder.aembed_documents(TEXTS) for _ in range(3)))
            return all(np.array_equal(answer, EXPECTED) for answer in answers)

        return asyncio.run(work())

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(run, range(4)))


@pytest.mark.parametrize("model", [LoopBoundModel(), FakeModel("small")], ids=["remote", "local"])
async def test_sync_methods_work_inside_a_running_loop(model: Any) -> None:
    """As in a notebook: no nested loop, no patching."""
    assert np.array_equal(Embedder(model).embed_documents(TEXTS), EXPECTED)


async def test_a_sync_call_from_the_background_loop_is_refused() -> None:
    """It would wait for itself for ever; the message says what to do instead."""
    inner = Embedder(RemoteFakeModel())

    class Wrapping(RemoteFakeModel):
        async def embed_batch(self, batch: Batch) -> BatchResult:
            return BatchResult(vectors=inner.embed_documents(batch.texts))

    with pytest.raises(ConfigurationError, match="async twin"):
        Embedder(Wrapping()).embed_documents(["a"])


def test_a_model_may_await_another_embedder() -> None:
    """The async twin works on the background loop, for remote and local models inside."""
    for inner in (Embedder(RemoteFakeModel()), Embedder(FakeModel("small"))):

        class Wrapping(RemoteFakeModel):
            async def embed_batch(self, batch: Batch, inner: Embedder = inner) -> BatchResult:
                return BatchResult(vectors=await inner.aembed_documents(batch.texts))

        assert np.array_equal(Embedder(Wrapping()).embed_documents(TEXTS), EXPECTED)


def test_the_loop_waits_for_no_model() -> None:
    """While one request is in flight, another model is served."""
    gate = asyncio.Event()

    class Slow(RemoteFakeModel):
        async def embed_batch(self, batch: Batch) -> BatchResult:
            await gate.wait()
            return self.make_up(batch)

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(Embedder(Slow()).embed_query, "a")
        Embedder(RemoteFakeModel()).embed_query("b")
        assert not slow.done()
        background_loop()._loop.call_soon_threadsafe(gate.set)
        assert slow.result().shape == (8,)


@pytest.mark.parametrize("raised", [SystemExit(3), KeyboardInterrupt()], ids=["exit", "interrupt"])
def test_the_loop_outlives_a_model_that_exits(raised: BaseException) -> None:
    """Its caller is told; asyncio also stops the loop, and the others waited for ever."""
    asked = asyncio.Event()

    class Exits(RemoteFakeModel):
        async def embed_batch(self, batch: Batch) -> BatchResult:
            asked.set()
            raise raised

    class Waits(RemoteFakeModel):
        async def embed_batch(self, batch: Batch) -> BatchResult:
            await asked.wait()
            return self.make_up(batch)

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(Embedder(Waits()).embed_documents, TEXTS)
        with pytest.raises(type(raised)) as caught:
            Embedder(Exits()).embed_query("a")

        assert caught.value is raised
        assert np.array_equal(other.result(), EXPECTED)


async def test_context_variables_reach_listeners_and_models() -> None:
    """Tracing hangs its spans on the caller's context."""
    import contextvars

    from embedbridge.contract import hookimpl

    user = contextvars.ContextVar("user", default="nobody")
    seen: set[str] = set()

    class Listener:
        @hookimpl
        def embedbridge_event(self, event: object) -> None:
            seen.add(user.get())

    class Asking(RemoteFakeModel):
        async def embed_batch(self, batch: Batch) -> BatchResult:
            seen.add(user.get())
            return self.make_up(batch)

    class Asked(RateLimiter):
        async def acquire_async(self, tokens: int) -> Ticket:
            seen.add(user.get())
            return await super().acquire_async(tokens)

    user.set("alice")
    for model in (Asking(), FakeModel("small")):
        for limiter in (None, Asked()):
            embedder = Embedder(model, listeners=[Listener()], limiter=limiter)
            await embedder.aembed_query("a")
            embedder.embed_query("b")

    assert seen == {"alice"}


async def test_what_a_listener_sets_it_finds_again() -> None:
    """A span that it attached when a job began is detached when it ends, also after a limiter."""
    import contextvars

    from embedbridge.contract import hookimpl
    from embedbridge.contract.events import JobFinished, JobStarted

    span = contextvars.ContextVar("span", default=0)
    tokens: list[contextvars.Token[int]] = []

    class Listener:
        @hookimpl
        def embedbridge_event(self, event: object) -> None:
            if isinstance(event, JobStarted):
                tokens.append(span.set(1))
            elif isinstance(event, JobFinished):
                span.reset(tokens[-1])  # raises in another context
                tokens.pop()

    for model in (RemoteFakeModel(), FakeModel("small")):
        embedder = Embedder(model, listeners=[Listener()], limiter=RateLimiter())
        await embedder.using(batch_size=5).aembed_documents(TEXTS)

    assert not tokens


def run_script(code: str) -> str:
    """What a process of its own prints; it must not complain."""
    answer = subprocess.run(
        [sys.executable, "-W", "error", "-c", dedent(code)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (answer.returncode, answer.stderr) == (0, "")
    return answer.stdout


@pytest.mark.heavy
@needs_fork
@pytest.mark.parametrize("model", ["RemoteFakeModel('small')", "FakeModel('small')"])
@pytest.mark.parametrize("busy", [False, True], ids=["idle parent", "parent busy in a thread"])
def test_a_forked_child_starts_afresh(model: str, busy: bool) -> None:
    """After a fork, sync and async calls work in the child, and still in the parent."""
    printed = run_script(
        f"""
        import asyncio, os, sys, threading, warnings
        warnings.simplefilter("ignore", DeprecationWarning)  # that this process has threads
        from embedbridge.core import Embedder, RateLimiter, Ticket
        from embedbridge.contract import Image
        from embedbridge.testing import FakeModel, RemoteFakeModel, tiny_png

        embedder = Embedder({model}).using(batch_size=2)
        images = [Image.from_bytes(tiny_png(n)) for n in range(5)]
        pictured = embedder.embed_images(images).tolist()
        texts = [str(n) for n in range(9)]
        expected = embedder.embed_documents(texts).tolist()
        asyncio.run(embedder.aembed_documents(texts))
        stop = threading.Event()

        def work():
            while not stop.is_set():
                embedder.embed_documents(texts)

        threads = [threading.Thread(target=work) for _ in range(4 if {busy} else 0)]
        for thread in threads:
            thread.start()
        wrong = 0
        for _ in range(5):
            child = os.fork()
            if child == 0:
                same = embedder.embed_documents(texts).tolist() == expected
                later = asyncio.run(embedder.aembed_documents(texts)).tolist() == expected
                seen = embedder.embed_images(images).tolist() == pictured
                os._exit(0 if same and later and seen else 1)
            wrong += os.waitpid(child, 0)[1] != 0
        stop.set()
        for thread in threads:
            thread.join()
        print(wrong, embedder.embed_documents(texts).tolist() == expected)
        """
    )

    assert printed == "0 True\n"


def test_a_process_ends_quietly() -> None:
    """The background loop keeps no process alive and complains about nothing at its end."""
    printed = run_script(
        """
        import asyncio
        from embedbridge.core import Embedder, MemoryCache
        from embedbridge.testing import FakeModel, RemoteFakeModel

        for model in (FakeModel("small"), RemoteFakeModel("small")):
            embedder = Embedder(model, cache=MemoryCache())
            embedder.embed_documents(["a", "b"])
            asyncio.run(embedder.aembed_documents(["c"]))
        print("done")
        """
    )

    assert printed == "done\n"


def test_ctrl_c_in_a_waiting_caller_ends_its_request() -> None:
    """The interrupt reaches the user at once, and nobody pays for the answer any more."""
    if sys.platform == "win32":
        pytest.skip("signals are different there")
    printed = run_script(
        """
        import asyncio, os, signal, sys, threading, traceback
        from embedbridge.contract import Batch, BatchResult
        from embedbridge.core import Embedder, RateLimiter, Ticket
        from embedbridge.core.remote.loop import background_loop
        from embedbridge.testing import RemoteFakeModel

        # Whatever started the tests in the background may have had it ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        cancelled = asyncio.Event()

        def main_thread_waits():
            frame = sys._current_frames()[threading.main_thread().ident]
            return "acquire" in traceback.format_stack(frame)[-1]

        class Hanging(RemoteFakeModel):
            async def embed_batch(self, batch):
                while not main_thread_waits():
                    await asyncio.sleep(0)
                os.kill(os.getpid(), signal.SIGINT)
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    cancelled.set()
                    raise

        try:
            Embedder(Hanging("small")).embed_documents(["a"])
        except KeyboardInterrupt:
            print("interrupted", end=" ")
        print(background_loop().run(cancelled.wait()))
        """
    )

    assert printed == "interrupted True\n"


def test_a_loop_without_a_thread_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python 3.12.0 and 3.12.1 start no thread once the main thread has ended: nothing is left open."""
    loops = []

    def made() -> asyncio.AbstractEventLoop:
        loops.append(asyncio.SelectorEventLoop())
        return loops[-1]

    def starts_none(_: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(asyncio, "new_event_loop", made)
    monkeypatch.setattr(threading.Thread, "start", starts_none)
    with pytest.raises(RuntimeError, match="can't create new thread"):
        BackgroundLoop()

    assert [loop.is_closed() for loop in loops] == [True]
