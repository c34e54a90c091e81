"""Pages of mapped files, dropped from this process's memory."""

import mmap
import sys
from pathlib import Path

import numpy as np
import pytest

from embedbridge.providers.onnx.backends import mapped_pages
from embedbridge.providers.onnx.backends.mapped_pages import drop_pages

STATUS = Path("/proc/self/status")
SIZE = 32 << 20
linux = pytest.mark.skipif(not STATUS.exists(), reason="only Linux says what is in memory")


def of_files() -> int:
    """Bytes of mapped files in this process's memory."""
    line = next(x for x in STATUS.read_text().splitlines() if x.startswith("RssFile"))
    return 1024 * int(line.split()[1])


def mapped(folder: Path, access: int) -> np.ndarray:
    """A file of ones, mapped and read once."""
    path = folder / "weights"
    path.write_bytes(np.ones(SIZE, np.uint8).tobytes())
    with path.open("r+b") as file:
        values = np.frombuffer(mmap.mmap(file.fileno(), 0, access=access), np.uint8)
    assert values.sum() == SIZE
    return values


@linux
@pytest.mark.parametrize("access", [mmap.ACCESS_READ, mmap.ACCESS_WRITE])
def test_pages_leave_and_come_back(tmp_path: Path, access: int) -> None:
    """One address in a file drops all of it; what it says is read again."""
    values = mapped(tmp_path, access)
    before = of_files()
    drop_pages([values.ctypes.data + SIZE // 2])

    assert of_files() < before - SIZE // 2
    assert values.sum() == SIZE


@linux
def test_what_is_in_no_file_stays() -> None:
    """Dropped, it would be zeros."""
    values = np.ones(SIZE, np.uint8)
    drop_pages([values.ctypes.data])

    assert values.sum() == SIZE


@linux
def test_a_changed_copy_of_a_file_stays(tmp_path: Path) -> None:
    """What a process has written into its own copy is nowhere else."""
    path = tmp_path / "weights"
    path.write_bytes(bytes(SIZE))
    with path.open("r+b") as file:
        values = np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY), np.uint8)
    values[:] = 1
    drop_pages([values.ctypes.data])

    assert values.sum() == SIZE


@linux
def test_other_files_stay(tmp_path: Path) -> None:
    """Only files in which an address lies are dropped."""
    values = mapped(tmp_path, mmap.ACCESS_READ)
    before = of_files()
    drop_pages([0, values.ctypes.data - 1, values.ctypes.data + SIZE])

    assert of_files() > before - SIZE // 2


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_elsewhere_nothing_is_done(monkeypatch: pytest.MonkeyPatch, platform: str) -> None:
    """No system but Linux lists its mappings in a file."""
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(mapped_pages, "ctypes", None)
    drop_pages([1])
