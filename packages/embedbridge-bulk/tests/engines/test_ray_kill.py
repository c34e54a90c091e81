"""`kill -9` of the driver or of an actor: every row once, at most a batch of each actor paid again."""

import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from embedbridge.core import load_embedder
from embedbridge.testing import FaultServer

ROWS, BATCH, ACTORS, KILLS = 400, 8, 2, 20
DRIVER = f"""
import sys
from embedbridge.bulk import RayEngine, run

source, target, url = sys.argv[1:]
run(
    source, target, model="openai-compatible:counted", base_url=url, text="text", id="id",
    engine=RayEngine(actors={ACTORS}), batch_size={BATCH}, max_concurrency=1, part_bytes=1 << 20,
)
"""


@pytest.fixture
def server() -> Iterator[FaultServer]:
    """It counts what is paid, whoever asks and dies."""
    with FaultServer(dimensions=8) as server:
        yield server


@pytest.fixture
def drive(
    ray_address: str, tmp_path: Path, server: FaultServer
) -> Callable[[], subprocess.Popen[bytes]]:
    """Starts a job in a process of its own."""
    numbers = list(range(ROWS))
    texts = [f"text {n - 50 if n % 5 == 4 else n}" for n in numbers]
    pq.write_table(pa.table({"id": numbers, "text": texts}), tmp_path / "source.parquet")
    command = [sys.executable, "-c", DRIVER, str(tmp_path / "source.parquet")]

    def start() -> subprocess.Popen[bytes]:
        with (tmp_path / "said.txt").open("a") as said:
            return subprocess.Popen(
                [*command, str(tmp_path / "out"), server.url],
                env={
                    **os.environ,
                    "RAY_ADDRESS": ray_address,
                    "RAY_AUTH_MODE": "disabled",
                    "OPENAI_API_KEY": "sk-none",
                },
                stderr=said,
            )

    return start


@pytest.mark.slow
@pytest.mark.parametrize("number", range(KILLS))
def test_a_kill_loses_no_row_and_pays_at_most_a_batch_of_each_actor_again(
    drive: Callable[[], subprocess.Popen[bytes]],
    server: FaultServer,
    tmp_path: Path,
    ray_address: str,
    number: int,
) -> None:
    """At a random moment; then the job is run again, or goes on with another actor by itself."""
    victim = ("driver", "actor")[number % 2]
    first = drive()
    server.wait_for(random.Random(number).randrange(1, ROWS * 4 // 5 // BATCH))
    if victim == "driver":
        first.kill()
        assert first.wait() == -signal.SIGKILL
    else:
        for process in actors(ray_address)[:1]:  # the job may be done by now
            os.kill(process, signal.SIGKILL)
    again = drive() if victim == "driver" else first
    ended = again.wait()
    server.wait_until_left()
    paid = Counter(text for request in server.requests for text in request.inputs)

    table = ds.dataset(tmp_path / "out").to_table()
    texts = table.column("text").to_pylist()
    embedder = load_embedder("openai-compatible:counted", base_url=server.url, api_key="sk-none")
    assert ended == 0, (tmp_path / "said.txt").read_text()
    assert table.column("id").to_pylist() == list(range(ROWS))
    assert table.column("vector").to_pylist() == embedder.embed_documents(texts).tolist()
    assert set(paid) == set(texts)
    repeated = paid.total() - len(paid)
    print(f"kill {number} of the {victim}: {repeated} paid again")  # noqa: T201  # for the report
    assert repeated <= BATCH * (ACTORS if victim == "driver" else 1)
    assert not (tmp_path / "out.journal").exists()


def actors(address: str) -> list[int]:
    """The processes of our actors in our cluster, and in no other."""
    mark = f"EMBEDBRIDGE_TEST_CLUSTER={address.rpartition(':')[2]}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if b"ray::Worker" in (folder / "cmdline").read_bytes() and mark in (
                folder / "environ"
            ).read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except OSError:
            continue  # it has ended, or is not ours
    return found
