"""The scripts of public reports are all run, and none of them can pass without its check."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUNNER = ROOT / "tests" / "run_reports.py"
REPORTS = sorted((ROOT / "tests" / "reports").glob("[!_]*.py"))
EXITS = ("sys.exit(", "os._exit(")


@pytest.mark.parametrize("script", REPORTS, ids=lambda script: script.stem)
def test_a_report_says_what_is_right_and_can_fail(script: Path) -> None:
    """Its docstring states the right behaviour, and an error or its exit status answers."""
    tree = ast.parse(script.read_text(encoding="utf-8"))
    said = ast.get_docstring(tree) or ""
    can_fail = [
        node
        for node in ast.walk(tree)
        if isinstance(node, (ast.Assert, ast.Raise)) or ast.unparse(node).startswith(EXITS)
    ]

    assert "Right" in said
    assert any(ast.unparse(node) != "sys.exit(0)" for node in can_fail)


def test_every_script_is_run_and_every_failure_is_named(tmp_path: Path) -> None:
    """A wrong exit status, a skipped check and one that was not watched; helpers are not run."""
    scripts = {
        "right": "print('seen')",
        "wrong": "raise SystemExit(3)",
        "skips": "print('skipped: no gevent')",
        "blind": "print('look-ups: not watched')",
        "half": "print('answered under: asyncio, (no uvloop)')",
        "_helper": "raise SystemExit(4)",
    }
    for name, code in scripts.items():
        (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")

    ran = run("--folder", str(tmp_path))

    lines = ran.stdout.splitlines()
    assert ran.returncode == 1
    assert [line for line in lines if line.startswith("== ")] == [
        f"== {name}" for name in ("blind", "half", "right", "skips", "wrong")
    ]
    assert lines[-5:] == [
        "1 of 5 reports are right",
        "FAILED blind: nothing was checked: look-ups: not watched",
        "FAILED half: nothing was checked: answered under: asyncio, (no uvloop)",
        "FAILED skips: nothing was checked: skipped: no gevent",
        "FAILED wrong: exit status 3",
    ]


def test_named_scripts_alone_are_run(tmp_path: Path) -> None:
    """All right is exit status 0, and a folder without scripts is a failure: nothing was checked."""
    (tmp_path / "right.py").write_text("", encoding="utf-8")
    (tmp_path / "wrong.py").write_text("raise SystemExit(1)", encoding="utf-8")
    (tmp_path / "empty").mkdir()

    assert run("--folder", str(tmp_path), "right").returncode == 0
    assert run("--folder", str(tmp_path / "empty")).returncode == 1


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The runner as the nightly session starts it."""
    command = [sys.executable, str(RUNNER), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)
