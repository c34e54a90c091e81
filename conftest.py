"""What holds for every test of the repository, set before anything heavy is imported."""

import gc
import inspect
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# Hugging Face reads these once, at import. A model that is not on disk fails at once, instead of
# trying the network first. `HF_HUB_OFFLINE=0 pytest -m live --force-enable-socket` is the way out.
os.environ.setdefault("HF_HUB_OFFLINE", "1")

# Tests fork: after a fork the tokenizers' own threads may deadlock, and they say so in a warning.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

# torch's threads wait by spinning. Where two processes share the cores, each takes them from the other,
# and a test of seconds takes minutes.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# How long an example takes says how busy the machine is, not whether the code is right. All else stays
# as hypothesis has it: on a CI it derandomises.
settings.register_profile(
    "embedbridge", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("embedbridge")
# For the faster half: a quarter of the examples.
settings.register_profile("fast", settings.get_profile("embedbridge"), max_examples=25)


ROOT = Path(__file__).parent
SECONDS_TO_END = 20
"""For a worker that closed its connection: libraries tidy up before a process ends."""
HEAVY = (
    "tests/faults/",
    "tests/docs/",
    "packages/embedbridge-huggingface/",
    "packages/embedbridge/tests/test_check",  # these load a real model, or start a process for each case
    "packages/embedbridge/tests/test_demo.py",
    "packages/embedbridge/tests/test_demo_images",
    "packages/embedbridge/tests/test_doctor",
    "packages/embedbridge/tests/test_embed",
    "packages/embedbridge/tests/test_export",
    "packages/embedbridge/tests/test_new",
    "packages/embedbridge-onnx/",
    "tests/zoo/",
    "packages/embedbridge-clip/",
    "tests/integration/",
    "packages/embedbridge-static/",
    "tests/test_a_hang_ends.py",
    "packages/embedbridge-bulk/tests/test_kill.py",
    "packages/embedbridge-bedrock/tests/test_credentials.py",  # AWS's own classes, made anew for each test
    "shared/embedbridge-testing/tests/mutants/",  # a contract suite for each of them
    "shared/embedbridge-testing/tests/test_contract_guard.py",  # pytest in a process for each test
    "shared/embedbridge-testing/tests/test_tiny_clip.py",
)
"""Beginnings of paths where real models are loaded, pages are run, or each row of a matrix goes over
HTTP; slowest first."""


def pytest_configure(config: pytest.Config) -> None:
    """The faster half tries fewer examples of each property."""
    if _is_fast(config):
        settings.load_profile("fast")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """The faster half does not even import the slower one: torch alone would cost it seconds."""
    return True if _is_fast(config) and _weight(collection_path) < len(HEAVY) else None


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported and collected stays: looking for garbage in it takes a third of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector: pytest.Collector, obj: object) -> list[Any] | None:
    """Of a provider with a contract suite for each of its models, the faster half runs the first."""
    return [] if _is_fast(collector.config) and _is_further_suite(obj) else None


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark the slower half, so that `-m "not heavy"` is the faster one."""
    slower = _weight(item.path) < len(HEAVY) or _is_further_suite(getattr(item, "cls", None))
    if slower or any(item.iter_markers("slow")) or any(item.iter_markers("live")):
        item.add_marker("heavy")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Several workers begin with what takes long: a slow file at the end keeps only one of them busy."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: _weight(item.path))


def _is_fast(config: pytest.Config) -> bool:
    """Whether only the faster half is wanted."""
    return bool(config.option.markexpr == "not heavy")


@cache
def _weight(path: Path) -> int:
    """The place in `HEAVY` of a file or folder; one past its end for the faster half."""
    place = f"{path.relative_to(ROOT).as_posix()}/" if path.is_relative_to(ROOT) else ""
    places = (number for number, folder in enumerate(HEAVY) if place.startswith(folder))
    return next(places, len(HEAVY))


def _is_further_suite(obj: object) -> bool:
    """Whether this is a provider's contract suite, and not the first one of its file."""
    if not inspect.isclass(obj) or obj.__module__.rpartition(".")[2] != "test_contract":
        return False
    names = vars(sys.modules[obj.__module__])
    return obj is not names[next(name for name in names if name.startswith("Test"))]


@pytest.fixture
def within(request: pytest.FixtureRequest) -> Callable[[], AbstractContextManager[None]]:
    """For a test that is marked `seconds(n)`: a block that takes this thread less of a processor."""
    (most,) = request.node.get_closest_marker("seconds").args

    @contextmanager
    def measured() -> Iterator[None]:
        begun = time.thread_time()
        yield
        took = time.thread_time() - begun
        if took > most:
            pytest.fail(f"It took {took:.1f} s of this thread's time, more than {most:g} s.")

    return measured


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What this machine could not check, by reason: it is not the same as what passed."""
    reports = terminalreporter.stats.get("skipped", [])
    reasons = Counter(_reason(report) for report in reports)
    if reasons:
        terminalreporter.section("not checked here")
    for reason, count in reasons.most_common():
        terminalreporter.line(f"{count} × {reason}")


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Why a test, or all tests of a file, were skipped."""
    said = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return said.removeprefix("Skipped: ")


@pytest.hookimpl(optionalhook=True)  # where pytest-xdist is not installed, nobody asks
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Files are shared out among the workers, but the fault matrix stays whole: it writes a page."""
    from xdist.scheduler import LoadFileScheduling

    class WholeMatrix(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            matrix = "tests/faults"
            return matrix if nodeid.startswith(matrix) else super()._split_scope(nodeid)

    config.option.loadscopereorder = False  # not by the number of tests: see the order of `HEAVY`
    return WholeMatrix(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """A worker that died says how: by its own exit, by a signal (its negative number), or not at all."""
    if not error:
        return
    process = node.gateway._io.popen  # noqa: SLF001  # execnet has no other way to it
    try:
        ended = f"ended with {process.wait(SECONDS_TO_END)}"
    except subprocess.TimeoutExpired:
        ended = "is still there, and only its connection is lost"
    sys.stderr.write(f"\n{node.gateway.id}: process {process.pid} {ended}\n")
