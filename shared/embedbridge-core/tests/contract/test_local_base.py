"""What local models have in common: running out of memory, forks, and sizes by device."""

from __future__ import annotations

import ctypes
import errno
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest

from embedbridge.contract import (
    Batch,
    BatchResult,
    ConfigurationError,
    EmbedBridgeError,
    ModelCard,
    RequestTooLargeError,
)
from embedbridge.contract.local.memory import is_out_of_memory, memory_errors
from embedbridge.contract.local.model import LazyModel
from embedbridge.core import Embedder


class OutOfMemoryError(RuntimeError):
    """Named like torch's own."""


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (OutOfMemoryError("CUDA error"), True),
        (RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB."), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 6.03 GB)"), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes."), True),
        (Exception("RUNTIME_EXCEPTION : Failed to allocate memory for requested buffer"), True),
        (RuntimeError("std::bad_alloc"), True),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), True),
        (FileNotFoundError(errno.ENOENT, "No such file", "out of memory.txt"), False),
        (EmbedBridgeError("There is not enough memory."), False),
        (RuntimeError("no kernel image is available"), False),
    ],
    ids=repr,
)  # fmt: skip
def test_out_of_memory_is_recognised(error: Exception, expected: bool) -> None:
    """Each library says it in its own words; the name of a file is none of them."""
    assert is_out_of_memory(error) is expected


@pytest.mark.parametrize("count", [64, 2])
def test_a_batch_that_does_not_fit_is_too_large(count: int) -> None:
    """The engine then tries fewer inputs at once; the cause stays attached."""
    batch = Batch(inputs=["text"] * count, modality="text", role="document")
    with pytest.raises(RequestTooLargeError, match=f"cuda:0 for {count} inputs") as caught:  # noqa: SIM117
        with memory_errors(batch, "cuda:0"):
            raise OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")

    assert isinstance(caught.value.__cause__, OutOfMemoryError)


def test_other_errors_stay_as_they_are() -> None:
    """Only a lack of memory is translated."""
    batch = Batch(inputs=["text"], modality="text", role="document")
    with pytest.raises(ValueError, match="other"), memory_errors(batch, "cpu"):
        raise ValueError("something other")


@dataclass
class Weights:
    """A loaded model that was made in one process."""

    device: str = "cpu"
    survives: bool = False
    card: ModelCard = field(default_factory=lambda: ModelCard(name="lazy", dimensions=1))

    def __post_init__(self) -> None:
        self.process = os.getpid()

    @property
    def identity(self) -> Mapping[str, object]:
        return {}

    def close(self) -> None:
        pass

    def after_fork(self) -> bool:
        return self.survives


class Lazy(LazyModel[Weights]):
    """Its vectors say in which process its weights were loaded."""

    provider = "lazy"
    device = "cpu"
    survives = False

    def _open(self) -> Weights:
        return Weights(self.device, self.survives)

    def embed_batch(self, batch: Batch) -> BatchResult:
        row = np.array([self._load().process], dtype=np.float32)
        return BatchResult(vectors=np.tile(row, (len(batch), 1)))


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")


def in_a_child(embedder: Embedder) -> int:
    """What a forked child finds: 0 its own weights, 1 its parent's, 2 a typed error."""
    pid = os.fork()
    if pid == 0:
        code = 3
        try:
            owner = int(embedder.embed_query("text")[0])
            code = {os.getpid(): 0, os.getppid(): 1}.get(owner, 4)
        except ConfigurationError as error:
            code = 2 if "forked" in str(error) and "spawn" in str(error) else 5
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@needs_fork
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")  # what is tested
@pytest.mark.parametrize(
    ("device", "survives", "expected"),
    [("cpu", False, 0), ("cpu", True, 1), ("cuda:0", True, 2), ("mps", False, 2)],
)
def test_a_forked_child(device: str, survives: bool, expected: int) -> None:
    """It loads its own weights, or shares its parent's, or is told at once that it cannot."""
    model = Lazy("lazy")
    model.device, model.survives = device, survives
    embedder = Embedder(model)
    embedder.embed_query("text")

    assert in_a_child(embedder) == expected
    assert int(embedder.embed_query("text")[0]) == os.getpid()


@needs_fork
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")  # what is tested
def test_closing_in_the_child_does_not_make_a_device_usable_there() -> None:
    """The error stays: loading anew would meet the device of the parent."""
    model = Lazy("lazy")
    model.device = "cuda:0"
    embedder = Embedder(model)
    embedder.embed_query("text")
    pid = os.fork()
    if pid == 0:
        model.close()
        os._exit(0 if _is_left_with_the_parent(embedder) else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def _is_left_with_the_parent(embedder: Embedder) -> bool:
    try:
        embedder.embed_query("text")
    except ConfigurationError as error:
        return "forked" in str(error)
    return False


@needs_fork
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")  # what is tested
@pytest.mark.parametrize("device", ["cpu", "cuda:0"])
def test_a_model_that_was_not_used_before_the_fork(device: str) -> None:
    """It is loaded in the child as anywhere else."""
    model = Lazy("lazy")
    model.device = device

    assert in_a_child(Embedder(model)) == 0


GROWTH = """
import ctypes, gc
from embedbridge.contract.local.memory import return_freed_memory

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1])

libc = ctypes.CDLL(None)
libc.mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD: everything comes from the heap, as small pieces do
kept = [bytearray(1 << 16) for _ in range(800)]
top = bytearray(64)  # what lies above keeps the heap from shrinking by itself
full = resident()
del kept
gc.collect()
return_freed_memory()
print((full - resident()) * 4096 >> 20)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="malloc_trim is glibc's")
def test_freed_memory_goes_back_to_the_system() -> None:
    """What loading took on the way is not kept by the C library."""
    if not hasattr(ctypes.CDLL(None), "malloc_trim"):
        pytest.skip("this C library has no malloc_trim")
    answer = subprocess.run(
        [sys.executable, "-c", GROWTH], capture_output=True, text=True, check=True
    )

    assert int(answer.stdout) >= 40  # of 50
