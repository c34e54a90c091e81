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


GROUPS = {
    "v2, its own root": ("0::/", "", "cpu.max"),
    "v2, a group of a service": (
        "0::/system.slice/jobs.service",
        "system.slice/jobs.service",
        "cpu.max",
    ),
    "v2, a limit around it": ("0::/pods/pod1/container", "pods/pod1", "cpu.max"),
    "v2 beside v1": ("3:cpuset:/\n0::/jobs", "unified/jobs", "cpu.max"),
    "v1": ("4:cpu,cpuacct:/docker/f00\n3:cpuset:/", "cpu,cpuacct/docker/f00", "cpu.cfs_quota_us"),
    "v1, seen from a container": ("4:cpu,cpuacct:/docker/f00", "cpu,cpuacct", "cpu.cfs_quota_us"),
    "v1, one controller": ("1:cpu:/\n0::/", "cpu", "cpu.cfs_quota_us"),
}
"""What the process says of its groups, where its limit is, and in which file."""


def container(root: Path, groups: str, quota: str) -> Path:
    """The files of a machine that limits this process."""
    said, folder, file = GROUPS[groups]
    (root / "proc" / "self").mkdir(parents=True)
    (root / "proc" / "self" / "cgroup").write_text(f"{said}\n")
    group = root / "sys" / "fs" / "cgroup" / folder
    group.mkdir(parents=True)
    if file == "cpu.max":
        (group / file).write_text(f"{quota} 100000\n")
    else:
        (group / file).write_text(f"{'-1' if quota == 'max' else quota}\n")
        (group / "cpu.cfs_period_us").write_text("100000\n")
    return root


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> int:
    """Processors without any limit but the affinity mask."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    return usable_processors(tmp_path / "nothing")


@pytest.mark.parametrize("groups", GROUPS)
@pytest.mark.parametrize(
    ("quota", "expected"),
    [
        ("100000", 1),
        ("50000", 1),
        ("1000", 1),
        ("max", None),
        ("nonsense", None),
        ("99999999", None),
    ],
)
def test_a_container_has_a_share(
    tmp_path: Path, alone: int, groups: str, quota: str, expected: int | None
) -> None:
    """With one thread for each processor of the host, it would be throttled most of the time."""
    assert usable_processors(container(tmp_path, groups, quota)) == (expected or alone)


def test_the_least_of_all_limits_counts(tmp_path: Path, alone: int) -> None:
    """A group cannot use more than those around it; half a processor takes a thread."""
    root = container(tmp_path, "v2, a group of a service", "150000")
    above = root / "sys" / "fs" / "cgroup" / "system.slice" / "cpu.max"
    wide = usable_processors(root)
    above.write_text("30000 100000\n")

    assert wide == min(2, alone)
    assert usable_processors(root) == 1


@pytest.mark.parametrize("damage", ["", "no groups\n", "0::\n", "x\n4:cpu\n"])
def test_files_that_cannot_be_read_limit_nothing(tmp_path: Path, alone: int, damage: str) -> None:
    """They are the system's, and none of our business."""
    root = container(tmp_path, "v1", "100000")
    (root / "proc" / "self" / "cgroup").write_text(damage)

    assert usable_processors(root) == alone


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
