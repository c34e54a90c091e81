"""A run ends, whatever a test does to its process: with a failure that says where it was."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FATAL = """
import ctypes, os, signal, threading

def test_before(): ...
def test_fatal(): {fatal}
def test_after(): ...
"""
HARMLESS = "def test_one(): ...\ndef test_two(): ..."
GUARDS = ("-otimeout=1", "-ofaulthandler_timeout=4")
"""The guards of every test here, with seconds that one can wait for."""


def run(folder: Path, fatal: str, *options: str) -> subprocess.CompletedProcess[str]:
    """What pytest says with the settings of this repository, on two workers, in a process of its own."""
    folder.joinpath("test_fatal.py").write_text(FATAL.format(fatal=fatal), encoding="utf-8")
    folder.joinpath("test_harmless.py").write_text(HARMLESS, encoding="utf-8")
    settings = f"--config-file={ROOT / 'pyproject.toml'}"
    command = [sys.executable, "-m", "pytest", settings, f"--rootdir={folder}", str(folder)]
    command += ["-n2", "--dist=loadfile", "-pno:cacheprovider", "-pconftest", *options]
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    env["PYTHONPATH"] = os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", "")))
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


def test_a_worker_that_vanishes_ends_the_run(tmp_path: Path) -> None:
    """The test that it was in fails; no other worker takes its place, and nothing waits for it."""
    ended = run(tmp_path, "os._exit(3)")

    assert ended.returncode == pytest.ExitCode.TESTS_FAILED
    assert "crashed while running 'test_fatal.py::test_fatal'" in ended.stdout
    assert "replacing crashed worker" not in ended.stdout
    assert "ended with 3" in ended.stderr


def test_a_worker_that_crashes_shows_its_stacks(tmp_path: Path) -> None:
    """A crash in native code leaves a trace: the stack of every thread."""
    ended = run(tmp_path, "os.abort()")

    assert ended.returncode == pytest.ExitCode.TESTS_FAILED
    assert "crashed while running 'test_fatal.py::test_fatal'" in ended.stdout
    assert "Fatal Python error: Aborted" in ended.stderr
    assert f"ended with {-signal.SIGABRT}" in ended.stderr
    assert "in test_fatal" in ended.stderr


def test_a_hang_fails_with_the_stacks_of_all_threads(tmp_path: Path) -> None:
    """What waits for something that never comes is a failure of that test, and the run goes on."""
    ended = run(tmp_path, "threading.Event().wait()", *GUARDS)

    assert ended.returncode == pytest.ExitCode.TESTS_FAILED
    assert "1 failed, 4 passed" in ended.stdout
    assert "threading.Event().wait()" in ended.stdout
    assert "Stack of" in ended.stdout


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
def test_a_hang_in_native_code_ends_the_run_too(tmp_path: Path) -> None:
    """Where a library keeps the interpreter's lock for ever, no Python code can end it."""
    deaf = "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])"
    ended = run(tmp_path, f"{deaf}; ctypes.PyDLL(None).pause()", *GUARDS)

    assert ended.returncode == pytest.ExitCode.TESTS_FAILED
    assert "crashed while running 'test_fatal.py::test_fatal'" in ended.stdout
    assert "in test_fatal" in ended.stderr
