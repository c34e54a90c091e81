"""Pre-fork servers with a local model: loaded and used in the parent, then used in two workers.

`python forking_servers.py SERVER MODEL FILE` starts a real gunicorn, Celery or process pool, asks both
workers at the same time, writes their answers into the file as JSON, and ends.
"""

from __future__ import annotations

import http.client
import json
import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedbridge.core import Embedder, load_embedder
from embedbridge.testing import real_texts

Answer = dict[str, Any]

WORKERS = 2
TEXTS = real_texts(12, max_words=60)
FORK = multiprocessing.get_context("fork")
HUNG = 300
"""Seconds after which a server ends a worker that hangs, so that its request fails."""


@dataclass
class Application:
    """What a user's module holds when the server imports it in the parent."""

    embedder: Embedder
    expected: NDArray[np.float32]
    parent: int = field(default_factory=os.getpid)
    # Each worker waits here for the other, so that none of them answers twice.
    both: Barrier = field(default_factory=lambda: FORK.Barrier(WORKERS))

    def answer(self) -> Answer:
        """Embed in this worker, and compare with the parent's vectors."""
        self.both.wait()
        found = self.embedder.embed_documents(TEXTS)
        distance = float(np.abs(found - self.expected).max())
        return {"forked": os.getpid() != self.parent, "pid": os.getpid(), "distance": distance}


def with_gunicorn(application: Application, write: Callable[[list[Answer]], None]) -> None:
    """Gunicorn with `preload_app`, sync workers, on a free port of loopback."""
    from gunicorn.app.base import BaseApplication  # type: ignore[import-not-found,import-untyped,unused-ignore]

    def wsgi(_: Any, start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = json.dumps(application.answer()).encode()
        start_response("200 OK", [("content-length", str(len(body)))])
        return [body]

    def ask(port: int) -> None:
        try:
            with ThreadPoolExecutor(WORKERS) as pool:
                write(list(pool.map(get, [port] * WORKERS)))
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    class Server(BaseApplication):  # type: ignore[misc,unused-ignore]
        def load_config(self) -> None:
            options = {
                "bind": "127.0.0.1:0",
                "workers": WORKERS,
                "preload_app": True,
                "timeout": HUNG,
                "when_ready": when_ready,
            }
            for name, value in options.items():
                self.cfg.set(name, value)

        def load(self) -> Callable[..., Any]:
            return wsgi

    def when_ready(server: Any) -> None:
        port = server.LISTENERS[0].sock.getsockname()[1]
        threading.Thread(target=ask, args=(port,), daemon=True).start()

    Server().run()


def get(port: int) -> Answer:
    """One request; a worker that was ended breaks it off."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/")
    answer: Answer = json.loads(connection.getresponse().read())
    return answer


def with_celery(application: Application, write: Callable[[list[Answer]], None]) -> None:
    """Celery's prefork worker; the broker is in memory, results come back through files."""
    from celery import Celery  # type: ignore[import-not-found,import-untyped,unused-ignore]
    from celery.signals import worker_ready  # type: ignore[import-not-found,import-untyped,unused-ignore]

    results = Path.cwd() / "results"
    results.mkdir()
    app = Celery("application", broker="memory://", backend=f"file://{results}")
    app.conf.update(task_time_limit=HUNG, broker_connection_retry_on_startup=True)

    @app.task  # type: ignore[untyped-decorator,unused-ignore]
    def answer() -> Answer:
        return application.answer()

    def ask() -> None:
        try:
            pending = [answer.delay() for _ in range(WORKERS)]
            write([result.get(disable_sync_subtasks=False) for result in pending])
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    def ready(**_: Any) -> None:
        threading.Thread(target=ask, daemon=True).start()

    worker_ready.connect(ready, weak=False)
    alone = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    app.worker_main(["worker", "--pool=prefork", f"--concurrency={WORKERS}", *alone])


def with_multiprocessing(application: Application, write: Callable[[list[Answer]], None]) -> None:
    """A pool of the standard library, whose processes are forked; it fails when one of them dies."""
    global in_pool  # noqa: PLW0603
    in_pool = application
    with ProcessPoolExecutor(WORKERS, FORK, initializer=signal.alarm, initargs=(HUNG,)) as pool:
        jobs = [pool.submit(answer_in_pool) for _ in range(WORKERS)]
        write([job.result() for job in jobs])


in_pool: Application
"""What the forked processes of the pool find in their memory."""


def answer_in_pool() -> Answer:
    """A function that can be named to another process."""
    return in_pool.answer()


SERVERS = {
    "gunicorn": with_gunicorn,
    "celery": with_celery,
    "multiprocessing": with_multiprocessing,
}


def main(server: str, model: str, file: str) -> None:
    """Use the model in this process, then in workers of the server."""
    warnings.simplefilter("ignore", DeprecationWarning)  # that this process has threads
    embedder = load_embedder(model)
    application = Application(embedder, embedder.embed_documents(TEXTS))
    SERVERS[server](application, lambda answers: write_json(Path(file), answers))


def write_json(path: Path, answers: list[Answer]) -> None:
    """Only whole answers count."""
    path.write_text(json.dumps(answers), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
