"""`run` on a real Ray: the same files as on this machine alone, typed errors, and threads as assigned."""

import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from embedbridge.bulk import RayEngine, run
from embedbridge.contract.errors import AuthenticationError
from embedbridge.contract.local import usable_processors
from embedbridge.testing import FaultServer, faults

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own
KEY = "sk-for-tests-0123456789"
ROWS = pa.table(
    {"id": range(1000), "text": [" " if n % 100 == 1 else f"text {n % 950}" for n in range(1000)]}
)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_target_is_that_of_this_machine(ray_data: Any, tmp_path: Path) -> None:
    """Byte for byte, so that a job may begin here and go on there."""
    arguments: dict[str, Any] = {
        "model": "fake:small",
        "text": "text",
        "id": "id",
        "errors": "column",
    }
    here = run(ROWS, tmp_path / "here", **arguments)
    there = run(ROWS, tmp_path / "there", engine=RayEngine(actors=2, cpus=1), **arguments)
    again = run(ROWS, tmp_path / "here", engine="ray", **arguments)

    assert files(tmp_path / "there") == files(tmp_path / "here")
    assert (there.embedded, there.repeated, there.failed) == (941, 49, 10)
    assert (here.embedded, here.repeated, here.failed) == (941, 49, 10)
    assert (again.embedded, again.parts_written) == (0, 0)


def test_a_key_that_is_refused_ends_the_job(
    ray_data: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error is ours, though it was raised in another process."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with FaultServer() as server:
        server.always(faults.status(401))
        with pytest.raises(AuthenticationError):
            run(
                ROWS,
                tmp_path / "out",
                model="openai:text-embedding-3-small",
                base_url=server.url,
                text="text",
                engine=RayEngine(actors=1),
            )

    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("cpus", [1, 2])
def test_a_model_takes_the_threads_of_its_actor(ray_data: Any, cpus: int) -> None:
    """Also one that is not computed by PyTorch, and as many as there are."""
    import ray

    found = ray.get(ray.remote(usable_processors).options(num_cpus=cpus).remote())

    assert found == min(cpus, len(os.sched_getaffinity(0)))
