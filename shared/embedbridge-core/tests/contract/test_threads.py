"""How many threads a local model takes: no more than its process may use."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from embedbridge.contract.local import usable_processors


@pytest.mark.parametrize(
    ("assigned", "expected"), [("1", 1), ("1,4", 1), ("0", 1), ("", None), ("all", None)]
)
def test_an_engine_assigns_threads(
    monkeypatch: pytest.MonkeyPatch, assigned: str, expected: int | None
) -> None:
    """A worker of Ray or Spark has a part of the machine, and says so as all computing libraries read it."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    alone = usable_processors()
    monkeypatch.setenv("OMP_NUM_THREADS", assigned)

    assert usable_processors() == (expected or alone)


def test_more_than_there_is_cannot_be_assigned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads without a processor would take turns."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    alone = usable_processors()
    monkeypatch.setenv("OMP_NUM_THREADS", "100000")

    assert usable_processors() == alone


@pytest.mark.parametrize(
    ("share", "expected"),
    [("100000 100000", 1), ("50000 100000", 1), ("max 100000", None), ("nonsense", None)],
)
def test_a_container_has_a_share(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, share: str, expected: int | None
) -> None:
    """With one thread for each processor of the host, it would be throttled most of the time."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    quota = tmp_path / "cpu.max"
    quota.write_text(f"{share}\n")

    assert usable_processors(quota) == (expected or usable_processors(tmp_path / "none"))


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity masks here")
def test_threads_follow_the_affinity_mask() -> None:
    """A process that may use one processor computes with one thread."""
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});"
        "from embedbridge.contract.local import usable_processors as n; print(n())"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert answer.stdout.strip() == "1"
