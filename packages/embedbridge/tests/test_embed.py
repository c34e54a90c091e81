"""`embedbridge embed` turns texts, or the lines of a file, into vectors in a file or on stdout."""

import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import Result

from embedbridge.cli.embed.texts import STDIN, Lines
from embedbridge.core import load_embedder, load_vectors

Run = Callable[..., Result]
MODEL = ("--model", "fake:small")
TEXTS = ["one text", "ein anderer: äöü 👩‍👩‍👧", "a third"]


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    """A file whose second line is empty."""
    path = tmp_path / "lines.txt"
    path.write_text(f"{TEXTS[0]}\n\n{TEXTS[1]}\n{TEXTS[2]}", encoding="utf-8")
    return path


def parse(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def vectors_of(*texts: str, **options: Any) -> list[list[float]]:
    return load_embedder("fake:small", **options).embed_documents(texts).tolist()  # type: ignore[no-any-return]


# What comes out.


def test_texts_become_json_lines_on_stdout(run: Run) -> None:
    """One object per text, in order, with the engine's vectors to the last bit."""
    result = run("embed", *TEXTS, *MODEL)

    assert result.exit_code == 0
    assert parse(result.stdout) == [
        {"index": index, "text": text, "vector": vector}
        for index, (text, vector) in enumerate(zip(TEXTS, vectors_of(*TEXTS), strict=True))
    ]
    assert result.stderr == ""


def test_json_lines_in_a_file(run: Run, tmp_path: Path) -> None:
    """The same lines as on stdout, which stays empty; the text is readable UTF-8."""
    path = tmp_path / "vectors.jsonl"
    result = run("embed", *TEXTS, *MODEL, "--output", path)

    assert result.stdout == ""
    assert path.read_text(encoding="utf-8") == run("embed", *TEXTS, *MODEL).stdout
    assert TEXTS[1] in path.read_text(encoding="utf-8")


def test_a_numpy_file(run: Run, tmp_path: Path) -> None:
    """`numpy.load` reads it without pickle: float32, shape (n, dimensions)."""
    path = tmp_path / "vectors.npy"
    result = run("embed", *TEXTS, *MODEL, "--output", path)
    loaded = np.load(path, allow_pickle=False)

    assert loaded.dtype == np.float32
    assert loaded.tolist() == vectors_of(*TEXTS)
    assert result.stderr == f"Wrote 3 vectors of 8 dimensions to {path}\n"


def test_a_numpy_file_written_in_windows(run: Run, tmp_path: Path) -> None:
    """The header tells the rows of the whole stream, which nobody knew at its beginning."""
    path = tmp_path / "vectors.npy"
    many = "".join(f"text {number}\n" for number in range(1000))
    run("embed", "-f", "-", *MODEL, "-o", path, "--option", "window=7", input=many)

    assert np.load(path).tolist() == vectors_of(*many.splitlines())


def test_safetensors_know_space_and_fingerprint(run: Run, tmp_path: Path) -> None:
    """`load_vectors` accepts the file for the same model, and its ids are positions."""
    path = tmp_path / "vectors.safetensors"
    run("embed", *TEXTS, *MODEL, "--output", path)
    embedder = load_embedder("fake:small")
    stored = load_vectors(path, embedder=embedder)

    assert stored.vectors.tolist() == vectors_of(*TEXTS)
    assert (stored.space, stored.fingerprint) == (embedder.space, embedder.fingerprint)
    assert stored.ids == ["0", "1", "2"]


def test_a_query_is_embedded_as_a_query(run: Run) -> None:
    """`--role query` reaches the model."""
    (line,) = parse(run("embed", "a text", *MODEL, "--role", "query").stdout)

    assert line["vector"] == load_embedder("fake:small").embed_query("a text").tolist()


def test_options_reach_the_model(run: Run) -> None:
    """JSON where it is JSON, plain text elsewhere."""
    output = run(
        "embed", "a", *MODEL, "--option", "seed=7", "--option", "document_prompt=passage: "
    ).stdout

    assert parse(output)[0]["vector"] == vectors_of("a", seed=7, document_prompt="passage: ")[0]


# Files of lines.


def test_lines_of_a_file_know_their_numbers(run: Run, lines: Path) -> None:
    """Empty lines are skipped with a note, and every vector can be traced to its line."""
    result = run("embed", "--file", lines, *MODEL)

    assert [(line["index"], line["line"], line["text"]) for line in parse(result.stdout)] == [
        (0, 1, TEXTS[0]),
        (1, 3, TEXTS[1]),
        (2, 4, TEXTS[2]),
    ]
    assert result.stderr == "Skipped 1 empty line: 2\n"


def test_safetensors_of_a_file_have_line_numbers_as_ids(
    run: Run, lines: Path, tmp_path: Path
) -> None:
    """What was skipped is visible in the file itself."""
    path = tmp_path / "vectors.safetensors"
    run("embed", "--file", lines, *MODEL, "--output", path)

    assert load_vectors(path).ids == ["1", "3", "4"]


def test_empty_lines_can_be_zeros(run: Run, lines: Path, tmp_path: Path) -> None:
    """With on_empty=zero, row n is line n; and whoever asks for it is warned."""
    path = tmp_path / "vectors.npy"
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        result = run(
            "embed", "--file", lines, *MODEL, "--output", path, "--option", "on_empty=zero"
        )
    assert 'embedbridge: on_empty="zero" made 1 of 4 vectors zeros' in result.stderr
    loaded = np.load(path)

    assert loaded.shape == (4, 8)
    assert not loaded[1].any()
    assert loaded[[0, 2, 3]].tolist() == vectors_of(*TEXTS)


@pytest.mark.parametrize("by", ["option", "environment"])
def test_empty_lines_can_be_embedded(
    run: Run, lines: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """With on_empty=embed every line has its vector, wherever the setting comes from."""
    if by == "environment":
        monkeypatch.setenv("EMBEDBRIDGE_ON_EMPTY", "embed")
    arguments = ["--option", "on_empty=embed"] if by == "option" else []
    result = run("embed", "--file", lines, *MODEL, *arguments)

    written = [(line["line"], line["vector"]) for line in parse(result.stdout)]
    expected = vectors_of(TEXTS[0], "", TEXTS[1], TEXTS[2], on_empty="embed")
    assert written == list(enumerate(expected, start=1))
    assert result.stderr == ""


def test_a_wrong_setting_of_the_environment_is_named(
    run: Run, lines: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its variable, also where it is needed before there is a model."""
    monkeypatch.setenv("EMBEDBRIDGE_ON_EMPTY", "ignore")
    result = run("embed", "--file", lines, *MODEL)

    assert result.exit_code == 1
    assert "the environment variable EMBEDBRIDGE_ON_EMPTY" in result.stderr


@pytest.mark.parametrize("ending", ["stdout", "npy", "safetensors"])
def test_empty_arguments_can_be_skipped(run: Run, tmp_path: Path, ending: str) -> None:
    """With on_empty=skip an empty argument has no row, and a note says so; no file holds a NaN."""
    path = tmp_path / f"vectors.{ending}"
    output = [] if ending == "stdout" else ["--output", path]
    result = run("embed", "", "a", " ", "b", *MODEL, "--option", "on_empty=skip", *output)

    assert result.stderr.splitlines()[0] == "Skipped 2 empty texts: 0, 2"
    if ending == "stdout":
        lines = parse(result.stdout)
        assert [(line["index"], line["text"]) for line in lines] == [(1, "a"), (3, "b")]
    elif ending == "npy":
        assert np.load(path).tolist() == vectors_of("a", "b")
    else:
        stored = load_vectors(path)
        assert stored.vectors.tolist() == vectors_of("a", "b")
        assert stored.ids == ["1", "3"]


def test_lines_of_json_have_their_errors_in_a_column(run: Run) -> None:
    """Under errors=collect each line has `error`, null or not: readers guess columns from the first ones."""
    collected = parse(run("embed", "a", "", *MODEL, "--option", "errors=collect").stdout)

    assert [list(line) for line in collected] == [["index", "text", "vector", "error"]] * 2
    assert collected[0]["error"] is None
    assert "empty" in collected[1]["error"]
    assert "error" not in parse(run("embed", "a", *MODEL).stdout)[0]


def test_a_closed_stdin_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python has no stdin where it was closed before the start, as in some services."""
    monkeypatch.setattr(sys, "stdin", None)
    assert list(Lines(STDIN, keep_empty=False)) == []


def test_a_lone_dash_is_not_embedded(run: Run) -> None:
    """Elsewhere it means stdin, which would be left unread."""
    result = run("embed", "-", *MODEL, input="a\nb\n")

    assert (result.exit_code, result.stdout) == (2, "")
    assert "--file -" in result.stderr


def test_stdin_is_a_file_too(run: Run, lines: Path) -> None:
    """`--file -` reads lines from a pipe."""
    piped = run("embed", "--file", "-", *MODEL, input=lines.read_bytes())

    assert piped.stdout == run("embed", "--file", lines, *MODEL).stdout


def test_windows_files_are_read(run: Run, tmp_path: Path) -> None:
    """A byte order mark and CRLF are no part of any text."""
    path = tmp_path / "windows.txt"
    path.write_bytes(b"\xef\xbb\xbfone text\r\n\r\na third\r\n")
    result = run("embed", "--file", path, *MODEL)

    assert [line["text"] for line in parse(result.stdout)] == ["one text", "a third"]


@pytest.mark.parametrize("ending", ["jsonl", "npy", "safetensors"])
def test_an_empty_file_gives_no_vectors(run: Run, tmp_path: Path, ending: str) -> None:
    """A job of nothing is a job: the file is there, and empty."""
    path = tmp_path / f"vectors.{ending}"
    result = run("embed", "--file", "-", *MODEL, "--output", path, input="\n")

    assert result.exit_code == 0
    assert path.exists()
    assert ending != "npy" or np.load(path).shape == (0, 8)


# What goes wrong.


@pytest.mark.parametrize(
    ("bad", "message"),
    [(b"caf\xe9", "not UTF-8"), (b"\xed\xa0\xbd", "not UTF-8"), (b"word " * 9000, "tokens")],
    ids=["Latin-1", "a surrogate", "too long"],
)
def test_a_bad_line_is_named(run: Run, bad: bytes, message: str) -> None:
    """The number counts the file's lines, also those that were skipped."""
    options = ("--option", "window=2", "--option", "on_too_long=error")
    result = run("embed", "-f", "-", *MODEL, *options, input=b"a\n\nb\nc\n" + bad + b"\nd\n")

    assert result.exit_code == 1
    assert message in result.stderr
    assert "line 5 of stdin" in result.stderr


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"])
def test_a_file_of_windows_is_named_and_not_embedded_as_noise(
    run: Run, tmp_path: Path, encoding: str
) -> None:
    """PowerShell's `>` writes UTF-16; without a mark it is valid UTF-8 full of zeros."""
    path = tmp_path / "lines.txt"
    path.write_bytes("The host is here.\r\nAnd there.\r\n".encode(encoding))
    result = run("embed", "--file", path, *MODEL)

    assert (result.exit_code, result.stdout) == (1, "")
    assert (
        f"The text is {encoding.upper().replace('-LE', 'LE').replace('-BE', 'BE')}" in result.stderr
    )
    assert "iconv" in result.stderr


def test_a_byte_order_mark_is_no_part_of_the_text(run: Run, tmp_path: Path) -> None:
    """Notepad writes one in front of UTF-8."""
    path = tmp_path / "lines.txt"
    path.write_bytes("eins: ü\r\nzwei\r\n".encode("utf-8-sig"))

    assert [line["text"] for line in parse(run("embed", "-f", path, *MODEL).stdout)] == [
        "eins: ü",
        "zwei",
    ]


def test_what_was_paid_for_is_kept(run: Run, tmp_path: Path) -> None:
    """After an error, the vectors so far lie in a valid file beside the one that was asked for."""
    path = tmp_path / "vectors.npy"
    path.write_bytes(b"yesterday's")
    result = run(
        "embed", "-f", "-", *MODEL, "-o", path, "--option", "window=2", input=b"a\nb\nc\n\xff\n"
    )

    assert result.exit_code == 1
    assert np.load(tmp_path / "vectors.npy.partial").tolist() == vectors_of("a", "b")
    assert f"Kept what was embedded of the first 2 inputs in {path}.partial" in result.stderr
    assert path.read_bytes() == b"yesterday's"


def test_a_second_run_keeps_what_the_first_has_kept(run: Run, tmp_path: Path) -> None:
    """Whether it fails at once, later, or not at all: another run's vectors are not its own."""
    path, kept = tmp_path / "vectors.npy", tmp_path / "vectors.npy.partial"
    kept.write_bytes(b"paid for")

    assert run("embed", "", *MODEL, "-o", path).exit_code == 1
    assert list(tmp_path.iterdir()) == [kept]
    for number in (2, 3):
        further = tmp_path / f"vectors.npy.{number}.partial"
        result = run(
            "embed", "-f", "-", *MODEL, "-o", path, "--option", "window=2", input=b"a\nb\n\xff\n"
        )
        assert f"inputs in {further}" in result.stderr
        assert np.load(further).tolist() == vectors_of("a", "b")
    assert run("embed", "a", *MODEL, "-o", path).exit_code == 0
    assert np.load(path).tolist() == vectors_of("a")
    assert kept.read_bytes() == b"paid for"


@pytest.mark.parametrize("ending", ["stdout", "jsonl", "npy", "safetensors"])
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_a_job_without_any_vector_fails(
    run: Run, tmp_path: Path, ending: str, precision: str
) -> None:
    """Also under errors=collect: an older output stays, and nothing else is left behind."""
    if (ending, precision) == ("npy", "int8"):
        pytest.skip("refused: it has no place for an error")
    path = tmp_path / f"vectors.{ending}"
    output = [] if ending == "stdout" else ["--output", path]
    if output:
        path.write_bytes(b"yesterday's")
    options = ("--option", "errors=collect", "--precision", precision)
    result = run("embed", "", " ", *MODEL, *options, *output)

    assert result.exit_code == 1
    assert "No text of 2 could be embedded. The first error: Input 0: The text is" in result.stderr
    if output:
        assert path.read_bytes() == b"yesterday's"
        assert list(tmp_path.iterdir()) == [path]
    else:
        assert [line["vector"] for line in parse(result.stdout)] == [None, None]


def test_a_job_without_any_input_is_no_failure(run: Run, tmp_path: Path) -> None:
    """An empty file of a pipeline's is embedded to an empty file."""
    path = tmp_path / "vectors.npy"
    result = run("embed", "-f", "-", *MODEL, "-o", path, "--option", "errors=collect", input=b"\n")

    assert (result.exit_code, np.load(path).shape[0]) == (0, 0)


def test_a_job_that_fails_at_once_leaves_nothing(run: Run, tmp_path: Path) -> None:
    """No empty file is left behind."""
    run("embed", "", *MODEL, "-o", tmp_path / "vectors.npy")

    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ending", ["jsonl", "npy", "safetensors"])
def test_a_folder_that_is_not_there_shows_before_anything_is_embedded(
    run: Run, tmp_path: Path, ending: str
) -> None:
    """Nobody pays for vectors that cannot be kept: the bad text is not even looked at."""
    result = run("embed", "", *MODEL, "-o", tmp_path / "missing" / f"vectors.{ending}")

    assert result.exit_code == 1
    assert result.stderr.startswith("embedbridge: [Errno 2] No such file or directory")


def test_collected_errors_stand_beside_the_vectors(run: Run) -> None:
    """With errors=collect the rest is embedded; the JSON stays valid and says why."""
    options = ("--option", "errors=collect", "--option", "window=2")
    result = run("embed", "a", "b", "c", "", *MODEL, *options)
    *good, bad = parse(result.stdout)

    assert [line["vector"] for line in good] == vectors_of("a", "b", "c")
    assert bad["vector"] is None
    assert bad["error"].startswith("Input 3: The text is empty")
    assert result.stderr == "Failed to embed 1 text\n"


def test_safetensors_leave_out_what_failed(run: Run, tmp_path: Path) -> None:
    """The ids tell which positions have a vector."""
    path = tmp_path / "vectors.safetensors"
    run("embed", "a", "", "c", *MODEL, "-o", path, "--option", "errors=collect")
    stored = load_vectors(path)

    assert stored.ids == ["0", "2"]
    assert stored.vectors.tolist() == vectors_of("a", "c")


def test_a_text_that_is_cut_is_reported(run: Run) -> None:
    """Truncation is never silent."""
    result = run("embed", "word " * 9000, "short", *MODEL)

    assert result.exit_code == 0
    assert result.stderr == "Cut 1 text, longer than the model reads\n"


# Progress.


def test_one_bar_counts_the_whole_file(run: Run, lines: Path) -> None:
    """The bar is on stderr, spans all windows, and knows how many lines will be embedded."""
    options = ("--progress", "--option", "window=2")
    result = run("embed", "--file", lines, *MODEL, *options)

    assert "100%" in result.stderr
    assert "3/3" in result.stderr
    assert len(parse(result.stdout)) == 3


def test_no_bar_where_nobody_looks(run: Run) -> None:
    """Logs of a pipeline stay clean: stderr is no terminal here."""
    assert run("embed", "a", *MODEL).stderr == ""


def test_a_warning_is_a_line_of_every_command(run: Run, tmp_path: Path) -> None:
    """On stderr, and without the place in our code that gave it."""
    (tmp_path / "vectors.sqlite").write_bytes(b"this is no database " * 1000)
    cache = f"cache={tmp_path / 'vectors.sqlite'}"
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        result = run("embed", "-m", "fake:small", "--option", cache, "a text")

    assert result.exit_code == 0, result.output
    [line] = result.stderr.splitlines()
    assert line.startswith("embedbridge: The cache ")
    assert ".py" not in line
