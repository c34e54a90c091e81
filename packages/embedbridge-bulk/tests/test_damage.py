"""Damaged sources and targets: a typed error that says where, and all other rows done."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from embedbridge.bulk import RowError, SourceError, TargetError, estimate, run
from embedbridge.bulk.errors import cannot_write
from embedbridge.contract import InvalidOptionError
from embedbridge.core import Embedder
from embedbridge.testing import FakeModel, RecordingModel

NOBODY = 65_534
LITTLE_ROOM = """
import os, resource, sys
most = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"  # no compiled module is cut, which Python would load
os.execv(sys.executable, sys.argv[2:])
"""
"""A program: another one, whose files have no more than so many bytes."""
DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "garbage": lambda data: b"no table at all",
    "cut": lambda data: data[: len(data) // 2],
    "flipped": lambda data: data[:200] + bytes(255 - byte for byte in data[200:400]) + data[400:],
}


@pytest.fixture
def target(any_target: Any) -> Any:
    """What these tests say holds for each format."""
    return any_target


def write(table: Any, path: Any) -> None:
    if path.suffix == ".csv":
        pa.csv.write_csv(table, path)
    elif path.suffix == ".jsonl":
        lines = table.to_pylist()
        path.write_text(
            "".join(f'{{"id": {row["id"]}, "text": "{row["text"]}"}}\n' for row in lines)
        )
    else:
        pq.write_table(table, path, row_group_size=50)


@pytest.fixture
def folder(tmp_path: Any, rows: Any) -> Any:
    """Three files of a hundred rows each."""

    def make(ending: Any = ".parquet") -> Any:
        place = tmp_path / "in"
        place.mkdir(exist_ok=True)
        for number in range(3):
            write(rows(100, 100 * number), place / f"{number}{ending}")
        return place

    return make


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_damaged_file_costs_its_own_rows(
    job: Any, folder: Any, out: Any, model: Any, damage: Any, number: Any
) -> None:
    """It is named, the rows of the others are done, and a repaired file is all that is paid then."""
    place = folder()
    path = place / f"{number}.parquet"
    whole = path.read_bytes()
    path.write_bytes(DAMAGES[damage](whole))
    with pytest.raises(SourceError, match=rf"{number}\.parquet.*cannot be read"):
        job(place)
    done = out().column("id").to_pylist()
    path.write_bytes(whole)
    job(place)

    others = [n for n in range(300) if n // 100 != number]
    assert [n for n in done if n // 100 != number] == others
    assert len(model.seen) == len(set(model.seen))
    assert out().column("id").to_pylist() == list(range(300))


def test_a_damaged_file_removes_no_rows(job: Any, folder: Any, out: Any) -> None:
    """What its rows are is not known: those that are in the target stay."""
    place = folder()
    job(place)
    (place / "1.parquet").write_bytes(b"")
    with pytest.raises(SourceError):
        job(place)

    assert out().column("id").to_pylist() == list(range(300))


@pytest.mark.parametrize(
    ("ending", "damage"), [(".csv", "empty"), (".csv", "garbage"), (".jsonl", "garbage")]
)
def test_damaged_lines_cost_their_file(
    job: Any, folder: Any, out: Any, ending: Any, damage: Any
) -> None:
    """The same for files of text."""
    place = folder(ending)
    (place / f"1{ending}").write_bytes(DAMAGES[damage](b""))
    with pytest.raises(SourceError, match=rf"1\{ending}"):
        job(place)

    ids = list(map(int, out().column("id").to_pylist()))
    assert ids == [*range(100), *range(200, 300)]


@pytest.mark.parametrize("ending", [".parquet", ".csv"])
@pytest.mark.parametrize("number", [0, 1])
def test_names_of_columns_that_are_no_utf8_cost_their_file(
    job: Any, folder: Any, out: Any, ending: Any, number: Any
) -> None:
    """The first file says which columns there are: where it cannot, the second does."""
    place = folder(ending)
    path = place / f"{number}{ending}"
    path.write_bytes(path.read_bytes().replace(b"text", "téxt".encode("latin-1")))
    with pytest.raises(SourceError, match=rf"{number}\{ending}.*cannot be read"):
        job(place)

    ids = list(map(int, out().column("id").to_pylist()))
    assert ids == [n for n in range(300) if n // 100 != number]


@pytest.mark.parametrize("ending", [".parquet", ".csv"])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_file_without_rows_is_no_fault(
    job: Any, folder: Any, rows: Any, out: Any, ending: Any, number: Any
) -> None:
    """It has columns; what has not even these is damaged."""
    place = folder(ending)
    write(rows(0), place / f"{number}{ending}")
    job(place)

    ids = list(map(int, out().column("id").to_pylist()))
    assert ids == [n for n in range(300) if n // 100 != number]


@pytest.mark.parametrize("lines", ["", "\n", " \n\n"])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_json_file_without_lines_is_no_fault(
    job: Any, folder: Any, out: Any, lines: Any, number: Any
) -> None:
    """As jobs of many workers write them; the columns are those of the others, and what is gone leaves."""
    place = folder(".jsonl")
    job(place)
    (place / f"{number}.jsonl").write_text(lines)
    job(place)

    assert out().column("id").to_pylist() == [n for n in range(300) if n // 100 != number]


def test_json_files_without_any_line_have_no_columns(job: Any, files: Any, tmp_path: Path) -> None:
    """Whether there would be a text, nobody knows."""
    (tmp_path / "a.jsonl").write_text("")
    with pytest.raises(SourceError, match=r"a\.jsonl.* has no column"):
        job(tmp_path / "a.jsonl")


ENCODINGS = {
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16LE",
    "utf-16-be": "UTF-16BE",
    "utf-32": "UTF-32",
    "utf-32-le": "UTF-32LE",
    "latin-1": "WINDOWS-1252",
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl"])
def test_a_file_of_another_encoding_says_so(
    job: Any, tmp_path: Path, encoding: Any, name: Any
) -> None:
    """And how to convert it: of UTF-16, Arrow says that columns lack."""
    text = "id\ttext\tcafé\n1\ta\tb\n".replace("\t", "," if name == "a.csv" else "\t")
    if name == "a.jsonl":
        text = '{"id": 1, "text": "a", "café": "b"}\n'
    (tmp_path / name).write_text(text, encoding=encoding, newline="")
    with pytest.raises(SourceError, match=rf"not UTF-8.*iconv -f {ENCODINGS[encoding]} "):
        job(tmp_path / name)


def test_a_column_of_another_type_costs_its_file(job: Any, folder: Any, out: Any) -> None:
    """The first file says what a column holds."""
    place = folder()
    write(pa.table({"id": ["x"], "text": ["y"]}), place / "1.parquet")
    with pytest.raises(SourceError, match=r"1\.parquet, column id"):
        job(place)

    assert out().num_rows == 200


def test_a_column_that_lacks_costs_its_file(job: Any, folder: Any, out: Any) -> None:
    """It is named."""
    place = folder()
    write(pa.table({"id": [1]}), place / "1.parquet")
    with pytest.raises(SourceError, match=r"1\.parquet has no column 'text'"):
        job(place)

    assert out().num_rows == 200


@pytest.mark.parametrize("source", ["nothing", "nothing/*.parquet", "notes.txt", "empty"])
def test_a_source_that_is_none_is_named(job: Any, tmp_path: Any, files: Any, source: Any) -> None:
    """A path, a pattern, a file of another kind, a folder without a table: nothing is written."""
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match=source.partition("/")[0]):
        job(tmp_path / source)

    assert set(files()) == {"notes.txt"}


def test_a_column_of_the_wrong_type_is_refused(job: Any, folder: Any, files: Any) -> None:
    """Before anything is paid."""
    with pytest.raises(InvalidOptionError, match="int64, not texts"):
        job(folder(), text="id")


def test_a_row_group_of_nulls_is_nothing(job: Any, tmp_path: Any, out: Any) -> None:
    """Null in, null out; also where no row of a chunk has a vector."""
    texts = [*["a"] * 50, *[None] * 100, *["b"] * 50]
    path = tmp_path / "in.parquet"
    write(pa.table({"id": list(range(200)), "text": pa.array(texts)}), path)
    report = job(path)
    valid = [vector is not None for vector in out().column("vector").to_pylist()]

    assert valid == [text is not None for text in texts]
    assert report.empty == 100
    assert out().column("embedding_error").null_count == 200


def test_a_column_of_nulls_alone_is_nothing(job: Any, out: Any) -> None:
    """Its type may be null, too."""
    report = job(pa.table({"id": [1, 2], "text": pa.nulls(2)}))

    assert report.empty == 2
    assert out().column("vector").null_count == 2


@pytest.mark.parametrize("before", [True, False])
def test_what_fails_before_anything_is_paid_leaves_nothing(
    job: Any, rows: Any, files: Any, target: Any, before: Any
) -> None:
    """No folder, no journal; an older target is as it was."""
    if before:
        job(rows(50))
    old = files()
    with pytest.raises(RowError):
        job(pa.table({"id": [1], "text": [" "]}))

    assert files() == old
    assert target.exists() == before
    assert not (target.with_name(f"{target.name}.journal")).exists()


def test_older_files_stay_until_all_new_ones_are_there(
    job: Any, rows: Any, out: Any, tmp_path: Any
) -> None:
    """Whoever reads the target while a job runs, or after it was given up, sees one version."""
    job(rows(300))
    old = out()
    changed = rows(301, start=1).to_pylist()
    changed[250]["text"] = " "
    seen = []
    with pytest.raises(RowError):
        job(pa.Table.from_pylist(changed), progress=lambda _: seen.append(out().equals(old)))
    given_up = out().equals(old)
    changed[250]["text"] = "repaired"
    job(pa.Table.from_pylist(changed))

    assert len(seen) > 1
    assert all(seen)
    assert given_up
    assert out().column("id").to_pylist() == list(range(1, 302))


def test_ids_may_repeat(job: Any, out: Any) -> None:
    """A row is known by its content: none is lost, none is taken for another."""
    job(pa.table({"id": [1, 1, 1], "text": ["a", "b", "a"]}))

    assert out().column("id").to_pylist() == [1, 1, 1]
    assert out().column("text").to_pylist() == ["a", "b", "a"]


@pytest.mark.parametrize("any_target", ["out"], indirect=True)
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_part_is_named(job: Any, rows: Any, out: Any, tmp_path: Any, damage: Any) -> None:
    """Deleted, it is made again, and only its rows are paid."""
    job(rows(300))
    part = min((tmp_path / "out").iterdir())
    data = part.read_bytes()
    broken = DAMAGES[damage](data)
    part.write_bytes(broken if damage != "flipped" else data[:-200] + b"\0" * 200)
    with pytest.raises(TargetError, match=r"part-00000.*damaged.*Delete it"):
        job(rows(300))
    part.unlink()
    report = job(rows(300))

    assert out().column("id").to_pylist() == list(range(300))
    assert 0 < report.embedded < 300
    assert report.parts_written == 1


def damage_inside(part: Path, column: str) -> None:
    """Overwrite the head of a column's first page; the end of the file is as it was."""
    group = pq.read_metadata(part).row_group(0)
    (chunk,) = (
        found
        for found in map(group.column, range(group.num_columns))
        if found.path_in_schema.startswith(column)
    )
    data = bytearray(part.read_bytes())
    data[chunk.data_page_offset : chunk.data_page_offset + 20] = b"\xff" * 20
    part.write_bytes(data)


@pytest.mark.parametrize("any_target", ["out"], indirect=True)
@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize("column", ["content_digest", "vector"])
@pytest.mark.parametrize("far", [False, True])
def test_damage_inside_a_part_is_named(
    job: Any, rows: Any, out: Any, tmp_path: Any, column: Any, replace: Any, far: Any
) -> None:
    """Rows that move want its vectors. With replace=True, digests that cannot be read cost their part."""
    job(rows(300))
    part = min((tmp_path / "out").iterdir())
    damage_inside(part, column)
    order = sorted(range(300), key=lambda n: n % 40) if far else list(range(300))
    moved = pa.concat_tables([rows(1, 1000), rows(300).take(order)])
    if not (replace and column == "content_digest"):
        with pytest.raises(TargetError, match=r"part-00000.*damaged.*Delete it"):
            job(moved, replace=replace)
        part.unlink()
    report = job(moved, replace=replace)

    assert out().column("id").to_pylist() == [1000, *order]
    assert 1 < report.embedded < 300


@pytest.mark.parametrize("any_target", ["out"], indirect=True)
def test_a_parquet_file_of_somebody_else_is_refused(job: Any, rows: Any, tmp_path: Any) -> None:
    """It has the name of a part, and is none."""
    (tmp_path / "out").mkdir()
    pq.write_table(rows(3), tmp_path / "out" / f"part-00000-{'0' * 32}.parquet")
    with pytest.raises(TargetError, match="not written by a bulk job"):
        job(rows(3))


@pytest.mark.parametrize("start", [run, estimate])
def test_a_target_where_a_file_system_begins_is_refused(
    model: RecordingModel, rows: Any, start: Any
) -> None:
    """Such as a volume of a container: no part can be moved into it, and the first would be paid."""
    place = Path("/proc")
    if not place.is_mount():
        pytest.skip("no file system is known that begins in a folder of this machine")
    with pytest.raises(TargetError, match=r"file system begins at .* Name a folder inside it"):
        start(rows(3), place, model=Embedder(model), text="text")

    assert not model.seen
    assert not Path("/proc.journal").exists()


def test_a_move_to_another_file_system_has_a_remedy() -> None:
    """One may be bound there that no number of a device tells from its folder's."""
    error = cannot_write("vectors", OSError(errno.EXDEV, "Invalid cross-device link"))

    assert "name a folder inside it" in str(error)


def test_a_target_that_is_a_file_is_refused(job: Any, rows: Any, target: Any) -> None:
    """It stays as it is."""
    target.write_text("mine")
    with pytest.raises(TargetError, match="no folder"):
        job(rows(3))

    assert target.read_text() == "mine"


@pytest.fixture
def read_only(tmp_path: Any, rows: Any, tmp_path_factory: Any) -> Any:
    """Nothing can be written beside or into the target while this holds; root, who always may, is nobody."""
    # All modules are imported before: that user may not read them.
    run(
        rows(1),
        tmp_path_factory.mktemp("first") / "out",
        model=Embedder(FakeModel("small")),
        text="text",
    )

    @contextmanager
    def hold() -> Iterator[None]:
        folders = [tmp_path, *(path for path in tmp_path.rglob("*") if path.is_dir())]
        above = [path for path in tmp_path.parents if path.stat().st_uid == os.getuid()]
        before = {path: path.stat().st_mode for path in [*folders, *above]}
        is_root = os.geteuid() == 0
        for path in folders:
            path.chmod(0o555)
        for path in above if is_root else ():
            path.chmod(before[path] | 0o005)
        try:
            if is_root:
                os.seteuid(NOBODY)
            yield
        finally:
            if is_root:
                os.seteuid(0)
            for path, mode in before.items():
                path.chmod(mode)

    return hold


def test_a_read_only_target_is_named(job: Any, rows: Any, files: Any, read_only: Any) -> None:
    """With what to do, before anything is paid."""
    with read_only(), pytest.raises(TargetError, match="permissions"):
        job(rows(3))

    assert files() == {}


def test_a_target_that_became_read_only_stays_as_it_is(
    job: Any, rows: Any, out: Any, files: Any, model: Any, read_only: Any
) -> None:
    """Once it can be written, only what is new is paid."""
    job(rows(100))
    before, paid = files(), list(model.seen)
    with read_only(), pytest.raises(TargetError, match="permissions"):
        job(rows(200))
    refused = files(), list(model.seen)
    job(rows(200))

    assert refused == (before, paid)
    assert out().column("id").to_pylist() == list(range(200))
    assert len(model.seen) == len(set(model.seen))


@pytest.mark.heavy
@pytest.mark.parametrize("most", [4000, 9000, 30_000])
def test_a_disk_that_is_full_loses_nothing(
    rows: Any, tmp_path: Any, most: Any, job: Any, out: Any, target: Any
) -> None:
    """Header, journal or part: a typed error; with room again the rest is done."""
    source = tmp_path / "in.parquet"
    pq.write_table(rows(600), source)
    worker = Path(__file__).with_name("killed_worker.py")
    command = [sys.executable, str(worker), str(source), str(target), "0", "local"]
    full = subprocess.run(
        # -B: bytecode has no room either, and would be cut for all later processes.
        [sys.executable, "-c", LITTLE_ROOM, str(most), sys.executable, "-B", *command[1:]],
        capture_output=True,
        text=True,
        check=False,
    )
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    paid = (tmp_path / "paid.log").read_text().splitlines()

    assert "TargetError" in full.stderr.splitlines()[-1]
    assert "kept in the journal" in full.stderr
    assert done.returncode == 0, done.stderr
    assert out().column("id").to_pylist() == list(range(600))
    assert len(paid) - len(set(paid)) <= 3 * 8
