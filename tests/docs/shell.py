"""Commands of the guide: ours run, the others are checked as far as that goes without a network."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import subprocess
import sys
import tomllib
import warnings
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
import typer
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from typer.testing import CliRunner

from embedbridge.cli.app import app

from .pages import ROOT

PYTEST_INI = """
[pytest]
asyncio_mode = strict
asyncio_default_fixture_loop_scope = function
addopts = --import-mode=importlib
"""
DEMO_TESTS = ("packages/embedbridge/tests/test_demo.py", "tests/integration/test_demo_images.py")
EXPORT = re.compile(r"export ([A-Z_][A-Z0-9_]*)=(.*)")


def run(
    line: str, folder: Path, monkeypatch: pytest.MonkeyPatch, place: str, *, shown: bool
) -> str | None:
    """Do one line, or check it; returns what it prints, or `None` where other tests look at that.

    Args:
        line: The command.
        folder: Where the page's files are.
        monkeypatch: Sets what the line exports.
        place: Of the line in the guide.
        shown: Whether the page shows what the command says: only then it may end with an error.

    Raises:
        AssertionError: It does not work, or is of a kind that nobody checks.
    """
    export = EXPORT.fullmatch(line.strip())
    if export:
        monkeypatch.setenv(export[1], shlex.split(export[2], comments=True)[0])
        return ""
    output: str | None = ""
    for command in re.split(r"&&|\|(?!\|)", line):
        words = shlex.split(command, comments=True)
        if words:
            output = _do(words, folder, place, shown=shown)
    return output


def _do(words: list[str], folder: Path, place: str, *, shown: bool) -> str | None:
    match words:
        case ["embedbridge", "demo", *arguments] if not place.startswith("docs/"):
            _check_demo(arguments, place)
            return None
        case ["embedbridge", "export", *_]:
            return _in_a_process(words, folder, place)
        case ["embedbridge", *arguments]:
            return _embedbridge(arguments, place, shown=shown)
        case ["pip", "install", *arguments]:
            _check_pip(arguments, folder, place)
        case ["nox", *arguments]:
            _check_nox(arguments, place)
        case ["pytest", *arguments]:
            return _pytest(arguments, folder, place)
        case ["python", script, *_] if (ROOT / script).is_file():
            pass  # a benchmark; tests/docs/test_guide.py runs no minutes' work
        case ["python3", "-m", "venv", ".venv"] | [".", ".venv/bin/activate"]:
            pass
        case ["ruff", "check", "--fix"] | ["ruff", "format"] | [".ci/run"]:
            pass
        case ["python", "-m", "build" | "twine", *_] | ["git", *_] | ["head" | "cat" | "cd", *_]:
            pass
        case _:
            raise AssertionError(f"{place}: nothing checks the command {shlex.join(words)!r}")
    return ""


def _check_demo(arguments: list[str], place: str) -> None:
    """Half a minute with torch and two stores: its own tests run it, here it is only understood."""
    missing = [path for path in DEMO_TESTS if not (ROOT / path).is_file()]
    assert not missing, f"{place}: {missing} no longer run the demo"
    group = typer.main.get_command(app)
    with group.make_context("embedbridge", ["demo", *arguments], resilient_parsing=False):
        command = group.get_command(None, "demo")  # type: ignore[attr-defined]
        command.make_context("demo", list(arguments))


def _embedbridge(arguments: list[str], place: str, *, shown: bool) -> str:
    with warnings.catch_warnings():
        # `check` runs pytest, which the filters of this run are not for.
        warnings.simplefilter("ignore" if arguments[0] == "check" else "error")
        result = CliRunner().invoke(app, arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise AssertionError(f"{place}: {result.exception!r}") from result.exception
    right = (0, 1) if shown else (0,)
    assert result.exit_code in right, f"{place}: exit code {result.exit_code}\n{result.output}"
    return result.output


def _in_a_process(words: list[str], folder: Path, place: str) -> str:
    """What is printed; torch's exporter leaves behind loggers that write to what is closed then."""
    command = [str(Path(sys.executable).with_name(words[0])), *words[1:]]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"{place}: {result.stderr}"
    return result.stdout


def _pytest(arguments: list[str], folder: Path, place: str) -> str:
    """Tests that the page wrote are run; in the repository, only the paths are looked at."""
    paths = [word for word in arguments if "/" in word or word.endswith(".py")]
    if not any((folder / "tests").glob("test_*.py")):
        missing = [path for path in paths if not (ROOT / path.partition("::")[0]).exists()]
        assert not missing, f"{place}: {missing} do not exist"
        return ""
    settings = folder / "pytest.ini"
    settings.write_text(PYTEST_INI, encoding="utf-8")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), pytest.MonkeyPatch.context() as environment:
        # In this process, which has imported everything: only what a user of the suite has.
        environment.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        options = [f"--rootdir={folder}", f"--basetemp={folder / 'temporary'}"]
        plugins = ["-pembedbridge.testing.pytest_plugin", "-ppytest_asyncio.plugin"]
        without = [f"-pno:{name}" for name in ("cacheprovider", "faulthandler", "warnings")]
        code = pytest.main([*arguments, f"-c{settings}", *options, *plugins, *without])
    assert code == pytest.ExitCode.OK, f"{place}: {code}\n{printed.getvalue()}"
    return printed.getvalue()


def _check_pip(arguments: list[str], folder: Path, place: str) -> None:
    words = iter(arguments)
    for word in words:
        if word == "--find-links":
            next(words)  # `nox -s wheels` makes that folder
        elif word in ("-c", "-r"):
            assert (ROOT / next(words)).is_file(), f"{place}: no such file of requirements"
        elif word == "-e":
            assert (folder / next(words) / "pyproject.toml").is_file(), f"{place}: no project here"
        elif not word.startswith("-"):
            _check_requirement(Requirement(word), place)


def _check_requirement(requirement: Requirement, place: str) -> None:
    name = canonicalize_name(requirement.name)
    if name in members():
        unknown = requirement.extras - members()[name]
        assert not unknown, f"{place}: {name} has no extra {unknown}"
        return
    try:
        distribution(name)
    except PackageNotFoundError:
        raise AssertionError(f"{place}: nobody knows a package {name!r}") from None


def _check_nox(arguments: list[str], place: str) -> None:
    sessions = re.findall(
        r"^@nox\.session.*\ndef (\w+)", (ROOT / "noxfile.py").read_text("utf-8"), re.MULTILINE
    )
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    named, passed_on = arguments[:cut], arguments[cut + 1 :]
    unknown = [word for word in named if not word.startswith("-") and word not in sessions]
    assert not unknown, f"{place}: nox has no session {unknown}"
    if "install" in named:
        assert passed_on, f"{place}: `nox -s install` needs a folder"
        for word in passed_on[1:]:
            requirement = Requirement(word)
            if f"embedbridge-{requirement.name}" in members():
                requirement.name = f"embedbridge-{requirement.name}"
            _check_requirement(requirement, place)


@cache
def members() -> dict[str, frozenset[str]]:
    """Our distributions, and the extras of each."""
    found = {}
    for path in ROOT.glob("*/*/pyproject.toml"):
        project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
        found[project["name"]] = frozenset(project.get("optional-dependencies", ()))
    return found
