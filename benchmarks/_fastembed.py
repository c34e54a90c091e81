"""fastembed, which runs in an environment of its own, as routes in this process."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

PYTHON_VARIABLE = "EMBEDBRIDGE_BENCH_FASTEMBED"
"""Environment variable: the Python of an environment that has fastembed."""
CHILD = Path(__file__).with_name("_fastembed_child.py")
DEFAULT_BATCH = 256
LEFT_OUT = f"fastembed is left out: `{PYTHON_VARIABLE}` names no Python that has it. `nox -s bench` makes one."


class FastEmbed:
    """The child process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.on_the_way = 0.0
        """Seconds that questions and answers have spent in JSON and pipes, which are not fastembed's."""
        self.version = self._read()

    def embed(self, texts: Sequence[str], batch: int) -> NDArray[np.float32]:
        """Vectors as arrays, as its users get them."""
        assert self._process.stdin is not None
        begun = time.perf_counter()
        self._process.stdin.write(json.dumps({"texts": list(texts), "batch": batch}) + "\n")
        self._process.stdin.flush()
        rows, seconds, encoded = self._read().split(" ")
        vectors = np.frombuffer(base64.b64decode(encoded), np.float32).reshape(int(rows), -1)
        self.on_the_way += time.perf_counter() - begun - float(seconds)
        return vectors

    def _read(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("fastembed's process has ended; what it said is above.")
        return line.strip()


def clock_beside(child: FastEmbed | None) -> Callable[[], float]:
    """A clock that stands still while texts and vectors are on their way to and from the child."""
    return lambda: time.perf_counter() - (child.on_the_way if child else 0.0)


@contextmanager
def fastembed(folder: str) -> Iterator[FastEmbed | None]:
    """The child process for a while, or `None` where there is no environment for it."""
    python = os.environ.get(PYTHON_VARIABLE)
    if not python:
        yield None
        return
    # Our sources are not for another environment's Python.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    process = subprocess.Popen(
        [python, str(CHILD), folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=env,
    )
    with process:  # leaving it closes the child's standard input, which ends it
        yield FastEmbed(process)
