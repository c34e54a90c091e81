"""Histories of jobs: errors that pass, jobs that end early, sources that grow; each row has the vector of its own text."""

import json
import shutil
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from embedbridge.bulk import Report, RowError, SourceError, run
from embedbridge.bulk.targets.lance import LanceTarget
from embedbridge.bulk.targets.parquet import ParquetTarget
from embedbridge.contract import BatchResult, ProviderUnavailableError
from embedbridge.contract.batch import Batch
from embedbridge.contract.errors import QuotaExhaustedError
from embedbridge.core import Embedder, Settings
from embedbridge.testing import FakeModel, RemoteFakeModel

LETTERS = "abcdefghijklmno"
NO_LANCE = pytest.mark.skipif(find_spec("lance") is None, reason="Lance is not installed")
FORMATS = ["out", pytest.param("out.lance", marks=NO_LANCE)]
PART_BYTES = 256
"""Parts of three or four rows."""
VECTORS = dict(zip(LETTERS, Embedder(FakeModel("small")).embed_documents([*LETTERS]), strict=True))


class Service(RemoteFakeModel):
    """Fails for some texts; its credit may end. It remembers what it answered."""

    def __init__(self) -> None:
        super().__init__("small")
        self.failing: frozenset[str] = frozenset()
        self.credit: int | None = None
        self.answered: list[str] = []

    async def embed_batch(self, batch: Batch) -> BatchResult:
        (text,) = map(str, batch.inputs)
        if text in self.failing:
            raise ProviderUnavailableError("Overloaded.")
        if self.credit is not None and len(self.answered) >= self.credit:
            raise QuotaExhaustedError("No credit.")
        self.answered.append(text)
        return await super().embed_batch(batch)


class History:
    """Jobs into one target."""

    def __init__(self, target: Path, errors: Any) -> None:
        self.target, self.errors = target, errors
        self.service = Service()
        self.known: set[str] = set()
        """What is in the target, or paid for since it was finished."""
        self.sources: list[Counter[tuple[int, str]]] = []
        """The rows of each source so far."""
        self.deleted: set[str] = set()
        """What was known before somebody deleted the target: the journal may have it, or not."""

    def run(
        self,
        texts: str,
        *,
        failing: str = "",
        credit: int | None = None,
        damaged: int | None = None,
    ) -> Report | None:
        """One job. What it leaves is as it should be.

        `None` if it ended without credit, one of three files is damaged, or no row can be embedded.
        """
        service = self.service
        service.answered, service.failing, service.credit = [], frozenset(failing), credit
        one_each = Settings(batch_size=1, window=1, max_attempts=1, max_concurrency=1)
        table = pa.table({"n": range(len(texts)), "text": pa.array([*texts], pa.string())})
        self.sources.append(Counter(enumerate(texts)))
        report = None
        before = self.rows()
        only_fails = bool(before) and {*texts} <= {*failing}
        ends: list[type[Exception]] = [] if credit is None else [QuotaExhaustedError]
        ends += ([] if damaged is None else [SourceError]) + ([RowError] if only_fails else [])
        with suppress(*ends):
            report = run(
                table if damaged is None else self._files(table, damaged),
                self.target,
                model=Embedder(service, settings=one_each),
                text="text",
                errors=self.errors,
                part_bytes=PART_BYTES,
            )
        if report is None and only_fails:
            assert self.rows() == before, "no row has a vector, so nothing may leave"
        assert not self.known & set(service.answered), "paid twice"
        assert len(service.answered) == len(set(service.answered))
        self.known |= set(service.answered)
        rows = self.rows()  # also of a job that has not ended
        for row in rows:
            assert row["vector"] in (None, VECTORS[row["text"]].tolist()), row
        found = Counter((row["n"], row["text"]) for row in rows)
        assert any(found <= source for source in self.sources), "rows of two sources"
        if report is not None:
            self._check(texts, failing)
            self.known = {row["text"] for row in self.rows() if row["vector"] is not None}
            self.deleted.clear()
        return report

    def _files(self, table: pa.Table, damaged: int) -> Path:
        """The rows in three files, one of them damaged."""
        folder = self.target.with_name("in")
        folder.mkdir(exist_ok=True)
        third = len(table) // 3 + 1
        for number in range(3):
            pq.write_table(table.slice(number * third, third), folder / f"{number}.parquet")
        (folder / f"{damaged}.parquet").write_bytes(b"")
        return folder

    def delete_target(self) -> None:
        """What somebody does to embed all again: what was in it is paid again."""
        shutil.rmtree(self.target, ignore_errors=True)
        self.deleted |= self.known
        self.known.clear()

    def rows(self) -> list[dict[str, Any]]:
        """All rows, in the order of the source."""
        if self.target.suffix != ".lance":
            files = sorted(self.target.glob("*.parquet"))
            return [row for file in files for row in pq.read_table(file).to_pylist()]
        if not any(self.target.glob("_versions/*.manifest")):
            return []
        table = pytest.importorskip("lance").dataset(str(self.target)).to_table()
        rows: list[dict[str, Any]] = table.sort_by("n").to_pylist()
        return rows

    def left_out(self) -> list[dict[str, Any]]:
        """The rows in the files of errors."""
        folder = self.target.with_name(f"{self.target.name}.errors")
        files = sorted(folder.glob("*")) if folder.exists() else []
        return [json.loads(line) for file in files for line in file.read_text().splitlines()]

    def _check(self, texts: str, failing: str) -> None:
        """A finished job: each row has its vector or its error, at one place."""
        rows, left_out = self.rows(), self.left_out()
        errors = [row for row in rows if row["embedding_error"] is not None]
        bad = left_out if self.errors == "file" else errors
        may_fail = [n for n, text in enumerate(texts) if text in {*failing} - self.known]
        must_fail = [n for n in may_fail if texts[n] not in self.deleted]
        assert {*must_fail} <= {row["n"] for row in bad} <= {*may_fail}
        assert len(rows) + len(left_out) == len(texts)
        assert bool(errors) <= (self.errors == "column")
        together = sorted([*rows, *left_out], key=lambda row: int(row["n"]))
        assert "".join(row["text"] for row in together) == texts
        assert not self.target.with_name(f"{self.target.name}.journal").exists()


@pytest.fixture(params=FORMATS)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / str(request.param)


@pytest.mark.parametrize("first", [False, True], ids=["older", "first"])
def test_a_row_that_comes_back_gives_no_other_row_its_vector(target: Path, first: bool) -> None:
    """A part that was whole is made again, and its rows move: a later row had the vector of the one before."""
    history = History(target, "file")
    if not first:
        history.run("eabc", failing="e")
    history.run("eabcdfghijka", failing="e", credit=5)
    history.run("eabcdfghijka")

    assert [row["text"] for row in history.rows()] == [*"eabcdfghijka"]


def test_a_part_that_waited_for_a_target_that_is_gone_replaces_no_newer_one(target: Path) -> None:
    """Somebody deleted the target between two jobs: what waits is no first part of a new one."""
    history = History(target, "file")
    history.run("eabcdfgh", failing="e")
    history.run("eabcdfghijkl", failing="e", credit=2)
    history.delete_target()
    history.run("eabcdfghijkl")

    assert [row["text"] for row in history.rows()] == [*"eabcdfghijkl"]


@pytest.mark.parametrize("credit", [None, 1], ids=["finished", "ended"])
def test_a_row_that_comes_back_leaves_the_file_of_errors(target: Path, credit: int | None) -> None:
    """Until then it is in the file, also while its part waits for the end of the job; the folder goes with the last row."""
    history = History(target, "file")
    history.run("eabcdfgh", failing="ed")
    ended = history.run("eabcdfghijkl", failing="d", credit=4)
    waiting = [row["text"] for row in history.left_out()]
    history.run("eabcdfghijkl", credit=credit)
    history.run("eabcdfghijkl")

    assert ended is None
    assert waiting == ["e", "d"]
    assert not target.with_name(f"{target.name}.errors").exists()


def test_a_part_whose_rows_are_all_left_out_is_there(target: Path) -> None:
    """It is not made again: neither by the same model, nor after Lance has cleaned up; it goes with its rows."""
    source = pa.table({"n": range(3), "text": [" "] * 3})

    def start(rows: int) -> Report:
        embedder = Embedder(FakeModel("small"))
        part = source.slice(0, rows)
        return run(part, target, model=embedder, text="text", errors="file")

    reports = [start(3), start(3)]
    if target.suffix == ".lance":
        clean_up(target)
    reports += [start(3), start(2), start(2)]
    files = [path.name for path in target.rglob("part-*")]

    assert [report.parts_written for report in reports] == [1, 0, 0, 1, 0]
    assert [report.failed for report in reports] == [3, 3, 3, 2, 2]
    assert len(files) == 1


@pytest.mark.parametrize("rows", [0, 3])
def test_a_part_without_rows_is_whole_after_it_waited(target: Path, rows: int) -> None:
    """The job ended when the part was there, and before the target had it."""
    source = pa.table({"n": range(rows), "text": pa.array([" "] * rows, pa.string())})
    kind = LanceTarget if target.suffix == ".lance" else ParquetTarget

    def start() -> Report:
        embedder = Embedder(FakeModel("small"))
        return run(source, target, model=embedder, text="text", errors="file")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kind, "finish", Mock(side_effect=EOFError))
        with pytest.raises(EOFError):
            start()
    reports = [start(), start()]

    assert [report.parts_written for report in reports] == [0, 0]
    assert [report.failed for report in reports] == [rows, rows]
    assert History(target, "file").rows() == []


def clean_up(target: Path) -> None:
    """Have Lance delete what it does not know."""
    dataset = pytest.importorskip("lance").dataset(str(target))
    dataset.cleanup_old_versions(older_than=timedelta(0), delete_unverified=True)


@pytest.mark.parametrize("how", ["damaged", "ended"])
def test_a_first_job_that_did_not_end_and_a_source_that_changed_double_no_row(
    target: Path, how: str
) -> None:
    """Parts of before stay alone in the target until all rows are known; those of now wait."""
    history = History(target, "column")
    ends: list[Any] = [{"credit": 8}, {"credit": 2}]
    if how == "damaged":
        ends = [{"damaged": 1}] * 2
    history.run("abcdefghijkl", **ends[0])
    before = [row["text"] for row in history.rows()]
    history.run("bcdefghijklm", **ends[1])
    again = [row["text"] for row in history.rows()]
    history.run("bcdefghijklm")

    assert before == again
    assert [row["text"] for row in history.rows()] == [*"bcdefghijklm"]


FEW = LETTERS[:6]
"""Letters that repeat."""
appended = st.tuples(st.just("append"), st.text(LETTERS[:10], min_size=4, max_size=9))
edits = st.one_of(
    appended,
    appended,
    st.tuples(st.just("append"), st.just("")),
    st.tuples(st.just("begin"), st.text(LETTERS, max_size=4)),
    st.tuples(st.just("cut"), st.integers(1, 4)),
    st.tuples(st.just("delete"), st.none()),
)
steps = st.lists(
    st.tuples(
        edits,
        st.sampled_from([True, True, False]),
        st.none() | st.integers(1, 5),
        st.none() | st.none() | st.integers(0, 2),
    ),
    min_size=2,
    max_size=6,
)


def edited(source: str, how: str, what: Any) -> str:
    if how == "append":
        return f"{source}{what}"
    return source[: -int(what)] if how == "cut" else f"{what}{source}"


@pytest.mark.heavy  # some hundred jobs
@pytest.mark.parametrize("errors", ["file", "column"])
@pytest.mark.parametrize("form", FORMATS)
@given(
    source=st.permutations(FEW).map("".join),
    failing=st.text(FEW, min_size=1, max_size=2),
    history=steps,
)
@example(
    source="abcdef",
    failing="a",
    history=[(("append", "aaaa"), True, None, None), (("append", "aghb"), True, 1, None)],
)
@example(
    source="bdcaef",
    failing="bd",
    history=[(("append", ""), True, None, None), (("cut", 4), True, None, None)],
)
@settings(max_examples=15)
def test_any_history_gives_each_row_its_own_vector(
    tmp_path_factory: pytest.TempPathFactory,
    form: str,
    errors: str,
    source: str,
    failing: str,
    history: Any,
) -> None:
    """Whatever failed, passed, was damaged or ended before: at the end all rows are there, and none was paid twice."""
    jobs = History(tmp_path_factory.mktemp("history") / form, errors)
    for (how, what), fails, credit, damaged in history:
        if how == "delete":
            jobs.delete_target()
        else:
            source = edited(source, how, what)
        jobs.run(source, failing=failing if fails else "", credit=credit, damaged=damaged)
    jobs.run(source)

    assert [row["text"] for row in jobs.rows()] == [*source]
    assert not jobs.left_out()
    again = jobs.run(source)
    assert again is not None
    assert (again.embedded, again.parts_written) == (0, 0)
