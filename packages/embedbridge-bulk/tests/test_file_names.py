"""Files whose names are no UTF-8, as from an old camera or an archive of Windows: each is named, none stops others."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from embedbridge.bulk import SourceError, TargetError, estimate, run
from embedbridge.testing import tiny_png

NAME = os.fsdecode(b"caf\xe9")
SHOWN = r"caf\\udce9"
ROW = '{"text": "a"}\n'


@pytest.fixture
def odd(tmp_path: Path) -> Callable[..., Path]:
    """Makes a file of such a name, where the file system takes it."""

    def make(place: str, data: bytes = ROW.encode()) -> Path:
        path = tmp_path / place
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        except OSError:
            pytest.skip("This file system knows no such names")
        return path

    return make


@pytest.mark.parametrize("errors", ["fail", "column", "file"])
@pytest.mark.parametrize("place", [f"{NAME}.png", f"{NAME}/b.png"])
def test_a_picture_of_such_a_name_costs_its_row(
    tmp_path: Path, odd: Any, out: Any, errors: Any, place: str
) -> None:
    """As a file of a table that cannot be read: all others are embedded, then it is named."""
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "a.png").write_bytes(tiny_png(1))
    picture = odd(f"p/{place}", tiny_png(2))
    with pytest.raises(SourceError, match=f"{SHOWN}.* is no UTF-8"):
        run(tmp_path / "p", tmp_path / "out", model="fake:small", errors=errors)
    with pytest.raises(SourceError, match=f"{SHOWN}.* is no UTF-8"):
        estimate(tmp_path / "p", tmp_path / "out", model="fake:small", errors=errors)
    first = out().column("path").to_pylist()
    picture.rename(tmp_path / "p" / "b.png")
    report = run(tmp_path / "p", tmp_path / "out", model="fake:small", errors=errors)

    assert first == ["a.png"]
    assert (report.kept, report.embedded) == (1, 1)
    assert out().column("path").to_pylist() == ["a.png", "b.png"]


@pytest.mark.parametrize("source", ["s", "s/*.jsonl", f"s/{NAME}.jsonl", f"s/{NAME}/*"])
def test_a_table_of_such_a_name_is_named(tmp_path: Path, odd: Any, job: Any, source: str) -> None:
    """Also one that is named itself, or within a folder of such a name."""
    odd(f"s/{NAME}.jsonl")
    odd(f"s/{NAME}/1.jsonl")
    with pytest.raises(SourceError, match=f"{SHOWN}.* is no UTF-8"):
        job(str(tmp_path / source), id=None)


@pytest.mark.parametrize("source", ["s", "s/*.jsonl", "s/1.*"])
def test_other_files_of_such_names_do_not_matter(
    tmp_path: Path, odd: Any, job: Any, out: Any, source: str
) -> None:
    """A text in a folder of tables is no table, whatever its name is."""
    odd("s/1.jsonl")
    odd(f"s/{NAME}.txt")
    odd(f"s/{NAME}/notes.txt")
    job(str(tmp_path / source), id=None)

    assert out().num_rows == 1


def test_the_rows_of_all_others_are_embedded(tmp_path: Path, odd: Any, job: Any, out: Any) -> None:
    """Wherever among them it is."""
    for place in ("a", NAME, "z"):
        odd(f"s/{place}.jsonl", ROW.replace("a", place[0]).encode())
    with pytest.raises(SourceError, match=SHOWN):
        job(str(tmp_path / "s"), id=None, part_bytes=1)

    assert out().column("text").to_pylist() == ["a", "z"]


def test_no_target_has_such_a_name(tmp_path: Path, odd: Any, rows: Any, model: Any) -> None:
    """It is refused before anything is paid."""
    odd(f"{NAME}/1.jsonl")
    with pytest.raises(TargetError, match=f"{SHOWN}.* is no UTF-8"):
        run(rows(3), tmp_path / NAME / "out", model=model, text="text")

    assert not model.seen
