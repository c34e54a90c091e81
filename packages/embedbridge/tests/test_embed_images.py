"""`embedbridge embed --images` turns the pictures of a folder into vectors."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import Result

from embedbridge.contract import Image
from embedbridge.core import load_embedder, load_vectors
from embedbridge.testing import tiny_png

Run = Callable[..., Result]
MODEL = ("--model", "fake:small")
PICTURES = {"b.png": tiny_png(1), "holiday/a.png": tiny_png(2), "no ending": tiny_png(3)}
OTHERS = {"notes.txt": b"a text", "holiday/film.mov": b"\0\0\0\x14ftypqt  ", ".hidden.png": b"x"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures, among them one without an ending, and three files that are none."""
    folder = tmp_path / "pictures"
    (folder / "holiday").mkdir(parents=True)
    for name, data in {**PICTURES, **OTHERS}.items():
        (folder / name).write_bytes(data)
    return folder


def parse(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def vectors_of(*pictures: bytes) -> list[list[float]]:
    embedder = load_embedder("fake:small")
    return embedder.embed_images(map(Image.from_bytes, pictures)).tolist()  # type: ignore[no-any-return]


def test_pictures_become_json_lines(run: Run, folder: Path) -> None:
    """In the order of their paths, which name them; what is no picture is named on stderr."""
    result = run("embed", "--images", folder, *MODEL)
    names = ["b.png", "no ending", "holiday/a.png"]

    assert result.exit_code == 0, result.output
    assert parse(result.stdout) == [
        {"index": index, "image": name, "vector": vector}
        for index, (name, vector) in enumerate(
            zip(names, vectors_of(*map(PICTURES.__getitem__, names)), strict=True)
        )
    ]
    assert result.stderr == "Skipped 2 other files: notes.txt, holiday/film.mov\n"


def test_safetensors_have_paths_as_ids(run: Run, folder: Path, tmp_path: Path) -> None:
    """Every vector can be traced to its picture, on every system with the same spelling."""
    path = tmp_path / "vectors.safetensors"
    result = run("embed", "-i", folder, *MODEL, "--output", path)

    assert load_vectors(path).ids == ["b.png", "no ending", "holiday/a.png"]
    assert f"Wrote 3 vectors of 8 dimensions to {path}" in result.stderr


def test_a_numpy_file(run: Run, folder: Path, tmp_path: Path) -> None:
    """One row per picture, over several windows."""
    path = tmp_path / "vectors.npy"
    run("embed", "--images", folder, *MODEL, "-o", path, "--option", "window=2")

    assert np.load(path).tolist() == vectors_of(tiny_png(1), tiny_png(3), tiny_png(2))


def test_one_picture(run: Run, folder: Path) -> None:
    """A file may stand in place of a folder."""
    (line,) = parse(run("embed", "--images", folder / "holiday" / "a.png", *MODEL).stdout)

    assert (line["image"], line["vector"]) == ("a.png", vectors_of(tiny_png(2))[0])


def test_one_file_that_is_no_picture_is_an_error(run: Run, tmp_path: Path) -> None:
    """Whoever names a file means it: it is not skipped, and an older output stays."""
    (tmp_path / "a.txt").write_text("A cat.")
    (tmp_path / "vectors.npy").write_bytes(b"yesterday's")
    result = run("embed", "-i", tmp_path / "a.txt", *MODEL, "-o", tmp_path / "vectors.npy")

    assert result.exit_code == 1
    assert "a.txt" in result.stderr
    assert (tmp_path / "vectors.npy").read_bytes() == b"yesterday's"


def test_a_query_is_embedded_as_a_query(run: Run, folder: Path) -> None:
    """`--role query` holds for pictures, too."""
    (line,) = parse(run("embed", "-i", folder / "b.png", *MODEL, "--role", "query").stdout)
    expected = load_embedder("fake:small").embed_images(
        [Image.from_bytes(tiny_png(1))], role="query"
    )

    assert line["vector"] == expected[0].tolist()


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("holiday/bad.png", tiny_png()[:40], "truncated"),
        ("bad.jpg", b"a text", "text"),
        ("bad", tiny_png()[:40], "truncated"),
        ("bad.heic", b"\0\0\0\x14ftypheic", "HEIC"),
        ("bad.webp", b"", "0 bytes"),
    ],
    ids=["truncated", "a text", "no ending", "HEIC", "empty"],
)
def test_a_broken_picture_is_no_other_file(
    run: Run, folder: Path, name: str, data: bytes, message: str
) -> None:
    """What its name or its content calls a picture is not skipped: the job stops and names it."""
    (folder / name).write_bytes(data)
    result = run("embed", "--images", folder, *MODEL)

    assert result.exit_code == 1
    assert message in result.stderr
    assert f"(file {name})" in result.stderr


def test_collected_errors_stand_beside_the_vectors(run: Run, folder: Path, tmp_path: Path) -> None:
    """With errors=collect the other pictures are embedded, and the line says what is wrong."""
    (folder / "c.png").write_bytes(b"no picture")
    options = ("--option", "errors=collect", "--option", "window=2")
    result = run("embed", "--images", folder, *MODEL, *options)
    first, bad, *others = parse(result.stdout)

    assert bad["image"] == "c.png"
    assert bad["vector"] is None
    assert bad["error"].startswith("Input 1: ")
    assert [line["vector"] for line in (first, *others)] == vectors_of(
        tiny_png(1), tiny_png(3), tiny_png(2)
    )
    assert "Failed to embed 1 image\n" in result.stderr


def test_the_bar_counts_pictures(run: Run, folder: Path) -> None:
    """Files that are none are not in the total."""
    result = run("embed", "--images", folder, *MODEL, "--progress")

    assert "3/3" in result.stderr
    assert "images/s" in result.stderr


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_does_not_stop_the_job(run: Run, folder: Path) -> None:
    """It would never end: nobody writes into it."""
    os.mkfifo(folder / "pipe.png")
    result = run("embed", "--images", folder, *MODEL)

    assert len(parse(result.stdout)) == 3
    assert "pipe.png" in result.stderr


def test_a_model_of_texts_says_so(run: Run, folder: Path) -> None:
    """Before any picture is read."""
    result = run("embed", "--images", folder, "--model", "fake:text")

    assert result.exit_code == 1
    assert "embeds text, not image" in result.stderr


def test_only_one_kind_of_input(run: Run, folder: Path) -> None:
    """Texts and pictures of one call could not be told apart in a file of vectors."""
    for arguments in (("a text", "--images", folder), ("--file", "-", "--images", folder), ()):
        result = run("embed", *arguments, *MODEL)

        assert result.exit_code == 2
        assert "--images" in result.stderr


def test_a_folder_that_is_missing(run: Run, tmp_path: Path) -> None:
    """Wrong usage, before a model is loaded."""
    result = run("embed", "--images", tmp_path / "missing", *MODEL)

    assert result.exit_code == 2
    assert "does not exist" in result.stderr


NO_UTF8 = b"caf\xe9.png"
"""A name that an old archive or a camera's card left behind."""


@pytest.fixture
def odd_names(tmp_path: Path) -> Path:
    """A folder with names that are no UTF-8: a picture, what is none, and a broken picture."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    root = os.fsencode(folder)
    try:
        for name in (b"a.png", NO_UTF8, "ü.png".encode()):
            with open(os.path.join(root, name), "wb") as file:  # noqa: PTH118, PTH123  # bytes
                file.write(tiny_png(len(name)))
        with open(os.path.join(root, b"n\xf6tes.txt"), "wb") as file:  # noqa: PTH118, PTH123
            file.write(b"a text")
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    return folder


@pytest.mark.parametrize("ending", ["stdout", "jsonl", "npy", "safetensors"])
def test_a_file_name_may_be_no_utf8(run: Run, odd_names: Path, tmp_path: Path, ending: str) -> None:
    """Its picture is embedded as any other, and its name in the file opens it again."""
    path = tmp_path / f"vectors.{ending}"
    output = [] if ending == "stdout" else ["--output", path]
    result = run("embed", "--images", odd_names, *MODEL, *output, "--progress")

    assert result.exit_code == 0, result.output
    assert "n\\udcf6tes.txt" in result.stderr
    if ending == "npy":
        assert np.load(path).shape == (3, 8)
        return
    if ending == "safetensors":
        names = load_vectors(path).ids
    else:
        lines = result.stdout_bytes if ending == "stdout" else path.read_bytes()
        assert b"\xc3\xbc.png" in lines  # what is UTF-8 stays readable
        names = [json.loads(line)["image"] for line in lines.splitlines()]
    assert names is not None
    assert sorted(map(os.fsencode, names)) == sorted([b"a.png", NO_UTF8, "ü.png".encode()])


@pytest.mark.parametrize("errors", ["raise", "collect"])
def test_a_broken_picture_may_have_such_a_name(run: Run, odd_names: Path, errors: str) -> None:
    """The message that names it is a line, not a traceback."""
    (odd_names / os.fsdecode(NO_UTF8)).write_bytes(b"no picture")
    result = run("embed", "-i", odd_names, *MODEL, "--option", f"errors={errors}")

    said = result.stderr if errors == "raise" else parse(result.stdout)[1]["error"]
    assert "caf" in said
    assert "not supported" in said
    assert result.exit_code == (1 if errors == "raise" else 0)
