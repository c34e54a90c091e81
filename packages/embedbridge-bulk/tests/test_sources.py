"""Sources: the same rows from every kind of file, in an order that is the same each time."""

import base64
import gzip
import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from embedbridge.bulk import Columns, SourceError, TargetError, run
from embedbridge.contract import ConfigurationError, InvalidOptionError
from embedbridge.core import Embedder
from embedbridge.testing import FakeModel, RecordingModel, tiny_png

TEXTS = ["plain", "with, a comma", 'and "quotes"', "two\nlines", "2024-01-01", "17", "ünïcödé", "ü"]
TABLE = pa.table({"id": [f"{n:03}" for n in range(len(TEXTS))], "text": TEXTS})


def as_json(table: Any) -> Any:
    return "".join(json.dumps(row) + "\n" for row in table.to_pylist()).encode()


def write(table: Any, path: Any) -> None:
    """By the end of the name."""
    name = path.name.lower().removesuffix(".gz")
    if name.endswith(".parquet"):
        pq.write_table(table, path)
        return
    if name.endswith(("csv", "tsv")):
        options = pa.csv.WriteOptions(delimiter="\t" if name.endswith("tsv") else ",")
        sink = pa.BufferOutputStream()
        pa.csv.write_csv(table, sink, options)
        data = sink.getvalue().to_pybytes()
    else:
        data = as_json(table)
    path.write_bytes(gzip.compress(data) if path.suffix.lower() == ".gz" else data)


@pytest.mark.parametrize(
    "name",
    [
        "a.parquet",
        "a.pq.parquet",
        "a.csv",
        "a.tsv",
        "a.jsonl",
        "a.ndjson",
        "a.jsonl.gz",
        "a.csv.gz",
        "A.CSV.GZ",
        "a.jsonl.GZ",
        "A.PARQUET",
    ],
)
def test_every_format_gives_the_same_rows(
    job: Any, out: Any, expected: Any, tmp_path: Any, name: Any
) -> None:
    """Texts that look like dates or numbers stay texts, and so do ids that begin with zeros."""
    write(TABLE, tmp_path / name)
    job(tmp_path / name)

    assert out().select(["id", "text"]).to_pydict() == TABLE.to_pydict()
    assert out().column("vector").to_pylist() == expected(TEXTS)


@pytest.mark.parametrize("ending", [".bz2", ".ZST", ".lz4", ".LZ4"])
def test_files_may_be_compressed(job: Any, out: Any, tmp_path: Path, ending: Any) -> None:
    """In each way that the end of a name says; a Mac or a Windows tool may write it in capitals."""
    codec = {".zst": "zstd"}.get(ending.lower(), ending.lower()[1:])
    (tmp_path / "in").mkdir()
    with pa.CompressedOutputStream(tmp_path / "in" / f"a.jsonl{ending}", codec) as file:
        file.write(as_json(TABLE))
    job(tmp_path / "in")

    assert out().num_rows == len(TEXTS)


def test_files_come_in_the_order_of_their_names(job: Any, out: Any, tmp_path: Any) -> None:
    """Of a folder with folders in it; what other tools hide is no table."""
    for place, number in {
        "b.parquet": 2,
        "a/c.csv": 1,
        "_temporary/x.parquet": 7,
        ".x.parquet": 8,
    }.items():
        (tmp_path / "in" / place).parent.mkdir(parents=True, exist_ok=True)
        write(pa.table({"id": [str(number)], "text": ["x"]}), tmp_path / "in" / place)
    job(tmp_path / "in")

    assert out().column("id").to_pylist() == ["1", "2"]


def test_patterns_and_lists(job: Any, out: Any, tmp_path: Any) -> None:
    """In the order in which they are named."""
    for number in range(4):
        write(pa.table({"id": [number], "text": ["x"]}), tmp_path / f"{number}.parquet")
    job([tmp_path / "3.parquet", str(tmp_path / "[01].parquet")])

    assert out().column("id").to_pylist() == [3, 0, 1]


@pytest.mark.parametrize(
    ("sources", "arguments"),
    [
        (["in/a.parquet", "in/a.parquet"], {}),
        (["in/a.parquet", "in"], {}),
        (["in/*.parquet", "./in/a.parquet"], {}),
        (["in/a.parquet", "~/in/a.parquet"], {}),
        (["in/a.parquet", "link/a.parquet"], {}),
        (["in/a.parquet", "file://HERE/in/a.parquet"], {}),
        (["in/a.parquet", "HERE/in/a.parquet"], {"filesystem": fs.LocalFileSystem()}),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, list) else "",
)
def test_a_file_that_is_named_twice_is_read_once(
    job: Any,
    out: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    sources: Any,
    arguments: Any,
) -> None:
    """However it is named: relative or not, in the home folder, by a link or by a URI."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    Path("in").mkdir()
    Path("link").symlink_to("in")
    write(TABLE, Path("in/a.parquet"))
    job([source.replace("HERE", str(tmp_path)) for source in sources], **arguments)

    assert out().num_rows == len(TEXTS)


def test_each_name_is_found_as_if_it_were_the_only_one(
    job: Any, out: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second may be in the home folder, too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    Path("home").mkdir()
    for number, place in enumerate(("a.parquet", "home/b.parquet")):
        write(pa.table({"id": [number], "text": ["x"]}), tmp_path / place)
    job(["a.parquet", "~/b.parquet"])

    assert out().column("id").to_pylist() == [0, 1]


def test_names_on_two_file_systems_are_refused(job: Any, files: Any, tmp_path: Path) -> None:
    """The second was looked for where the first is."""
    write(TABLE, tmp_path / "a.parquet")
    before = files()
    with pytest.raises(SourceError, match=r"mock:///b\.csv. is on another file system than"):
        job([tmp_path / "a.parquet", "mock:///b.csv"])

    assert files() == before


@pytest.mark.parametrize("kind", ["relative", "data set", "filesystem", "subtree"])
def test_a_target_around_its_source_is_refused_however_that_is_named(
    model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: Any, kind: Any
) -> None:
    """A relative path is no path in a bucket."""
    monkeypatch.chdir(tmp_path)
    for place in ("in/a.parquet", "other/b.parquet"):
        Path(place).parent.mkdir()
        write(TABLE, Path(place))
    before = files()
    names, system = {
        "relative": (["other/b.parquet", "in/a.parquet"], None),
        "data set": (ds.dataset("in"), None),
        "filesystem": ("in/a.parquet", fs.LocalFileSystem()),
        "subtree": ("a.parquet", fs.SubTreeFileSystem("in", fs.LocalFileSystem())),
    }[kind]
    with pytest.raises(TargetError, match="is in the target"):
        run(names, "in", model=Embedder(model), text="text", filesystem=system)

    assert files() == before


def test_a_path_of_another_file_system_is_none_of_this_machine(tmp_path: Path, model: Any) -> None:
    """In a memory of fsspec, `/vectors/in/a.jsonl` is no file in the folder `/vectors` of this disk."""
    memory = pytest.importorskip("fsspec").filesystem("memory")
    with memory.open(f"{tmp_path}/out/a.jsonl", "wb") as file:
        file.write(as_json(TABLE))
    report = run(
        f"{tmp_path}/out/a.jsonl",
        tmp_path / "out",
        model=Embedder(model),
        text="text",
        filesystem=memory,
    )

    assert report.rows == len(TEXTS)


@pytest.mark.parametrize("kind", ["pyarrow", "uri", "subtree"])
def test_filesystems(job: Any, out: Any, tmp_path: Any, kind: Any) -> None:
    """Of pyarrow, and by URI."""
    write(TABLE, tmp_path / "a.parquet")
    if kind == "uri":
        job((tmp_path / "a.parquet").as_uri())
    elif kind == "pyarrow":
        job(str(tmp_path / "a.parquet"), filesystem=fs.LocalFileSystem())
    else:
        job("a.parquet", filesystem=fs.SubTreeFileSystem(str(tmp_path), fs.LocalFileSystem()))

    assert out().num_rows == len(TEXTS)


def test_a_filesystem_of_fsspec(job: Any, out: Any) -> None:
    """It need not know pyarrow."""
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    with memory.open("/bulk/a.jsonl", "wb") as file:
        file.write(as_json(TABLE))
    job("/bulk/*.jsonl", filesystem=memory)

    assert out().num_rows == len(TEXTS)


@pytest.mark.parametrize("kind", ["batch", "dataset", "sliced"])
def test_tables_in_memory(job: Any, out: Any, tmp_path: Any, kind: Any) -> None:
    """Also a part of one, and a data set."""
    source = {
        "batch": lambda: TABLE.to_batches()[0],
        "dataset": lambda: ds.dataset(TABLE),
        "sliced": lambda: pa.concat_tables([TABLE, TABLE]).slice(len(TEXTS) // 2, len(TEXTS)),
    }[kind]()
    job(source)

    assert sorted(out().column("id").to_pylist()) == TABLE.column("id").to_pylist()


@pytest.mark.parametrize(
    "kind", [pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())], ids=str
)
def test_texts_of_every_arrow_type(job: Any, out: Any, expected: Any, kind: Any) -> None:
    """A text is a text."""
    job(
        pa.table({"id": TABLE.column("id"), "text": pa.chunked_array([pa.array(TEXTS).cast(kind)])})
    )

    assert out().column("vector").to_pylist() == expected(TEXTS)


PNGS = [tiny_png(shade) for shade in (1, 2, 1)]


@pytest.mark.parametrize("kind", ["bytes", "large", "struct", "path", "relative"])
def test_images_of_every_kind(job: Any, out: Any, tmp_path: Any, kind: Any) -> None:
    """Bytes, paths, and the structs of data sets; equal ones are paid once."""
    paths = []
    for number, png in enumerate(PNGS):
        paths.append(tmp_path / f"{number}.png")
        paths[-1].write_bytes(png)
    values = {
        "bytes": pa.array([*PNGS, None]),
        "large": pa.array([*PNGS, None], pa.large_binary()),
        "struct": pa.array(
            [
                {"bytes": PNGS[0], "path": "x"},
                {"bytes": None, "path": str(paths[1])},
                {"bytes": PNGS[2], "path": None},
                {"bytes": None, "path": None},
            ]
        ),
        "path": pa.array([*map(str, paths), None]),
        "relative": pa.array([*(path.name for path in paths), None]),
    }[kind]
    model = RecordingModel("small")
    root = str(tmp_path) if kind == "relative" else None
    columns = Columns(id="id", image="image", image_root=root, keep=[])
    source = pa.table({"id": [1, 2, 3, 4], "image": values})
    report = job(source, model=Embedder(model), columns=columns)
    vectors = out().column("vector").to_pylist()

    assert (report.embedded, report.repeated, report.empty) == (2, 1, 1)
    assert vectors[0] == vectors[2] != vectors[1]
    assert vectors[3] is None


def test_a_folder_of_images_may_be_in_the_home_folder(
    job: Any, out: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a file of rows may be: `~` is expanded."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(PNGS[0])
    report = job("~/photos", text=None, id=None)

    assert report.embedded == 1
    assert job(["~/photos"], text=None, id=None).kept == 1
    assert out().column("path").to_pylist() == ["a.png"]


def test_files_of_a_folder_that_are_no_images_are_said(job: Any, out: Any, tmp_path: Path) -> None:
    """They may be of a kind that is not known; a folder of images alone is silent."""
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a").write_bytes(PNGS[0])
    job(photos, text=None, id=None)
    for name in ("b.raw", "c.mov"):
        (photos / name).write_bytes(b"no image")
    with pytest.warns(UserWarning, match=r"2 files in .*photos. are no images, .*b\.raw. for exam"):
        job(photos, text=None, id=None, keep=[])

    assert out().column("path").to_pylist() == ["a"]


def test_a_text_and_an_image_are_one_input(job: Any, out: Any) -> None:
    """Either may be missing."""
    source = pa.table(
        {
            "id": [1, 2, 3, 4],
            "text": ["a", "a", None, None],
            "image": [PNGS[0], None, PNGS[0], None],
        }
    )
    columns = Columns(id="id", text="text", image="image", keep=[])
    report = job(source, columns=columns)
    vectors = out().column("vector").to_pylist()

    assert (report.embedded, report.empty) == (3, 1)
    assert len({str(vector) for vector in vectors}) == 4


def test_urls_of_images_need_permission(job: Any, out: Any) -> None:
    """Nothing is fetched unasked: each row has that as its error."""
    source = pa.table({"id": [1], "url": ["https://example.org/cat.png"]})
    report = job(source, columns=Columns(id="id", image_url="url"), errors="column")

    assert report.failed == 1
    assert "allow_urls" in out().column("embedding_error")[0].as_py()


@pytest.mark.parametrize(
    "target",
    ["s3://bucket/vectors", Path("s3://bucket/vectors"), Path("gs://b/v.lance"), "in"],
    ids=str,
)
def test_where_a_target_cannot_be(tmp_path: Any, rows: Any, target: Any) -> None:
    """Not on another machine, and not around its source: it would be read as one."""
    from embedbridge.bulk import run

    (tmp_path / "in").mkdir()
    pq.write_table(rows(3), tmp_path / "in" / "a.parquet")
    where = tmp_path / target if target == "in" else target
    with pytest.raises(TargetError, match=r"no folder of this machine|is in the target"):
        run(tmp_path / "in" / "a.parquet", where, model=Embedder(FakeModel("small")), text="text")


def test_a_list_of_nothing_is_refused(job: Any) -> None:
    """As a pattern that finds nothing is."""
    with pytest.raises(SourceError, match="empty"):
        job([])


def test_two_columns_of_one_name_are_refused(job: Any) -> None:
    """Which of them is meant, nobody knows."""
    table = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["text", "text"])
    with pytest.raises(InvalidOptionError, match="2 columns 'text'"):
        job(table, id=None)


def test_base64_is_a_text(job: Any, out: Any) -> None:
    """What a column holds is said by the one who names it, never guessed."""
    text = base64.b64encode(PNGS[0]).decode()
    report = job(pa.table({"id": [1], "text": [text]}))

    assert report.images == 0
    assert out().column("text").to_pylist() == [text]


class Frame:
    """A data frame of another library, as Arrow sees it."""

    def __init__(self, table: Any) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self._table.__arrow_c_stream__(requested_schema)


def test_a_data_frame_is_a_table(job: Any, out: Any) -> None:
    """Whichever library it is of, if it speaks Arrow's protocol."""
    job(Frame(TABLE))

    assert out().select(["id", "text"]).to_pydict() == TABLE.to_pydict()


@pytest.mark.parametrize(
    "source",
    [
        None,
        7,
        b"in",
        {"text": ["a"]},
        TABLE.to_pylist(),
        [TABLE, TABLE],
        TABLE.to_reader(),
        iter(TABLE.to_batches()),
    ],
    ids=["none", "number", "bytes", "columns", "rows", "tables", "reader", "batches"],
)
def test_what_is_no_source_is_said(job: Any, files: Any, source: Any) -> None:
    """With what to pass instead; a reader would be empty at the next run, and the target with it."""
    with pytest.raises(SourceError, match=r"from_pylist|read_all"):
        job(source)

    assert not files()


def test_what_is_no_filesystem_is_said(job: Any) -> None:
    """A name is none; and a URI that pyarrow does not know is no damaged file."""
    with pytest.raises(InvalidOptionError, match="filesystem= is no str"):
        job("bucket/posts", filesystem="s3")
    with pytest.raises(SourceError, match=r"memory:// is no file system.*fsspec"):
        job("memory://posts")


def test_a_data_set_that_breaks_is_a_source_that_breaks(job: Any, out: Any, tmp_path: Path) -> None:
    """Nothing leaves the target."""
    job(TABLE)
    (tmp_path / "in").mkdir()
    pq.write_table(TABLE, tmp_path / "in" / "1.parquet")
    pq.write_table(pa.table({"id": ["x"], "text": [["a list"]]}), tmp_path / "in" / "2.parquet")
    with pytest.raises(SourceError, match="data set"):
        job(ds.dataset(tmp_path / "in"))

    assert out().num_rows == len(TEXTS)


@pytest.mark.parametrize("source", ["in", "in/*.parquet", "link", ["in/a.parquet", "in"]])
def test_a_target_in_its_source_is_refused_at_once(
    model: Any, tmp_path: Path, monkeypatch: Any, files: Any, rows: Any, source: Any
) -> None:
    """Not only by the second run, which would read the output of the first."""
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    Path("link").symlink_to("in")
    pq.write_table(rows(3), "in/a.parquet")
    before = files()
    with pytest.raises(TargetError, match="read its own output"):
        run(source, "in/vectors", model=Embedder(model), text="text")

    assert files() == before
    assert run(
        source,
        "in/_vectors" if source != "in/*.parquet" else "vectors",
        model=Embedder(model),
        text="text",
    ).embedded


@pytest.mark.parametrize("source", ["in/*.jsonl", "in/*/*.jsonl", "in/vec*"])
def test_error_files_in_reach_of_the_source_are_refused_at_once(
    model: Any, tmp_path: Path, monkeypatch: Any, files: Any, source: Any
) -> None:
    """A pattern crosses folders: the next run would read the rows that this one leaves out.

    Where bad rows go to no file, the same pattern reads nothing of the target's.
    """
    monkeypatch.chdir(tmp_path)
    place = Path("in") / ("vec.jsonl" if source == "in/vec*" else "2024/a.jsonl")
    place.parent.mkdir(parents=True)
    write(pa.table({"text": ["a", " "]}), place)
    before = files()
    arguments: dict[str, Any] = {"model": Embedder(model), "text": "text"}
    with pytest.raises(TargetError, match="read its own output"):
        run(source, "in/vec", **arguments, errors="file")
    assert files() == before

    if source != "in/vec*":
        assert run(source, "in/vec", **arguments, errors="column").failed == 1
    assert run(source, "vec", **arguments, errors="file").failed == 1


def test_error_files_of_an_earlier_run_are_no_source_of_their_target(
    job: Any, target: Path, files: Any
) -> None:
    """The end of the job would delete what it has read."""
    job(pa.table({"id": [1, 2], "text": ["a", " "]}), errors="file")
    before = files()
    with pytest.raises(TargetError, match="belongs to the target"):
        job(f"{target}.*/*.jsonl", errors="column", keep=["id"])

    assert files() == before


def test_a_whole_file_system_is_no_target(model: Any, rows: Any) -> None:
    """The journal would have to be beside it."""
    with pytest.raises(TargetError, match="Name a folder inside it"):
        run(rows(1), Path(Path.cwd().anchor), model=Embedder(model), text="text")


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_of_nothing_is_refused(job: Any, out: Any, limit: Any) -> None:
    """It would leave nothing in the target."""
    with pytest.raises(InvalidOptionError, match="leaves no row"):
        job(TABLE, limit=limit)


def test_a_target_of_an_unknown_user_is_refused(
    model: Any, tmp_path: Path, monkeypatch: Any, rows: Any
) -> None:
    """Nobody wants a folder of that name in the current one."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match="home directory that does not exist"):
        run(rows(1), "~no-such-user/out", model=Embedder(model), text="text")

    assert not list(tmp_path.iterdir())


def test_images_start_from_a_home_directory(
    job: Any, out: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    """`~` in `image_root` is replaced, as in every other path that users write."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png").write_bytes(tiny_png(1))
    columns = Columns(image="file", image_root="~/pictures")
    job(pa.table({"file": ["a.png"]}), model="fake:small", columns=columns)

    assert out().column("vector").null_count == 0


def test_what_is_hidden_is_no_table_of_a_pattern(job: Any, out: Any, tmp_path: Path) -> None:
    """As in a folder: a notebook's checkpoint is an older copy. A pattern may name it."""
    for place in ("a.csv", ".ipynb_checkpoints/a-checkpoint.csv", "_temporary/0/b.csv"):
        (tmp_path / "in" / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / place).write_text(f"id,text\n{place},x\n")
    job(str(tmp_path / "in" / "*.csv"))
    assert out().column("id").to_pylist() == ["a.csv"]

    job(str(tmp_path / "in" / "_temp*" / "*.csv"))
    assert out().column("id").to_pylist() == ["_temporary/0/b.csv"]


def test_a_link_to_a_folder_above_repeats_no_row(job: Any, out: Any, tmp_path: Path) -> None:
    """The system follows it forty times. A link to another folder is followed once."""
    (tmp_path / "in" / "sub").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    write(TABLE, tmp_path / "in" / "a.parquet")
    write(TABLE.slice(0, 1), tmp_path / "other" / "b.parquet")
    (tmp_path / "in" / "sub" / "up").symlink_to("..")
    (tmp_path / "in" / "z").symlink_to(tmp_path / "other")
    job(tmp_path / "in")

    assert out().num_rows == len(TEXTS) + 1


@pytest.mark.parametrize("name", ["a.json", "a.JSON", "a.json.gz"])
@pytest.mark.parametrize("pattern", [False, True], ids=["path", "pattern"])
def test_a_json_file_is_read_where_it_is_named(
    job: Any, out: Any, tmp_path: Path, name: Any, pattern: Any
) -> None:
    """Spark calls files of JSON lines so; beside tables, it is what describes them."""
    data = as_json(TABLE)
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    job(str(tmp_path / "a.[jJ]*") if pattern else tmp_path / name)
    assert out().num_rows == len(TEXTS)

    (tmp_path / "in").mkdir()
    write(TABLE.slice(0, 2), tmp_path / "in" / "a.parquet")
    (tmp_path / "in" / "info.json").write_text('{"rows": 2}')
    job(tmp_path / "in")
    assert out().num_rows == 2


def test_tables_of_formats_that_are_not_read_are_said(job: Any, out: Any, tmp_path: Path) -> None:
    """Where a folder has some, their rows would be missing; a pattern says that they are not meant."""
    (tmp_path / "in").mkdir()
    write(TABLE.slice(0, 2), tmp_path / "in" / "a.parquet")
    for name in ("b.feather", "c.orc"):
        (tmp_path / "in" / name).write_bytes(b"a table")
    with pytest.warns(UserWarning, match=r"2 tables in .* not read, .*b\.feather"):
        job(tmp_path / "in")
    job(str(tmp_path / "in" / "*.parquet"))

    assert out().num_rows == 2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="This system has no named pipes")
def test_a_pipe_is_named_for_what_it_is(job: Any, tmp_path: Path) -> None:
    """Nobody writes to it: a job that opened it would wait for ever."""
    os.mkfifo(tmp_path / "a.jsonl")
    with pytest.raises(SourceError, match="neither a file nor a folder: a pipe"):
        job(tmp_path / "a.jsonl")
