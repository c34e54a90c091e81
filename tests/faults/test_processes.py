"""P: forks, event loops, cancelling, failures beside others. Nothing is mixed, lost or left behind."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embedbridge.contract import Batch, BatchResult, EmbedBridgeError, InvalidInputError
from embedbridge.core import Embedder
from embedbridge.core.tooling import run_sync
from embedbridge.testing import FakeModel, FaultServer, Gate, faults

from .conftest import KEY, MODEL, WIDTH, Load
from .local_models import PROVIDERS, local_model
from .routes import PACKAGES, ROUTES, Route

Right = Callable[..., bool]

TEXTS = ["first", "second", "third"]

FORKING = f"""
import os, sys, threading, warnings
import numpy as np

warnings.simplefilter("ignore", DeprecationWarning)  # that this process has threads
sys.path.insert(0, sys.argv[1])
from embedbridge.core import load_embedder
from embedbridge.testing import FaultServer
from routes import Route

url, package = sys.argv[2:]
embedder = load_embedder("openai:{MODEL}", base_url=url, api_key="{KEY}", dimensions={WIDTH})
doors = [Route(package, is_async).through(embedder) for is_async in (False, True)]
oracle = FaultServer(dimensions={WIDTH})

def wrong(who, count):
    texts = [f"{{who}} {{number}}" for number in range(count)]
    found = [doors[n % 2].documents([text])[0] for n, text in enumerate(texts)]
    return sum(not np.allclose(f, oracle.vector(t, "{MODEL}")) for f, t in zip(found, texts))

assert wrong("warm up", 5) == 0
stop = threading.Event()
parents = []

def go_on():
    while not stop.is_set():
        parents.append(wrong(f"parent {{len(parents)}}", 5))

beside = threading.Thread(target=go_on)
beside.start()
children = []
for child in range(4):
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(min(wrong(f"child {{child}}", 90), 100))
        except BaseException as error:
            print(type(error), error, flush=True)
            os._exit(101)
    children.append(pid)
statuses = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
stop.set()
beside.join()
print(statuses, sum(parents), wrong("afterwards", 5))
"""


@pytest.mark.row("P01")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize("package", PACKAGES)
def test_forked_children_get_their_own_answers(server: FaultServer, package: str) -> None:
    """A warm client, 4 children × 90 requests, sync and async in turn: none is wrong."""
    arguments = [str(Path(__file__).parent), server.url, package]
    ended = subprocess.run(
        [sys.executable, "-c", FORKING, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ended.stdout, ended.stderr) == ("[0, 0, 0, 0] 0 0\n", "")
    assert len(server.requests) >= 360


FORKING_LOCALLY = """
import os, signal, sys, threading, warnings
import numpy as np

warnings.simplefilter("ignore", DeprecationWarning)  # that this process has threads
sys.path.insert(0, sys.argv[1])
from embedbridge.contract import EmbedBridgeError
from embedbridge.core import load_embedder
from embedbridge.testing import real_texts
from routes import PACKAGES, Route

embedder = load_embedder(sys.argv[2])
doors = [Route(package, is_async).through(embedder) for package in PACKAGES for is_async in (0, 1)]
texts = real_texts(12, max_words=60)
expected = embedder.embed_documents(texts)  # several batches, with all threads
stop = threading.Event()

def go_on():
    while not stop.is_set():
        embedder.embed_documents(texts)

def answer(child):
    for door in doors[child % 2 :] + doors[: child % 2]:  # begins with a sync one, or an async one
        found = np.array(door.documents(texts))
        if found.shape != expected.shape or not np.allclose(found, expected, atol=1e-5):
            return 1
    return 0

beside = threading.Thread(target=go_on)
beside.start()
children = []
for child in range(4):
    pid = os.fork()
    if pid == 0:
        signal.alarm(1500)  # a child that hangs ends before the test's own guard, by this signal
        try:
            os._exit(answer(child))
        except EmbedBridgeError as error:
            print(error, flush=True)
            os._exit(2)
        except BaseException as error:
            print(type(error), error, flush=True)
            os._exit(3)
    children.append(pid)
stop.set()
beside.join()
statuses = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
print(statuses, answer(0))
"""


@pytest.mark.row("P02")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize("provider", PROVIDERS)
def test_forked_children_of_a_local_model_answer(provider: str, tmp_path: Path) -> None:
    """Forked while the parent computes: each of 4 children has the right vectors, on each route."""
    arguments = [str(Path(__file__).parent), local_model(provider, tmp_path / "model")]
    ended = subprocess.run(
        [sys.executable, "-c", FORKING_LOCALLY, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.stdout == "[0, 0, 0, 0] 0\n", ended.stderr


@pytest.mark.row("P03")
def test_one_object_outlives_event_loops(load: Load, route: Route, right: Right) -> None:
    """Five loops after each other, or threads for the sync methods: none is too many."""
    door = route.through(load())
    for number in range(5):
        texts = [f"{text} {number}" for text in TEXTS]
        with ThreadPoolExecutor(1) as pool:
            assert right(pool.submit(door.documents, texts).result(), texts)
        assert right(door.documents(texts), texts)


@pytest.mark.row("P04")
@pytest.mark.parametrize("route", [route for route in ROUTES if route.is_async], ids=str)
async def test_cancelling_cancels_the_requests(
    server: FaultServer, load: Load, route: Route
) -> None:
    """The client hangs up, and nothing more is sent."""
    server.always(faults.silent())
    door = route.through(load(batch_size=1, max_concurrency=2))
    job = asyncio.create_task(door.adocuments([f"text {number}" for number in range(10)]))
    await asyncio.to_thread(server.wait_for, 2)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    await asyncio.to_thread(server.wait_until_idle)

    assert len(server.requests) == 2
    await asyncio.to_thread(run_sync, all_others_have_ended())


async def all_others_have_ended() -> None:
    """Waits for the other tasks of this loop: one that never ends is a hang."""
    if others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others)


def pending_tasks() -> int:
    """Tasks that are on the engine's loop at this moment."""

    async def count() -> int:
        return len(asyncio.all_tasks() - {asyncio.current_task()})

    return run_sync(count())


@pytest.mark.row("P05")
def test_a_failure_ends_the_job(server: FaultServer, load: Load, route: Route) -> None:
    """One of four requests is refused: when the error is there, no task is left and none follows."""
    gate = Gate()
    server.play(*[faults.silent()] * 3, after(gate, faults.status(400, "input[0] is malformed")))
    door = route.through(load(batch_size=1, max_concurrency=4))
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(door.documents, [f"text {number}" for number in range(20)])
        server.wait_for(4)
        gate.open()
        with pytest.raises(InvalidInputError):
            job.result()

    assert pending_tasks() == 0
    assert len(server.requests) == 4
    server.wait_until_idle()
    assert len(server.requests) == 4


def after(gate: Gate, fault: Any) -> Any:
    """A fault that waits until all are there."""

    async def play(exchange: Any) -> None:
        await asyncio.shield(asyncio.wrap_future(gate._opened))
        await fault.play(exchange)

    return faults.Fault(f"{fault}-later", play)


@pytest.mark.row("P06")
@pytest.mark.parametrize("limit", [1, 3, 8])
def test_in_flight_never_above_the_limit(
    server: FaultServer, load: Load, route: Route, right: Right, limit: int
) -> None:
    """Two jobs on one object, and never more requests at once than allowed; nor fewer."""
    gate = Gate()
    server.always(gate.fault)
    options = {} if limit == 8 else {"max_concurrency": limit}
    door = route.through(load(batch_size=1, **options))
    jobs = [[f"{job} {number}" for number in range(15)] for job in "ab"]
    with ThreadPoolExecutor(2) as pool:
        found = [pool.submit(door.documents, texts) for texts in jobs]
        server.wait_for(limit)
        gate.open()
        assert all(right(one.result(), texts) for one, texts in zip(found, jobs, strict=True))

    assert server.max_in_flight == limit
    assert len(server.requests) == 30


@pytest.mark.row("P09")
def test_the_error_carries_what_was_paid_for(
    server: FaultServer, load: Load, route: Route, right: Right
) -> None:
    """Three of four requests succeeded: their vectors are on the error, at their places."""
    texts = ["aaaa", "bbbb", "cccc", "dddd"]
    gate = Gate()
    gate.open()
    server.play(gate.fault, gate.fault, gate.fault, faults.status(400, "input[0] is malformed"))
    with pytest.raises(EmbedBridgeError) as caught:
        route.through(load(batch_size=1, max_concurrency=1)).documents(texts)
    partial = caught.value.partial
    done = np.flatnonzero(partial.ok).tolist()

    assert len(done) == 3
    assert right([partial[place] for place in done], [texts[place] for place in done])


class Refusing(FakeModel):
    """A local model that fails the same way each time, and counts."""

    calls = 0

    def embed_batch(self, batch: Batch) -> BatchResult:
        self.calls += 1
        raise ValueError("The tokenizer does not like it.")


@pytest.mark.row("P10")
def test_what_fails_the_same_way_is_not_tried_again(route: Route, pauses: list[float]) -> None:
    """A local model is called once, and nothing is waited for."""
    model = Refusing("small")
    with pytest.raises(EmbedBridgeError, match="ValueError"):
        route.through(Embedder(model)).documents(["a text"])

    assert model.calls == 1
    assert not pauses
