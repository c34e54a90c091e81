"""No test depends on how fast the machine is: the one guard against hangs is the runner's."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

CLOCKS = frozenset(
    f"{clock}{unit}"
    for clock in ("monotonic", "perf_counter", "process_time", "thread_time")
    for unit in ("", "_ns")
)
BOUNDS = frozenset({"asyncio.timeout", "asyncio.timeout_at", "asyncio.wait_for"})
WAITS = frozenset(
    {"acquire", "communicate", "join", "result", "wait", "wait_for", "wait_until_idle"}
)
TIMED_BY_POSITION = WAITS - {"acquire", "wait_for"}
"""Those of which the first argument is a number of seconds, if it is a number."""
SUBPROCESSES = frozenset(
    {f"subprocess.{name}" for name in ("call", "check_call", "check_output", "run")}
)


def test_no_test_depends_on_a_clock(root: Path) -> None:
    """Counts, events and virtual time instead; what really needs seconds is marked `seconds(n)`."""
    found = [
        f"{path.relative_to(root)}:{line}: {what}"
        for folder in ("shared", "packages", "tests")
        for path in sorted((root / folder).rglob("*.py"))
        if "tests" in path.relative_to(root).parts
        # Scripts of public reports are kept as they were reported, and run in the nightly session.
        and not path.is_relative_to(root / "tests" / "reports")
        for line, what in clocks_in(ast.parse(path.read_text(encoding="utf-8")))
    ]

    assert not found, "\n".join(["", *found])


@pytest.mark.parametrize(
    "code",
    [
        "began = time.monotonic()",
        "from time import perf_counter\nperf_counter()",
        "await asyncio.wait_for(job, 30)",
        "async with asyncio.timeout(10): ...",
        "job.result(timeout=30)",
        "job.result(30)",
        "PATIENCE = 20.0\nevent.wait(PATIENCE)",
        "thread.join(5)",
        "server.wait_for(4, timeout=3.0)",
        "subprocess.run(command, timeout=100)",
        "@settings(max_examples=5, deadline=200)\ndef test_it(): ...",
        "@pytest.mark.timeout(30)\ndef test_it(): ...",
    ],
)
def test_a_clock_is_found(code: str) -> None:
    """Whatever way it is asked."""
    assert list(clocks_in(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    [
        "moment = time.time() + 3600",
        "load(timeout=0.2, deadline=0.4)",
        "job.result()",
        "', '.join(names)",
        "server.wait_for(4)",
        "subprocess.run(command, check=True)",
        "@settings(max_examples=5)\ndef test_it(): ...",
        """
        @pytest.mark.seconds(4)
        def test_it():
            assert time.monotonic() - began < 4
        """,
    ],
)
def test_what_is_no_clock_is_not_found(code: str) -> None:
    """A date, an option of what is tested, a wait for an event, and a test that is marked."""
    assert not list(clocks_in(ast.parse(textwrap.dedent(code))))


def clocks_in(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """What looks at a clock or gives up after some time, by line."""
    numbers = {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and _is_number(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in _unmarked(tree):
        if isinstance(node, ast.Call) and (what := _clock(node, numbers)):
            yield node.lineno, what


def _unmarked(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those of functions and classes that are marked `seconds`."""
    yield node
    for child in ast.iter_child_nodes(node):
        marks = [ast.unparse(mark) for mark in getattr(child, "decorator_list", [])]
        if not any(mark.startswith("pytest.mark.seconds(") for mark in marks):
            yield from _unmarked(child)


def _clock(call: ast.Call, numbers: set[str]) -> str | None:
    name = ast.unparse(call.func)
    last = name.rpartition(".")[2]
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    if last in CLOCKS:
        return f"{name}() is a clock: count requests, turns or events"
    if name in BOUNDS and ast.unparse(call) != "asyncio.timeout(None)":
        return f"{name} gives up: wait for the event itself"
    if name == "pytest.mark.timeout":
        return "the guard against hangs is the same for all tests"
    if name == "settings" and "deadline" in given:
        return "hypothesis has no deadline here: the profile in conftest.py says so"
    if name in SUBPROCESSES and "timeout" in given:
        return f"{name} gives up: the guard against hangs ends it"
    by_position = last in TIMED_BY_POSITION and any(_is_seconds(n, numbers) for n in call.args[:1])
    if last in WAITS and ("timeout" in given or by_position):
        return f"{name} gives up: wait for the event itself"
    return None


def _is_seconds(node: ast.AST, numbers: set[str]) -> bool:
    return _is_number(node) or (isinstance(node, ast.Name) and node.id in numbers)


def _is_number(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) in (int, float)
