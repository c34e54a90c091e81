"""How the command line starts, and how it fails."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from embedbridge.contract import UnknownProviderError

Run = Callable[..., Result]
SCRIPT = str(Path(sys.executable).with_name("embedbridge"))
HEAVY = {
    "langchain_core",
    "langchain_embedbridge",
    "llama_index",
    "numpy",
    "pydantic",
    "ssl",
    "torch",
    "tqdm",
    "transformers",
}
LOADED_BY_HELP = """
import json, sys
from embedbridge.cli import main
sys.argv = ["embedbridge", "--help"]
try:
    main()
finally:
    print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def test_help_imports_nothing_heavy() -> None:
    """Help appears at once: no array library, no framework, no model, no HTTP client."""
    command = [sys.executable, "-I", "-c", LOADED_BY_HELP]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)

    assert "providers" in answer.stdout
    assert not HEAVY & set(json.loads(answer.stdout.splitlines()[-1]))


@pytest.mark.parametrize("command", ["providers", "embed", "demo"])
def test_every_command_has_help(run: Run, command: str) -> None:
    """`--help` and `-h` explain each command."""
    long, short = run(command, "--help"), run(command, "-h")

    assert long.exit_code == short.exit_code == 0
    assert f"embedbridge {command}" in long.stdout == short.stdout


def test_the_installed_script_works() -> None:
    """What pip puts on the path runs, writes vectors to stdout and nothing else."""
    command = [SCRIPT, "embed", "a text", "--model", "fake:small"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)

    assert json.loads(answer.stdout)["text"] == "a text"
    assert answer.stderr == ""


def test_python_can_run_it_as_a_module() -> None:
    """`python -m embedbridge.cli` is the command where its script is not on the path."""
    command = [sys.executable, "-m", "embedbridge.cli", "--version"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)

    assert answer.stdout.startswith("embedbridge 0.")
    assert answer.stderr == ""


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    """`embedbridge embed … | head -1` ends quietly."""
    (tmp_path / "many.txt").write_text("a line\n" * 20_000, encoding="utf-8")
    command = [SCRIPT, "embed", "--file", str(tmp_path / "many.txt"), "--model", "fake:small"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()

        assert process.stderr.read() == b""


def test_an_error_is_one_line_on_stderr(run: Run) -> None:
    """Cause and remedy, exit code 1, and no traceback."""
    result = run("embed", "a", "--model", "nobody:small")

    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("embedbridge: No installed package announces")
    assert result.stderr.count("\n") == 1


def test_debug_shows_the_traceback(run: Run) -> None:
    """With --debug the error goes on to Python, which prints where it comes from."""
    result = run("--debug", "embed", "a", "--model", "nobody:small")

    assert isinstance(result.exception, UnknownProviderError)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["embed"], "--model"),
        (["embed", "-m", "fake:small"], "either texts, --file or --images"),
        (["embed", "-m", "fake:small", "a", "--file", "-"], "either texts, --file or --images"),
        (["embed", "-m", "fake:small", "--file", "missing.txt"], "does not exist"),
        (["embed", "-m", "fake:small", "--file", "."], "is a directory"),
        (["embed", "-m", "fake:small", "a", "--output", "a.csv"], ".npy, .safetensors"),
        (["embed", "-m", "fake:small", "a", "--role", "passage"], "passage"),
        (["embed", "-m", "fake:small", "a", "--option", "seed"], "NAME=VALUE"),
        (["embed", "-m", "fake:small", "a", "--option", "limiter=1"], "command line"),
        (["demo", "missing"], "does not exist"),
        (["provider"], "No such command"),
    ],
)
def test_wrong_usage_is_exit_code_2(run: Run, arguments: list[str], message: str) -> None:
    """Scripts can tell a wrong command from a job that failed."""
    result = run(*arguments)

    assert result.exit_code == 2
    assert message in result.stderr


def test_no_command_shows_help(run: Run) -> None:
    """Whoever types only the name learns what there is."""
    assert "providers" in run().output


def test_version(run: Run) -> None:
    """`--version` names the distribution and its version."""
    assert run("--version").stdout.startswith("embedbridge 0.")


@pytest.mark.parametrize(
    "command",
    [
        ("new", "mine", "--out", "s3://bucket/mine"),
        ("export", "clip:ViT-B/32", "s3://bucket/model"),
    ],
    ids=lambda command: command[0],
)
def test_no_command_makes_a_folder_called_s3(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    """A bucket is no folder of this machine."""
    monkeypatch.chdir(tmp_path)
    result = run(*command)

    assert result.exit_code == 1
    assert "no path of this machine" in result.stderr
    assert not list(tmp_path.iterdir())
