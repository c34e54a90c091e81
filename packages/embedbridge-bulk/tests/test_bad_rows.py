"""Bad rows among good ones: each costs itself, and the counts add up."""

import json
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import PIL.Image
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from embedbridge.bulk import Columns, EmbedStage, RowError, estimate, run
from embedbridge.contract import InvalidInputError, ProviderUnavailableError
from embedbridge.contract.errors import (
    AuthenticationError,
    QuotaExhaustedError,
    UnsupportedModalityError,
)
from embedbridge.core import Embedder, Settings
from embedbridge.testing import FakeModel, RecordingModel, RemoteFakeModel, tiny_png

COUNT = 1000


class Picky(RecordingModel):
    """Refuses texts that say so, by the input itself."""

    def embed_batch(self, batch: Any) -> Any:
        for index, text in enumerate(batch.inputs):
            if "refuse me" in text:
                raise InvalidInputError("Refused for what it says.", index=index)
        return super().embed_batch(batch)


@pytest.fixture
def target(any_target: Any) -> Any:
    """What these tests say holds for each format."""
    return any_target


@pytest.fixture
def mixed_rows() -> Any:
    """1 % refused, 1 % empty, 1 % null, 5 % repeats; texts of 1 to 100,000 characters."""

    def text(n: Any) -> Any:
        if n % 100 == 13:
            return f"refuse me {n}"
        if n % 100 == 14:
            return " " * (n // 100)
        if n % 100 == 15:
            return None
        if n % 20 == 7:
            return "text that repeats"
        return "x" * (100_000 if n == 500 else 1 + n % 50) + str(n)

    return pa.table({"id": list(range(COUNT)), "text": [text(n) for n in range(COUNT)]})


def test_counts_add_up_exactly(job: Any, mixed_rows: Any, out: Any) -> None:
    """By kind of row; every row is there, in order, with a vector or an error or a null text."""
    report = job(mixed_rows, model=Embedder(Picky("small")), errors="column")
    table = out()
    errors = [error for error in table.column("embedding_error").to_pylist() if error]
    vectors = table.column("vector").to_pylist()

    assert table.column("id").to_pylist() == list(range(COUNT))
    assert (report.rows, report.failed, report.empty) == (COUNT, 20, 10)
    assert (report.embedded, report.repeated) == (COUNT - 20 - 10 - 49, 49)
    assert report.truncated == table.column("truncated").to_pylist().count(True) == 1
    assert sorted({error.partition(":")[0] for error in errors}) == ["InvalidInputError"]
    assert len(errors) == 20
    for text, vector, error in zip(
        table.column("text").to_pylist(), vectors, table.column("embedding_error"), strict=True
    ):
        bad = text is not None and ("refuse me" in text or not text.strip())
        assert (vector is None) == (bad or text is None)
        assert error.is_valid == bad


def test_the_stage_and_the_job_make_the_same(job: Any, mixed_rows: Any, out: Any) -> None:
    """One definition of what a row becomes."""
    embedder = Embedder(Picky("small"))
    job(mixed_rows, model=embedder, errors="column")
    table = EmbedStage(embedder, Columns(id="id", text="text"))(mixed_rows)

    assert table.to_pylist() == out().to_pylist()


def test_errors_in_a_file_leave_whole_rows(
    job: Any, mixed_rows: Any, out: Any, target: Any
) -> None:
    """What is left out has its row and its reason in JSON lines beside the target."""
    report = job(mixed_rows, model=Embedder(Picky("small")), errors="file")
    folder = target.with_name(f"{target.name}.errors")
    lines = [
        json.loads(line)
        for path in sorted(folder.iterdir())
        for line in path.read_text().splitlines()
    ]
    table = out()
    again = job(mixed_rows, model=Embedder(Picky("small")), errors="file")

    assert table.num_rows == COUNT - 20
    assert table.column("embedding_error").null_count == table.num_rows
    assert [line["id"] % 100 for line in lines] == [13, 14] * 10
    assert all(line["embedding_error"].startswith("InvalidInputError: ") for line in lines)
    assert (again.failed, again.empty) == (report.failed, report.empty) == (20, 10)
    assert (again.kept, again.parts_written) == (COUNT - 30, 0)


def test_errors_of_rows_that_are_gone_leave(job: Any, rows: Any, target: Any) -> None:
    """Their file goes with the part, and the folder with the last file."""
    bad = pa.concat_tables([rows(10), pa.table({"id": [99], "text": [" "]})])
    job(bad, errors="file")
    before = list((target.with_name(f"{target.name}.errors")).iterdir())
    job(rows(10), errors="file")

    assert len(before) == 1
    assert not (target.with_name(f"{target.name}.errors")).exists()


def test_text_that_is_no_utf8_costs_its_row(job: Any, out: Any, target: Any) -> None:
    """A file may say that a column holds UTF-8, and hold something else."""
    raw = pa.array([b"good", b"\xff\xfe bad", b"caf\xc3\xa9"])
    text = pa.Array.from_buffers(pa.string(), 3, raw.buffers())
    source = pa.table({"id": [1, 2, 3], "text": text})
    job(source, errors="column", keep=[])
    errors = out().column("embedding_error").to_pylist()
    job(source, errors="file")
    (line,) = [
        json.loads(path.read_text())
        for path in (target.with_name(f"{target.name}.errors")).iterdir()
    ]

    assert [error is None for error in errors] == [True, False, True]
    assert line["id"] == 2
    assert line["text"].endswith(" bad")
    assert out().num_rows == 2


def test_missing_images_cost_their_rows(tmp_path: Any, job: Any, out: Any) -> None:
    """Among good ones; a file that comes later is embedded by the next run, and only it."""
    for number in (0, 1, 3):
        (tmp_path / f"{number}.png").write_bytes(tiny_png(number))
    (tmp_path / "4.png").write_bytes(b"no image")
    names = [f"{number}.png" for number in range(5)]
    source = pa.table({"id": list(range(5)), "file": names})
    model = RecordingModel("small")
    columns = Columns(id="id", image="file", image_root=str(tmp_path))
    report = job(source, model=Embedder(model), columns=columns, errors="column")
    kinds = [str(error).partition(":")[0] for error in out().column("embedding_error").to_pylist()]
    (tmp_path / "2.png").write_bytes(tiny_png(2))
    model.batches.clear()
    again = job(source, model=Embedder(model), columns=columns, errors="column")

    assert kinds == ["None", "None", "ImageNotFoundError", "None", "InvalidImageError"]
    assert (report.embedded, report.failed) == (3, 2)
    assert (again.embedded, again.kept, again.failed) == (1, 3, 1)
    assert len(model.seen) == 1


def test_counts_of_images_add_up_exactly(tmp_path: Any, job: Any, out: Any) -> None:
    """1 % are missing, 1 % are no images, 1 % have no bytes, 5 % are a picture of another row, 2 % are null."""
    bad = {3: "ImageNotFoundError", 4: "InvalidImageError", 5: "InvalidImageError"}
    names = []
    for n in range(400):
        kind = n % 100
        picture = 400 if kind in range(10, 15) else n
        if kind != 3:
            data = {4: b"no image", 5: b""}.get(kind, tiny_png(picture % 256, picture // 256))
            (tmp_path / f"{n}.png").write_bytes(data)
        names.append(None if kind in (20, 21) else f"{n}.png")
    source = pa.table({"id": list(range(400)), "file": names})
    model = RecordingModel("small")
    columns = Columns(id="id", image="file", image_root=str(tmp_path))
    report = job(source, model=Embedder(model), columns=columns, errors="column")
    table = out()
    kinds = [str(error).partition(":")[0] for error in table.column("embedding_error").to_pylist()]
    vectors = table.column("vector").to_pylist()

    assert kinds == [bad.get(n % 100, "None") for n in range(400)]
    assert [v is None for v in vectors] == [n % 100 in (3, 4, 5, 20, 21) for n in range(400)]
    assert (report.rows, report.failed, report.empty) == (400, 12, 8)
    assert (report.embedded, report.repeated) == (400 - 12 - 8 - 19, 19)
    assert report.images == len(model.seen) == report.embedded
    assert len({tuple(v) for v in vectors if v is not None}) == report.embedded


class Down(RemoteFakeModel):
    """Raises what it is told once it has answered some requests."""

    def __init__(self, error: Any, after: Any = 0) -> None:
        super().__init__("small")
        self.error, self.left = error, after

    async def embed_batch(self, batch: Any) -> Any:
        if self.left <= 0:
            raise self.error
        self.left -= 1
        return await super().embed_batch(batch)


@pytest.mark.parametrize(
    "error",
    [
        AuthenticationError("Wrong key."),
        QuotaExhaustedError("No credit."),
        ProviderUnavailableError("Gone."),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("after", [0, 3])
def test_what_would_meet_every_row_ends_the_job(
    job: Any, rows: Any, out: Any, error: Any, after: Any
) -> None:
    """No million of rows with the same error; what was answered before is kept."""
    settings = Settings(max_attempts=1, max_concurrency=1, batch_size=8, window=32)
    source = rows(200)
    with pytest.raises(type(error)):
        job(source, model=Embedder(Down(error, after), settings=settings), errors="column")
    model = RecordingModel("small")
    report = job(source, model=Embedder(model), errors="column")

    assert len(model.seen) <= len(set(source.column("text").to_pylist())) - 8 * after
    assert (report.rows, report.failed) == (200, 0)
    assert out().num_rows == 200


class Sometimes(RemoteFakeModel):
    """Fails for texts that end in 7 while it is broken."""

    def __init__(self) -> None:
        super().__init__("small")
        self.broken = True

    async def embed_batch(self, batch: Any) -> Any:
        if self.broken and any(text.endswith("7") for text in batch.inputs):
            raise ProviderUnavailableError("Overloaded.")
        return await super().embed_batch(batch)


def test_errors_that_may_pass_are_tried_again(job: Any, rows: Any, out: Any) -> None:
    """By the next run, and nothing else is."""
    model = Sometimes()
    embedder = Embedder(model, settings=Settings(max_attempts=1, batch_size=1))
    first = job(rows(100), model=embedder, errors="column")
    model.broken = False
    second = job(rows(100), model=embedder, errors="column")

    assert first.failed > 5
    assert second.failed == 0
    assert second.embedded + second.repeated == first.failed
    assert out().column("embedding_error").null_count == 100


@pytest.mark.parametrize("any_target", ["out"], indirect=True)
def test_the_folder_of_a_target_may_be_read_as_a_table(
    job: Any, mixed_rows: Any, tmp_path: Any
) -> None:
    """Null vectors do not disturb pyarrow: they are plain lists."""
    job(mixed_rows, model=Embedder(Picky("small")), errors="column")
    table = ds.dataset(tmp_path / "out").to_table(filter=ds.field("vector").is_valid())

    assert table.num_rows == COUNT - 30
    assert Embedder(FakeModel("small")).dimensions == 8


def test_rows_that_are_left_out_are_json_whatever_they_hold(
    job: Any, target: Any, rows: Any
) -> None:
    """Read by a strict reader: no NaN, no bytes; nanoseconds are kept; no UTF-8 costs one cell."""
    broken = pa.Array.from_buffers(
        pa.string(), 2, [None, pa.array([0, 1, 1], pa.int32()).buffers()[1], pa.py_buffer(b"\xff")]
    )
    source = pa.table(
        {
            "id": pa.array([1, 2], pa.timestamp("ns")),
            "text": ["", "fine"],
            "x": [float("nan"), 1.0],
            "image": [{"bytes": b"\x89PNG", "path": "a.png"}, None],
            "raw": pa.array([b"raw", None], pa.large_binary()),
            "inside": pa.array(
                [{"t": [1], "y": float("inf")}, None],
                pa.struct([("t", pa.list_(pa.duration("ns"))), ("y", pa.float64())]),
            ),
            "when": [datetime(2024, 1, 2, tzinfo=UTC)] * 2,
            "broken": pa.StructArray.from_arrays([broken], ["s"]),
        }
    )
    job(source, errors="file")
    [line] = [p.read_text() for p in target.with_name(f"{target.name}.errors").iterdir()]
    row = json.loads(line, parse_constant=pytest.fail)

    assert "empty" in row.pop("embedding_error")
    assert row == {
        "id": "1970-01-01 00:00:00.000000001",
        "text": "",
        "x": None,
        "image": {"path": "a.png"},
        "inside": {"t": ["1"], "y": None},
        "when": "2024-01-02 00:00:00+00:00",
        "broken": None,
    }
    with pytest.raises(RowError, match=r"id: '1970-01-01 00:00:00\.000000001'"):
        job(source)


@pytest.mark.parametrize("errors", ["fail", "column", "file"])
@pytest.mark.parametrize("kind", ["image", "mixed"])
def test_a_model_that_embeds_nothing_of_the_kind_ends_the_job(
    job: Any, tmp_path: Path, files: Any, errors: Any, kind: Any
) -> None:
    """Whatever a bad row does: no row would have a vector. The columns are named."""
    source = pa.table({"id": [1], "text": ["a"], "photo": [b"png"]})
    columns = Columns(id="id", image="photo", text="text" if kind == "mixed" else None)
    with pytest.raises(UnsupportedModalityError, match=rf"embeds text, not {kind}.*photo"):
        job(source, columns=columns, model=Embedder(RecordingModel("text")), errors=errors)

    assert not files()


@pytest.mark.parametrize("errors", ["column", "file"])
@pytest.mark.parametrize("before", ["error", "skip"])
def test_a_setting_that_helps_a_row_helps_it_at_the_next_run(
    job: Any, out: Any, errors: Any, before: Any
) -> None:
    """An error says which setting to change: then that row is embedded, and no other is again."""
    source = pa.table({"id": [1, 2, 3], "text": ["a", " ", "b"]})
    job(source, errors=errors, on_empty=before)
    report = job(source, errors=errors, on_empty="embed")
    embedder = Embedder(FakeModel("small")).using(on_empty="embed")
    wanted = embedder.embed_documents(["a", " ", "b"])

    assert (report.embedded, report.kept, report.failed) == (1, 2, 0)
    assert out().column("vector").to_pylist() == wanted.tolist()
    assert job(source, errors=errors, on_empty="embed").parts_written == 0


@pytest.mark.parametrize("before", ["column", "fail"])
def test_texts_that_were_cut_are_errors_as_soon_as_they_should_be(
    job: Any, out: Any, before: Any
) -> None:
    """Their vectors are not taken from the target, nor from the journal of a job that failed; all others are."""
    source = pa.table({"id": [1, 2, 3, 4], "text": ["a", "word " * 10_000, "b", " "]})
    with pytest.raises(RowError) if before == "fail" else nullcontext():
        assert job(source, errors=before).truncated == 1
    report = job(source, errors="column", on_too_long="error")
    has_vector = [vector is not None for vector in out().column("vector").to_pylist()]

    assert (report.embedded, report.kept, report.failed, report.truncated) == (0, 2, 2, 0)
    assert has_vector == [True, False, True, False]
    assert job(source, errors="column").embedded == 1


class Cutting(RemoteFakeModel):
    """Says with its answer which texts it has cut: those of more than ten characters."""

    asked: list[str]

    async def embed_batch(self, batch: Any) -> Any:
        self.asked.extend(batch.inputs)
        result = await super().embed_batch(batch)
        return replace(result, truncated=[len(text) > 10 for text in batch.inputs])


@pytest.mark.parametrize("errors", ["fail", "column", "file"])
def test_a_text_that_the_answer_says_was_cut_is_an_error(job: Any, out: Any, errors: Any) -> None:
    """Its vector came, and is no row's; the run says what the stage says."""
    source = pa.table({"id": [1, 2, 3], "text": ["a", "longer than ten", "b"]})
    model = Cutting("small")
    model.asked = []
    embedder = Embedder(model, settings=Settings(on_too_long="error"))
    stage = EmbedStage(embedder, Columns(id="id", text="text"))(source)
    with _fails_if(errors == "fail"):
        report = job(source, model=embedder, errors=errors)
        assert (report.embedded, report.failed, report.truncated) == (2, 1, 0)
        left = stage if errors == "column" else stage.take([0, 2])
        assert out().column("id").to_pylist() == left.column("id").to_pylist()
        assert out().column("vector").to_pylist() == left.column("vector").to_pylist()
        assert out().column("embedding_error") == left.column("embedding_error")
    model.asked.clear()
    kept = job(source, model=embedder, errors="column")

    assert (kept.embedded, kept.failed) == (0, 1)
    assert {*model.asked} <= {"longer than ten"}


@pytest.mark.parametrize("before", ["column", "fail"])
def test_zeros_are_not_taken_once_they_should_be_something_else(
    job: Any, out: Any, before: Any
) -> None:
    """Not from the target, nor from the journal of a job that failed; all others are. Nothing changes, nothing is made."""
    source = pa.table({"id": [1, 2, 3, 4], "text": ["a", " ", "b", "word " * 10_000]})
    zero = {"on_empty": "zero", "on_too_long": "error"}
    with pytest.warns(UserWarning, match="zeros"), _fails_if(before == "fail"):
        assert job(source, errors=before, **zero).failed == 1
    if before == "column":
        assert job(source, errors=before, **zero).parts_written == 0
    report = job(source, errors="column", on_empty="embed", on_too_long="error")
    wanted = Embedder(FakeModel("small")).using(on_empty="embed").embed_documents(["a", " ", "b"])

    assert (report.embedded, report.kept, report.failed) == (1, 2, 1)
    assert out().column("vector").to_pylist()[:3] == wanted.tolist()


@pytest.mark.filterwarnings("ignore:on_empty=.zero")
@pytest.mark.parametrize("errors", ["column", "file", "fail"])
@pytest.mark.parametrize("on_empty", ["error", "skip", "zero"])
@pytest.mark.parametrize("ended", [False, True])
def test_empty_texts_are_what_the_setting_says_also_where_they_have_a_vector(
    job: Any, out: Any, target: Any, on_empty: Any, errors: Any, ended: Any
) -> None:
    """From the target, or from the journal: as in a target of their own. Nothing else is asked for."""
    source = pa.table({"id": [1, 2, 3, 4, 5], "text": ["a", " ", "b", " ", "\t"]})
    if ended:
        with pytest.raises(EOFError):
            job(source, on_empty="embed", progress=_end)
    else:
        job(source, on_empty="embed")
    model = RecordingModel("small")
    options = {"model": Embedder(model), "errors": errors, "on_empty": on_empty}
    found = estimate(source, target, text="text", id="id", **options)
    with _fails_if(errors == "fail" and on_empty == "error"):
        report = job(source, **options)
        assert (found.rows, found.contents, found.repeated, found.kept) == (
            report.rows, report.embedded, report.repeated, report.kept,
        )  # fmt: skip
        assert report.kept == 2
        ours = out()
        elsewhere = target.with_name(f"alone{target.suffix}")
        alone = run(source, elsewhere, text="text", id="id", **options)
        assert (report.failed, report.empty) == (alone.failed, alone.empty)
        assert ours.to_pylist() == out.func(elsewhere).to_pylist()
        assert job(source, **options).parts_written == 0
    assert {*model.seen} <= {"a", "b"}


@pytest.mark.parametrize("kind", ["bytes", "path", "mixed"])
@pytest.mark.parametrize(
    "limit", [{"max_image_bytes": 90}, {"max_image_pixels": 40}, {"min_image_side": 8}]
)
def test_limits_of_images_hold_also_where_they_have_a_vector(
    job: Any, tmp_path: Path, kind: Any, limit: Any
) -> None:
    """By size alone: none is decoded again, and none within the limit is paid again."""
    pixels = {"a": (6, 6), "b": (9, 9) if "min_image_side" not in limit else (3, 3)}
    for name, size in pixels.items():
        PIL.Image.effect_noise(size, 50).save(tmp_path / f"{name}.png")
    values = [(tmp_path / f"{name}.png").read_bytes() for name in pixels]
    names = [f"{name}.png" for name in pixels]
    bound = {"max_image_bytes": max(map(len, values)) - 1, "min_image_side": 5}
    limit = {name: bound.get(name, value) for name, value in limit.items()}
    source = pa.table({"id": [1, 2], "image": names if kind == "path" else values})
    text = "text" if kind == "mixed" else None
    if text:
        source = source.append_column("text", pa.array(["x", "y"]))
    columns = Columns(id="id", text=text, image="image", image_root=str(tmp_path))
    options = {"columns": columns, "errors": "column", "text": None, "id": None}
    job(source, **options)
    model = RecordingModel("small")
    report = job(source, **options, model=Embedder(model), **limit)
    back = job(source, **options)

    assert (report.embedded, report.kept, report.failed) == (0, 1, 1)
    assert not model.seen
    assert (back.embedded, back.kept, back.failed) == (1, 1, 0)


def _end(_: Any) -> None:
    """Ends a job, when all is paid for and before the target has it."""
    raise EOFError


def _fails_if(wanted: bool) -> Any:
    return pytest.raises(RowError) if wanted else nullcontext()
