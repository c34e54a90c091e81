"""`embedbridge doctor` is what users run when all else fails: it ends in words, never in a traceback."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

Run = Callable[..., Result]
Announce = Callable[[str, str], None]


@pytest.fixture(autouse=True)
def _clean_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("EMBEDBRIDGE_", "XDG_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


def problems_of(result: Result) -> str:
    """The problems in one line; both forms must have come to their end."""
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    facts: dict[str, Any] = json.loads(result.stdout)
    assert set(facts) >= {"python", "packages", "settings", "cache", "devices", "providers"}
    assert facts["python"]["version"]
    assert result.exit_code == (1 if facts["problems"] else 0)
    return " ".join(facts["problems"])


def diagnosis(run: Run, *arguments: str) -> str:
    """What doctor says is wrong, after it was run for a human and for a machine."""
    shown = run("doctor", *arguments)
    assert shown.exception is None or isinstance(shown.exception, SystemExit), shown.output
    assert "Traceback" not in shown.output
    said = problems_of(run("doctor", *arguments, "--json"))
    assert (not said) == ("No problem found" in shown.output)
    return said


# Places.


def test_no_home(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable that helps is named."""
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("os.path.expanduser", os.fspath)

    assert "EMBEDBRIDGE_CACHE_DIR" in diagnosis(run)


@pytest.mark.parametrize(
    "home", ["/nonexistent/home", "/dev/null", "", "relative", "/proc/1/map_files"]
)
def test_a_home_that_is_none(run: Run, monkeypatch: pytest.MonkeyPatch, home: str) -> None:
    """Of a container's user, of a service, of a typing error."""
    monkeypatch.setenv("HOME", home)
    said = diagnosis(run)

    if home in ("/dev/null", "relative"):  # what root may write to is a folder for root
        assert "EMBEDBRIDGE_CACHE_DIR" in said or sys.platform == "darwin"


@pytest.mark.parametrize(
    "kind", ["a file", "below a file", "read-only", "odd name", "no such user", "a link to itself"]
)
def test_a_cache_folder_that_is_none(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """It is named, with what to set, whatever stands there instead."""
    (tmp_path / "file").write_text("no folder")
    folder = {
        "a file": str(tmp_path / "file"),
        "below a file": str(tmp_path / "file" / "cache"),
        "read-only": str(tmp_path / "read-only"),
        "odd name": os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"),
        "no such user": "~nobody-of-that-name/cache",
        "a link to itself": str(tmp_path / "loop"),
    }[kind]
    if kind == "read-only":
        Path(folder).mkdir()
        monkeypatch.setattr("os.access", lambda path, mode: str(path) != folder)  # root may do all
    if kind == "a link to itself":
        (tmp_path / "loop").symlink_to(tmp_path / "loop")
    monkeypatch.setenv("EMBEDBRIDGE_CACHE_DIR", folder)
    said = diagnosis(run)

    assert "EMBEDBRIDGE_CACHE_DIR" in said or kind in ("odd name", "a link to itself")


@pytest.mark.parametrize(
    "content", [b"", b"no database " * 1000, b"SQLite format 3\0" + bytes(5000)]
)
def test_a_cache_file_that_is_none(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    """Empty, foreign or torn: looking at it changes nothing."""
    monkeypatch.setenv("EMBEDBRIDGE_CACHE_DIR", str(tmp_path))
    (tmp_path / "vectors.sqlite").write_bytes(content)
    said = diagnosis(run)

    assert ("not a database" in said) == bool(content)
    if content:
        assert (tmp_path / "vectors.sqlite").read_bytes() == content


# Variables.


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EMBEDBRIDGE_BATCH_SIZE", "many"),
        ("EMBEDBRIDGE_BATCH_SIZE", ""),
        ("EMBEDBRIDGE_BATCH_SIZE", "-1"),
        ("EMBEDBRIDGE_ALLOW_URLS", "[bad"),
        ("EMBEDBRIDGE_ALLOW_URLS", '{"a": 1}'),
        ("EMBEDBRIDGE_ON_EMPTY", "none"),
        ("EMBEDBRIDGE_DEADLINE", "nan"),
        ("EMBEDBRIDGE_SHOW_PROGRESS", "maybe"),
        ("EMBEDBRIDGE_ERRORS", "café \udcff"),
    ],
)
def test_a_value_that_cannot_be(
    run: Run, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """The setting is named, the others are still shown."""
    monkeypatch.setenv(name, value)
    said = diagnosis(run)

    assert name.removeprefix("EMBEDBRIDGE_").lower() in said


@pytest.mark.parametrize("allowed", ["", ",", "nobody", "fake,\udcff"])
def test_an_odd_list_of_providers(run: Run, monkeypatch: pytest.MonkeyPatch, allowed: str) -> None:
    """It only leaves providers out."""
    monkeypatch.setenv("EMBEDBRIDGE_PROVIDERS", allowed)

    assert diagnosis(run) == ""


# Packages.


@pytest.mark.parametrize(
    "source",
    [
        "raise ImportError('libgood.so is not there')",
        "import sys; sys.exit(3)",
        "class Odd(Exception):\n    def __str__(self):\n        raise RuntimeError\nraise Odd",
        "this is no Python",
        "",
    ],
    ids=["no library", "exits", "an error without words", "no Python", "empty"],
)
def test_a_broken_plugin(run: Run, announce: Announce, source: str) -> None:
    """A stranger's plugin costs itself only."""
    announce("oddone", source)
    try:
        assert "oddone" in diagnosis(run)
    finally:
        sys.modules.pop("oddone_plugin", None)


@pytest.mark.parametrize(
    ("name", "metadata", "points"),
    [
        ("embedbridge_torn", None, None),
        ("embedbridge_torn", b"", b"[embedbridge]\ntorn = torn"),
        ("embedbridge_torn", b"Name: embedbridge-torn\n", b"[embedbridge"),
        ("embedbridge_torn", b"Name: embedbridge-torn\nVersion: \xff\xfe", b"\xff\xfe"),
        ("torch", b"Name: torch\n", None),
    ],
    ids=["no metadata", "empty metadata", "no version", "no UTF-8", "torn torch"],
)
def test_a_torn_installation(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    metadata: bytes | None,
    points: bytes | None,
) -> None:
    """What an interrupted pip leaves behind."""
    info = tmp_path / "site" / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    for file, content in (("METADATA", metadata), ("entry_points.txt", points)):
        if content is not None:
            (info / file).write_bytes(content)
    monkeypatch.syspath_prepend(tmp_path / "site")
    said = diagnosis(run)

    if metadata and b"Version" not in metadata:
        assert "has no version: reinstall it" in said
    if points and points.startswith((b"[embedbridge]", b"\xff")):
        assert "is torn" in said


@pytest.mark.parametrize("source", ["raise OSError('libtorch.so')", "", "import sys; sys.exit(1)"])
def test_a_broken_torch(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    """A library of it is missing, an empty folder has its name, or it ends the process."""
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text(source)
    for module in [one for one in sys.modules if one.split(".")[0] == "torch"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.syspath_prepend(tmp_path)

    try:
        diagnosis(run, "--devices")
        assert "fails to import" in run("doctor", "--devices").stdout
    finally:
        sys.modules.pop("torch", None)  # the broken one; the real ones come back by themselves


def test_no_torch(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is wrong with that."""
    monkeypatch.setitem(sys.modules, "torch", None)

    diagnosis(run, "--devices")
    assert "not installed" in run("doctor", "--devices").stdout


def test_an_odd_path_of_modules(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PYTHONPATH names what is not there, a file, and a torn archive."""
    (tmp_path / "torn.zip").write_bytes(b"PK\x03\x04 no more")
    (tmp_path / "file").write_text("")
    for odd in ("/nonexistent", tmp_path / "file", tmp_path / "torn.zip"):
        monkeypatch.syspath_prepend(odd)

    assert diagnosis(run) == ""


@pytest.mark.parametrize("width", ["1", "8", "20", "0", "wide"])
def test_a_narrow_terminal(run: Run, monkeypatch: pytest.MonkeyPatch, width: str) -> None:
    """Lines break, nothing else."""
    run("doctor")  # whose fixture sets a width of its own
    monkeypatch.setenv("COLUMNS", width)

    assert diagnosis(run) == ""


# The process itself.


def process(
    tmp_path: Path, *, redirect: str = "", prepare: str = "", **environment: str
) -> subprocess.CompletedProcess[bytes]:
    """Doctor as a process of its own, with these variables and no others."""
    path = os.pathsep.join(one for one in sys.path if one)
    return subprocess.run(
        ["sh", "-c", f'{prepare} "$0" -m embedbridge.cli doctor {redirect}', sys.executable],
        env={"PYTHONPATH": path, "EMBEDBRIDGE_CACHE_DIR": str(tmp_path / "cache"), **environment},
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="sh, and what it can close, are of POSIX")
@pytest.mark.parametrize(
    ("redirect", "prepare", "environment"),
    [
        ("", "", {}),
        (">&-", "", {}),
        (">&- 2>&-", "", {}),
        ("<&-", "", {}),
        ("| head -n 1", "", {}),
        ("", "", {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}),
        ("", "", {"PYTHONIOENCODING": "ascii", "EMBEDBRIDGE_CACHE_DIR": "/tmp/caf\xe9-ü"}),
        ("", 'mkdir gone && cd gone && rmdir "$PWD" &&', {}),
        ("", "", {"TMPDIR": "/nonexistent", "TERM": "no-such-terminal"}),
        (">/dev/full", "", {}),
    ],
    ids=[
        "an empty environment",
        "stdout closed",
        "both closed",
        "stdin closed",
        "a pipe that closes",
        "LANG=C",
        "ASCII only",
        "a folder that is gone",
        "no folder for temporary files",
        "a full disk",
    ],
)
def test_as_a_process(
    tmp_path: Path, redirect: str, prepare: str, environment: dict[str, str]
) -> None:
    """Whatever the shell did to it: no traceback, and the answer where there is a place for one."""
    done = process(tmp_path, redirect=redirect, prepare=prepare, **environment)

    assert b"Traceback" not in done.stdout + done.stderr, done.stderr.decode(errors="replace")
    if not redirect or redirect == "<&-":
        assert b"Python" in done.stdout
        assert b"No problem found" in done.stdout, done.stdout.decode(errors="replace")
