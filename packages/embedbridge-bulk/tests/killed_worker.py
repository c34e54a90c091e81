"""A job that kills its own process with SIGKILL at the n-th moment: `killed_worker.py SOURCE TARGET N KIND`.

A moment is a batch that was paid, a file that is opened, renamed or removed, in whatever thread, or just
before and after Lance makes a version. Each batch is told as a byte on standard output, for those who kill it from outside; it survives without one
to listen. The kind "failing" is remote, and fails for some texts wherever it may be killed; their rows are left out.
"""

import itertools
import os
import signal
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from embedbridge.bulk import run
from embedbridge.contract import ProviderUnavailableError
from embedbridge.core import Embedder, Settings
from embedbridge.testing import FakeModel, RemoteFakeModel

EVENTS = {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree", "os.truncate"}

source, target, deadly, kind = sys.argv[1:]
moments = itertools.count(1)
log = os.open(Path(target).with_name("paid.log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)


def moment() -> None:
    if next(moments) == int(deadly):
        os.kill(os.getpid(), signal.SIGKILL)


def pay(batch: Any) -> None:
    """What the server would put on the bill, before its answer is on the way."""
    os.write(log, "".join(f"{text}\n" for text in batch.inputs).encode())
    with suppress(BrokenPipeError):
        os.write(1, b".")
    moment()


class Local(FakeModel):
    def embed_batch(self, batch: Any) -> Any:
        pay(batch)
        return super().embed_batch(batch)


class Remote(RemoteFakeModel):
    async def embed_batch(self, batch: Any) -> Any:
        if kind == "failing" and deadly != "0" and any(t.endswith("37") for t in batch.inputs):
            raise ProviderUnavailableError("Overloaded.")
        pay(batch)
        return await super().embed_batch(batch)


def listen(event: Any, arguments: Any) -> None:
    if event in EVENTS and str(arguments[0]).startswith(str(Path(target).parent)):
        moment()


def around_commits() -> None:
    lance = import_module("lance")
    make = lance.LanceDataset.commit

    def commit(*arguments: Any, **options: Any) -> Any:
        moment()
        made = make(*arguments, **options)
        moment()
        return made

    lance.LanceDataset.commit = commit


sys.addaudithook(listen)
if target.endswith(".lance"):
    around_commits()
model = (Local if kind == "local" else Remote)("small")
embedder = Embedder(model, settings=Settings(batch_size=8, window=64, max_attempts=1))
errors: Any = "file" if kind == "failing" else "fail"
run(source, target, model=embedder, text="text", id="id", errors=errors, part_bytes=1 << 13)
