"""`embedbridge run`: files of rows to a folder of Parquet files with vectors."""

import json
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from typer.testing import Result

from embedbridge.bulk.budget import FileRateLimiter
from embedbridge.bulk.engines.base import NAMES as ENGINES
from embedbridge.bulk.job import Errors as JobErrors
from embedbridge.cli.run import command
from embedbridge.testing import tiny_png

Run = Callable[..., Result]


@pytest.fixture
def posts(tmp_path: Path) -> Path:
    """Two files of rows: one repeats, one is null."""
    folder = tmp_path / "posts"
    folder.mkdir()
    files: list[list[str | None]] = [["a", "b", "a"], ["c", None]]
    for number, texts in enumerate(files):
        ids = [10 * number + row for row in range(len(texts))]
        pq.write_table(pa.table({"post": ids, "body": texts}), folder / f"{number}.parquet")
    return folder


def test_rows_become_vectors(run: Run, posts: Path, tmp_path: Path) -> None:
    """What became of them is said on stderr; run again, it changes nothing."""
    command = ("run", posts, tmp_path / "out", "-m", "fake:small", "--text-column", "body")
    first, again = run(*command, "--id-column", "post"), run(*command, "--id-column", "post")
    table = ds.dataset(tmp_path / "out").to_table()

    assert first.exit_code == 0, first.output
    assert "5 rows: 3 embedded, 1 repeated in the source, 1 empty" in first.stderr
    assert "0 files written, 1 as they were" in again.stderr
    assert table.column("post").to_pylist() == [0, 1, 2, 10, 11]
    assert table.column("vector").null_count == 1


def test_several_sources_and_a_limit(run: Run, posts: Path, tmp_path: Path) -> None:
    """The last argument is the target."""
    sources = (posts / "1.parquet", posts / "0.parquet")
    result = run(
        "run", *sources, tmp_path / "out", "-m", "fake:small", "--text-column", "body",
        "--keep", "post", "--limit", "3",
    )  # fmt: skip
    table = ds.dataset(tmp_path / "out").to_table()

    assert result.exit_code == 0, result.output
    assert table.column("post").to_pylist() == [10, 11, 0]
    assert "body" not in table.column_names


@pytest.mark.parametrize("what", ["target", "budget"])
def test_nothing_is_written_to_a_folder_called_s3(
    run: Run, posts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """A bucket is no folder of this machine, and must not become one."""
    monkeypatch.chdir(tmp_path)
    places = ("s3://bucket/vectors",) if what == "target" else ("out", "--budget", "s3://bucket/b")
    limits = ("--requests-per-minute", "10")
    result = run("run", posts, *places, "-m", "fake:small", "--text-column", "body", *limits)

    assert result.exit_code == 1
    assert "s3://bucket" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["posts"]


def test_a_folder_of_images_needs_no_column(run: Run, tmp_path: Path) -> None:
    """Each row has its path."""
    (tmp_path / "photos" / "more").mkdir(parents=True)
    for name in ("b.png", "a.png", "more/c.png"):
        (tmp_path / "photos" / name).write_bytes(tiny_png(len(name) + ord(name[0])))
    (tmp_path / "photos" / "notes.txt").write_text("no image")
    (tmp_path / "photos" / "node_modules").mkdir()
    (tmp_path / "photos" / "node_modules" / "logo.png").write_bytes(tiny_png(9))
    result = run("run", tmp_path / "photos", tmp_path / "out", "-m", "fake:small")
    table = ds.dataset(tmp_path / "out").to_table()

    assert result.exit_code == 0, result.output
    assert table.column("path").to_pylist() == ["a.png", "b.png", "more/c.png"]
    assert table.column("vector").null_count == 0
    assert "1 files in" in result.stderr
    assert "notes.txt" in result.stderr


def test_a_folder_of_images_is_the_same_to_both_commands(run: Run, tmp_path: Path) -> None:
    """What `embed --images` embeds, `run` does: by content or by name, and nothing of others' folders."""
    photos = tmp_path / "photos"
    for place in (
        "a.png",
        "no ending",
        "b.heif",
        "c.jxl",
        "notes.txt",
        "node_modules/d.png",
        ".e.png",
    ):
        (photos / place).parent.mkdir(parents=True, exist_ok=True)
        (photos / place).write_bytes(b"a text" if place == "notes.txt" else tiny_png(len(place)))
    (photos / "env").mkdir()
    (photos / "env" / "pyvenv.cfg").write_text("home = /usr/bin")
    (photos / "env" / "f.png").write_bytes(tiny_png(1))
    embedded = run("embed", "--images", photos, "-m", "fake:small")
    result = run("run", photos, tmp_path / "out", "-m", "fake:small")
    names = [json.loads(line)["image"] for line in embedded.stdout.splitlines()]

    assert result.exit_code == 0, result.output
    assert names == ["a.png", "b.heif", "c.jxl", "no ending"]
    assert ds.dataset(tmp_path / "out").to_table().column("path").to_pylist() == names


@pytest.mark.parametrize("option", ["--id-column", "--keep"])
def test_a_folder_of_images_has_no_other_column(run: Run, tmp_path: Path, option: str) -> None:
    """One that is asked for is refused: it was left out without a word."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(tiny_png(1))
    job = ("run", tmp_path / "photos", tmp_path / "out", "-m", "fake:small", option)
    refused, path = run(*job, "sku"), run(*job, "path")

    assert refused.exit_code == 1
    assert "no column 'sku'. It has: path" in refused.stderr
    assert path.exit_code == 0, path.output


def test_a_dry_run_pays_and_writes_nothing(run: Run, posts: Path, tmp_path: Path) -> None:
    """It says rows, tokens, requests, cost and time."""
    result = run(
        "run", posts, tmp_path / "out", "-m", "fake:small", "--text-column", "body",
        "--dry-run", "--price", "1000",
    )  # fmt: skip

    assert result.exit_code == 0, result.output
    assert "5 rows: 3 to embed, 1 repeated, 0 there" in result.stdout
    assert "tokens in about 1 requests" in result.stdout
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "out.journal").exists()


def test_a_dry_run_of_a_replacement(run: Run, posts: Path, tmp_path: Path) -> None:
    """It asks for the same arguments as the job: without --replace, another space is refused."""
    job = ("run", posts, tmp_path / "out", "--text-column", "body")
    run(*job, "-m", "fake:small")
    other = (*job, "-m", "fake:text", "--dry-run")
    refused, counted = run(*other), run(*other, "--replace")

    assert refused.exit_code == 1
    assert counted.exit_code == 0, counted.output
    assert "5 rows: 3 to embed, 1 repeated, 0 there" in counted.stdout


def test_a_dry_run_does_with_bad_rows_what_the_job_does(
    run: Run, posts: Path, tmp_path: Path
) -> None:
    """Those that have their error in a column are not embedded again."""
    pq.write_table(pa.table({"post": [1, 2], "body": ["a", " "]}), posts / "0.parquet")
    job = ("run", posts, tmp_path / "out", "-m", "fake:small", "--text-column", "body")
    run(*job, "--errors", "column")
    result = run(*job, "--errors", "column", "--dry-run")

    assert "4 rows: 0 to embed, 0 repeated, 2 there" in result.stdout


def test_a_dry_run_refuses_what_the_job_would(run: Run, posts: Path, tmp_path: Path) -> None:
    """A limit that would remove rows of the target."""
    job = ("run", posts, tmp_path / "out", "-m", "fake:small", "--text-column", "body")
    run(*job)
    limited = (*job, "--limit", "2")
    refused, dry = run(*limited), run(*limited, "--dry-run")

    assert refused.exit_code == dry.exit_code == 1
    assert "would remove some" in dry.stderr
    assert dry.stderr == refused.stderr


def test_a_budget_is_a_file(run: Run, posts: Path, tmp_path: Path) -> None:
    """What went out is in it, for the other processes of this machine."""
    account = tmp_path / "account.sqlite"
    limits = ["--budget", account, "--requests-per-minute", 100, "--tokens-per-minute", 10_000]
    job = ("run", posts, tmp_path / "out", "-m", "fake:small", "--text-column", "body")
    result = run(*job, *map(str, limits))
    with closing(sqlite3.connect(account)) as ledger:
        (requests,) = ledger.execute("SELECT sum(requests) FROM leases").fetchone()

    assert result.exit_code == 0, result.output
    assert requests > 0


@pytest.mark.parametrize("place", ["argument", "option", "environment"])
def test_a_budget_has_the_limits_of_the_settings(
    run: Run, posts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Wherever they are set: a limiter of its own, without them, would let all requests out."""
    limiters: list[object] = []

    class Watched(FileRateLimiter):
        def __init__(self, *arguments: Any, **limits: Any) -> None:
            super().__init__(*arguments, **limits)
            limiters.append(self.limits)

    monkeypatch.setattr("embedbridge.bulk.budget.FileRateLimiter", Watched)
    words = ["run", posts, tmp_path / "out", "-m", "fake:small", "--text-column", "body"]
    words += ["--budget", tmp_path / "account.sqlite"]
    if place == "argument":
        words += ["--requests-per-minute", "60"]
    elif place == "option":
        words += ["--option", "requests_per_minute=60"]
    else:
        monkeypatch.setenv("EMBEDBRIDGE_REQUESTS_PER_MINUTE", "60")
    result = run(*words)

    assert result.exit_code == 0, result.output
    assert limiters == [{"requests_per_minute": 60, "tokens_per_minute": None}]


def test_a_budget_without_a_limit_is_wrong_usage(run: Run, posts: Path, tmp_path: Path) -> None:
    """There is nothing to share."""
    job = ("run", posts, tmp_path / "out", "-m", "fake:small", "--text-column", "body")
    result = run(*job, "--budget", tmp_path / "account.sqlite")

    assert result.exit_code == 2
    assert "--requests-per-minute or --tokens-per-minute" in result.stderr
    assert not (tmp_path / "out").exists()


def test_errors_are_told(run: Run, posts: Path, tmp_path: Path) -> None:
    """A bad row ends the job, or is counted; a source that is none is named."""
    pq.write_table(pa.table({"post": [1], "body": [" "]}), posts / "0.parquet")
    command = ("run", posts, tmp_path / "out", "-m", "fake:small", "--text-column", "body")
    ended, counted = run(*command), run(*command, "--errors", "column")
    none = run("run", tmp_path / "none", tmp_path / "x", "-m", "fake:small", "--text-column", "b")

    assert ended.exit_code == none.exit_code == 1
    assert "Row 0 cannot be embedded" in ended.stderr
    assert counted.exit_code == 0
    assert "1 failed" in counted.stderr
    assert "nothing at" in none.stderr


def test_a_warning_is_a_line(run: Run, posts: Path, tmp_path: Path) -> None:
    """And no line of our code."""
    command = ("run", posts, tmp_path / "out", "-m", "fake:small", "--text-column", "body")
    run(*command)
    result = run(*command, "--role", "query")

    assert result.exit_code == 0, result.output
    assert "embedbridge: Vectors in" in result.stderr
    assert ".py" not in result.stderr


def test_progress_is_shown_where_it_is_asked_for(run: Run, posts: Path, tmp_path: Path) -> None:
    """A bar with rows and tokens; without a terminal there is none."""
    command = ("run", posts, tmp_path / "out", "-m", "fake:small", "--text-column", "body")
    shown = run(*command, "--progress")

    assert "5.00/5.00" in shown.stderr
    assert "tokens=" in shown.stderr
    assert "5.00/5.00" not in run(*command).stderr


def test_an_engine_that_lacks_is_named(
    run: Run, posts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is begun; the message says what to install."""
    monkeypatch.setitem(sys.modules, "ray", None)
    target = tmp_path / "vectors"
    arguments = ["--model", "fake:small", "--text-column", "body", "--engine", "ray"]
    result = run("run", str(posts), str(target), *arguments)

    assert result.exit_code != 0
    assert "embedbridge-bulk[ray]" in result.output
    assert not target.exists()


def test_the_package_is_named_where_it_lacks(
    run: Run, posts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what to type."""
    monkeypatch.setitem(sys.modules, "embedbridge.bulk", None)
    result = run("run", posts, tmp_path / "out", "-m", "fake:small", "--text-column", "body")

    assert result.exit_code == 1
    assert 'pip install "embedbridge[bulk]"' in result.stderr


def test_the_words_are_those_of_the_library() -> None:
    """The command line has them before it knows whether the library is installed."""
    assert [word.value for word in command.Engine] == list(ENGINES)
    assert [word.value for word in command.Errors] == list(get_args(JobErrors))


@pytest.mark.parametrize("option", ["errors=collect", "limit=1", "progress=1", "text=body"])
def test_what_the_job_takes_is_no_option_of_the_model(
    run: Run, posts: Path, tmp_path: Path, option: str
) -> None:
    """Wrong usage, and no traceback; it would also take the place of the command's own option."""
    result = run("run", posts, tmp_path / "out", "-m", "fake:small", "--option", option)

    assert result.exit_code == 2, result.output
    assert option.partition("=")[0] in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_the_size_of_a_part_is_an_option(
    run: Run, posts: Path, tmp_path: Path, dry: list[str]
) -> None:
    """Of the job and of its dry run; what is no size is an error in a sentence."""
    job = ["run", posts, tmp_path / "out", "-m", "fake:small", "--text-column", "body", *dry]
    small, none = (run(*job, "--option", f"part_bytes={size}") for size in (1, "abc"))

    assert small.exit_code == 0, small.output
    assert none.exit_code == 1
    assert "part_bytes='abc' is no number of bytes above 0" in none.stderr
    assert len(list((tmp_path / "out").glob("*"))) == (0 if dry else 5)


@pytest.mark.parametrize(
    ("errors", "told"), [("column", "embedding_error"), ("file", "out.errors")]
)
def test_a_job_of_which_nothing_came_has_failed(
    run: Run, tmp_path: Path, errors: str, told: str
) -> None:
    """As with `embed`: exit code 1, beside what became of the rows."""
    source = tmp_path / "posts.jsonl"
    source.write_text('{"file": "a.png"}\n{"file": null}\n{"file": "b.png"}\n')
    command = ("run", source, tmp_path / "out", "-m", "fake:small", "--image-column", "file")
    result = run(*command, "--errors", errors)

    assert result.exit_code == 1, result.output
    assert "3 rows: 1 empty, 2 failed" in result.stderr
    assert "None of 2 rows could be embedded" in result.stderr
    assert told in result.stderr


def test_of_one_argument_the_target_is_missing(run: Run, posts: Path) -> None:
    """What is typed first is the source: it is not called missing."""
    result = run("run", posts, "-m", "fake:small")

    assert result.exit_code == 2
    assert "target: it is missing" in result.stderr
    assert "source" not in result.stderr.partition("Error")[2]


def test_a_dry_run_makes_no_budget_file(run: Run, posts: Path, tmp_path: Path) -> None:
    """Nothing is written; whether a limit is set is checked all the same."""
    before = sorted(tmp_path.rglob("*"))
    command = ("run", posts, tmp_path / "out", "-m", "fake:small", "--text-column", "body")
    budget = ("--dry-run", "--budget", tmp_path / "budget")
    result = run(*command, *budget, "--requests-per-minute", "10")

    assert result.exit_code == 0, result.output
    assert "5 rows: 3 to embed" in result.stdout
    assert run(*command, *budget).exit_code == 2
    assert sorted(tmp_path.rglob("*")) == before
