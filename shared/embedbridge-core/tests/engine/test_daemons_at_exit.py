"""Daemon threads that embed locally while the process ends: none is ended within a model's code.

Up to Python 3.13 that would abort the process, if the code is native.
"""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent

import pytest

PRELUDE = """
import asyncio, atexit, sys, threading, time
from concurrent.futures import ThreadPoolExecutor

begun, ended = [], []  # batches
callbacks = []  # called after the engine's own

@atexit.register
def last():
    for callback in callbacks:
        callback()

from embedbridge.core import Embedder, Ticket, at_exit
from embedbridge.testing import FakeModel

at_exit.PATIENCE = 1000.0  # all below ends by events, however slow the machine is
MAIN = threading.main_thread().ident

def main_thread_waits():
    frame = sys._current_frames()[MAIN]
    while frame is not None and frame.f_code is not at_exit.let_daemons_finish.__code__:
        frame = frame.f_back
    return frame is not None

class Model(FakeModel):
    # A batch ends when the process has begun to end, and not before.
    def embed_batch(self, batch):
        begun.append(batch)
        while threading.current_thread().daemon and not main_thread_waits():
            time.sleep(0.001)
        ended.append(batch)
        return super().embed_batch(batch)

def start(work):
    threading.Thread(target=work, daemon=True).start()
    while not begun:
        time.sleep(0.001)
"""


def printed(scene: str) -> str:
    """What a process prints that ends while a daemon embeds."""
    command = [sys.executable, "-W", "error", "-c", dedent(PRELUDE) + dedent(scene)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stderr) == (0, "")
    return answer.stdout


FOR_EVER = {
    "batches": "Embedder(Model('small')).using(batch_size=1).embed_documents(map(str, range(10**5)))",
    "jobs": "[embedder.embed_query('a') for embedder in [Embedder(Model('small'))] * 10**5]",
}


@pytest.mark.parametrize("work", FOR_EVER.values(), ids=FOR_EVER)
def test_a_daemon_ends_its_batch_and_begins_no_other(work: str) -> None:
    """The process waits for what is being computed, and for nothing else."""
    output = printed(f"""
        start(lambda: {work})
        callbacks.append(lambda: print(len(begun) - len(ended), main_thread_waits()))
    """)

    assert output == "0 False\n"


def test_a_daemon_that_waits_for_a_limiter_is_not_waited_for() -> None:
    """It computes nothing, and does not begin when its turn comes."""
    output = printed("""
        asked = threading.Event()

        class Limiter:
            def acquire(self, tokens):
                asked.set()
                go.wait()
                return Ticket()
            async def acquire_async(self, tokens):
                raise AssertionError

        go = threading.Event()
        embedder = Embedder(Model("small"), limiter=Limiter())
        daemon = threading.Thread(target=embedder.embed_query, args=("a",), daemon=True)
        daemon.start()
        asked.wait()

        def resting():
            return sys._current_frames()[daemon.ident].f_code is at_exit._rest.__code__

        def turn():
            go.set()
            while not resting() and not begun:
                time.sleep(0.001)
            print(len(begun))

        callbacks.append(turn)
    """)

    assert output == "0\n"


def test_a_model_that_hangs_does_not_keep_the_process() -> None:
    """There is a bound to what the process waits for."""
    output = printed("""
        at_exit.PATIENCE = 0.01

        class Hanging(Model):
            def embed_batch(self, batch):
                begun.append(batch)
                threading.Event().wait()

        start(lambda: Embedder(Hanging("small")).embed_query("a"))
        callbacks.append(lambda: print(len(begun)))
    """)

    assert output == "1\n"


def test_callbacks_at_exit_embed() -> None:
    """They run in the main thread, and those that come late find the engine as it was."""
    output = printed("""
        def embed():
            print(Embedder(Model("small")).embed_documents(["a", "b"]).shape[0])
            print(asyncio.run(Embedder(Model("small")).aembed_documents(["a"])).shape[0])

        callbacks.append(embed)
    """)

    assert output == "2\n1\n"


def test_a_callback_may_wait_for_a_daemon() -> None:
    """A worker that is a daemon, and a callback that waits for its queue: it goes on in the end."""
    output = printed("""
        import queue

        at_exit.PATIENCE = 0.01
        jobs = queue.Queue()

        def work():
            while True:
                print(Embedder(FakeModel("small")).embed_documents(jobs.get()).shape[0])
                jobs.task_done()

        threading.Thread(target=work, daemon=True).start()

        def flush():
            jobs.put(["a", "b"])
            jobs.join()

        callbacks.append(flush)
    """)

    assert output == "2\n"
