"""`embedbridge cache` looks after the cache on disk."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from embedbridge.core import load_embedder

Run = Callable[..., Result]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A cache with three vectors."""
    path = tmp_path / "vectors.sqlite"
    load_embedder("fake:small", cache=path).embed_documents(["a", "b", "c"])
    return path


def test_info_tells_what_the_cache_holds(run: Run, file: Path) -> None:
    """Path, number of vectors and size."""
    facts = json.loads(run("cache", "info", "--file", file, "--json").stdout)

    assert facts["path"] == str(file)
    assert facts["vectors"] == 3
    assert facts["bytes"] > 0


@pytest.mark.parametrize("word", ["true", "True"])
def test_the_default_file_is_the_one_that_embedding_uses(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    """What `--option cache=true` fills, `cache info` shows; Python's word for it names no file."""
    monkeypatch.setenv("EMBEDBRIDGE_CACHE_DIR", str(tmp_path / "mine"))
    run("embed", "a", "b", "--model", "fake:small", "--option", f"cache={word}")

    assert json.loads(run("cache", "info", "--json").stdout)["vectors"] == 2


def test_verify_finds_a_damaged_vector(run: Run, file: Path) -> None:
    """The exit code says whether the cache was sound, and the damage is gone afterwards."""
    with sqlite3.connect(file) as connection:
        connection.execute(
            "UPDATE vectors SET row = zeroblob(68) WHERE id IN (SELECT id FROM vectors LIMIT 1)"
        )
    connection.close()

    assert run("cache", "verify", "--file", file).exit_code == 1
    assert run("cache", "verify", "--file", file).exit_code == 0
    assert "Vectors: 2" in run("cache", "info", "--file", file).stdout


def test_clear_asks_first(run: Run, file: Path) -> None:
    """Nothing is lost by a typing error."""
    assert run("cache", "clear", "--file", file, input="n\n").exit_code == 1
    assert "Vectors: 3" in run("cache", "info", "--file", file).stdout

    run("cache", "clear", "--file", file, "--yes")
    assert "Vectors: 0" in run("cache", "info", "--file", file).stdout


@pytest.mark.parametrize("command", ["info", "verify", "clear"])
def test_a_fresh_machine_has_an_empty_cache(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """No error: it says that the cache is empty and where it would be, and makes no file."""
    monkeypatch.setenv("EMBEDBRIDGE_CACHE_DIR", str(tmp_path / "mine"))
    result = run("cache", command)

    assert result.exit_code == 0
    assert result.stdout.startswith("The cache is empty")
    assert str(tmp_path / "mine") in result.stdout
    assert not (tmp_path / "mine").exists()


def test_an_empty_cache_as_json(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same keys as for one that holds something."""
    monkeypatch.setenv("EMBEDBRIDGE_CACHE_DIR", str(tmp_path / "mine"))
    facts = json.loads(run("cache", "info", "--json").stdout)

    assert (facts["vectors"], facts["bytes"]) == (0, 0)
    assert facts["path"].startswith(str(tmp_path / "mine"))


def test_looking_makes_no_cache(run: Run, tmp_path: Path) -> None:
    """A path that was named and is wrong is an error, not an empty cache."""
    result = run("cache", "info", "--file", tmp_path / "nowhere.sqlite")

    assert result.exit_code == 1
    assert not (tmp_path / "nowhere.sqlite").exists()
