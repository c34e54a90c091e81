"""The dry run: what it counts is what the run then reports, whatever was there before."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedbridge.bulk import Columns, Report, RowError, estimate, run
from embedbridge.bulk.budget import FileRateLimiter
from embedbridge.bulk.contents import Contents
from embedbridge.bulk.sample import Sample
from embedbridge.contract import InvalidOptionError, ProviderUnavailableError
from embedbridge.core import Embedder, Settings, load_embedder
from embedbridge.testing import FakeModel, RemoteFakeModel, tiny_png

SMALL = 1 << 10
"""Bytes of a part: a few rows."""
TEXTS = ["a", "b", "c d", "e", "", " ", "\t\n", None]


@st.composite
def jobs(draw: st.DrawFn) -> dict[str, Any]:
    """A source and the settings of a run; few of either, so that runs have much in common."""
    texts = draw(st.lists(st.sampled_from(TEXTS), max_size=60))
    return {
        "source": pa.table({"text": pa.array(texts, pa.string())}),
        "errors": draw(st.sampled_from(["column", "file", "fail"])),
        "on_empty": draw(st.sampled_from(["error", "skip", "embed", "zero"])),
        "on_too_long": draw(st.sampled_from(["truncate", "error"])),
        "part_bytes": draw(st.sampled_from([SMALL, 4 * SMALL])),
    }


@pytest.mark.filterwarnings("ignore:on_empty=.zero")
@settings(max_examples=40)
@given(st.lists(jobs(), min_size=1, max_size=3))
def test_the_counts_are_those_of_the_run(history: Any) -> None:
    """Of a first run, of one after others with other rows and settings, and of the same once more."""
    done: Report | None = None
    with tempfile.TemporaryDirectory() as place:
        for job in [*history, history[-1]]:
            arguments = {name: value for name, value in job.items() if name != "source"}
            arguments |= {"model": Embedder(FakeModel("small")), "text": "text"}
            found = estimate(job["source"], Path(place) / "out", **arguments)
            try:
                done = run(job["source"], Path(place) / "out", **arguments)
            except RowError:
                done = None
                continue  # what it paid for is in the journal, and counts in the next round

            assert (found.rows, found.contents, found.repeated, found.kept) == (
                done.rows, done.embedded, done.repeated, done.kept,
            )  # fmt: skip
        if done is not None:  # it was done before, so that nothing was left
            assert found.contents == found.requests == done.requests == 0


@pytest.mark.parametrize("errors", ["column", "file"])
@pytest.mark.parametrize("on_empty", ["error", "skip"])
def test_rows_that_are_known_to_have_no_vector_are_not_to_embed(
    tmp_path: Path, errors: Any, on_empty: Any
) -> None:
    """The run leaves them as they are."""
    table = pa.table({"text": ["a", " "]})
    options: dict[str, Any] = {
        "model": "fake:small",
        "text": "text",
        "errors": errors,
        "on_empty": on_empty,
    }
    run(table, tmp_path / "out", **options)
    found = estimate(table, tmp_path / "out", **options)

    assert (found.rows, found.contents, found.kept) == (2, 0, 1)


def test_what_cannot_be_read_now_is_not_to_embed(tmp_path: Path) -> None:
    """Nor does a row of it have a vector; of a text and an image, both are needed."""
    (tmp_path / "there.png").write_bytes(tiny_png(1))
    names = ["there.png", "away.png", None, "there.png", "away.png"]
    table = pa.table({"image": names, "text": [None, "a", "a", "b", "a"]})
    for text, expected in ((None, (5, 1, 1)), ("text", (5, 3, 0))):
        options: dict[str, Any] = {
            "model": "fake:small",
            "columns": Columns(image="image", text=text, image_root=str(tmp_path)),
            "errors": "column",
        }
        found = estimate(table, tmp_path / f"out-{text}", **options)
        report = run(table, tmp_path / f"out-{text}", **options)
        later = estimate(table, tmp_path / f"out-{text}", **options)

        assert (found.rows, found.contents, found.repeated) == expected
        assert (report.rows, report.embedded, report.repeated) == expected
        assert (later.contents, later.kept) == (0, expected[1] + expected[2])


def test_an_error_that_stays_is_not_to_embed(tmp_path: Path) -> None:
    """Only the model knows of it: it counts the first time, and again where its part is made anew."""
    (tmp_path / "a.png").write_bytes(b"no image")
    (tmp_path / "b.png").write_bytes(tiny_png(1))
    options: dict[str, Any] = {
        "model": "fake:small",
        "columns": Columns(image="image", image_root=str(tmp_path)),
        "errors": "column",
    }
    table, more = (
        pa.table({"image": names}) for names in (["a.png", "b.png"], ["a.png", "b.png", None])
    )
    first = estimate(table, tmp_path / "out", **options)
    report = run(table, tmp_path / "out", **options)
    again, changed = (estimate(each, tmp_path / "out", **options) for each in (table, more))

    assert (first.contents, report.embedded, report.failed) == (2, 1, 1)
    assert (again.contents, changed.contents) == (0, 1)


class Overloaded(RemoteFakeModel):
    """Refuses one text."""

    async def embed_batch(self, batch: Any) -> Any:
        if "bad" in batch.inputs:
            raise ProviderUnavailableError("Overloaded.")
        return await super().embed_batch(batch)


def test_an_error_that_may_pass_is_to_embed(tmp_path: Path) -> None:
    """The run tries it again."""
    table = pa.table({"text": [*"abcdefgh", "bad"]})
    embedder = Embedder(Overloaded("small"), settings=Settings(max_attempts=1, batch_size=1))
    options: dict[str, Any] = {"model": embedder, "text": "text", "errors": "column"}
    report = run(table, tmp_path / "out", **options)
    found = estimate(table, tmp_path / "out", **options)

    assert report.failed == 1
    assert (found.contents, found.kept) == (1, 8)


@pytest.mark.parametrize("wrong", [{"errors": "ignore"}, {"part_bytes": 0}])
def test_what_the_run_refuses_the_dry_run_refuses(tmp_path: Path, wrong: Any) -> None:
    """Before the source is read."""
    with pytest.raises(InvalidOptionError):
        estimate(
            pa.table({"text": ["a"]}), tmp_path / "out", model="fake:small", text="text", **wrong
        )


@given(st.lists(st.integers(0, 50)), st.integers(1, 9))
def test_a_sample_is_from_all_over(sizes: list[int], most: int) -> None:
    """Every n-th of all contents, however the chunks are cut: no part of a source counts more."""
    names = [str(number) for number in range(sum(sizes))]
    sample, start = Sample(most), 0
    for size in sizes:
        part = pa.table({"text": pa.array(names[start : start + size], pa.string())})
        sample.add(Contents(part, Columns(text="text")), np.arange(size))
        start += size
    step = next(n for n in (1 << power for power in range(12)) if n * most >= len(names))

    assert sample.inputs == names[::step]
    assert len(sample.inputs) <= most


def test_tokens_are_those_of_a_sorted_source(tmp_path: Path) -> None:
    """The long texts at the end count as many as they are; the beginning alone has none of them."""

    def tokens(texts: list[str]) -> int:
        model = load_embedder("openai:text-embedding-3-small", api_key="k")
        found = estimate(pa.table({"text": texts}), tmp_path / "out", model=model, text="text")
        assert found.tokens is not None
        return found.tokens

    short = [f"a few words {number}" for number in range(40_000)]
    long = [f"{'many more words ' * 20} {number}" for number in range(40_000)]

    assert tokens(short + long) == pytest.approx(tokens(short) + tokens(long), rel=0.01)


def test_requests_fit_into_a_minute(tmp_path: Path) -> None:
    """No request has more tokens than all of a minute may have together, whoever says so."""
    table = pa.table({"text": [f"{'many words ' * 50} {number}" for number in range(400)]})
    low = FileRateLimiter(tmp_path / "low", tokens_per_minute=10_000)
    high = FileRateLimiter(tmp_path / "high", tokens_per_minute=20_000)
    ways: list[dict[str, Any]] = [
        {"tokens_per_minute": 10_000},
        {"limiter": low},
        {"limiter": low, "tokens_per_minute": 20_000},
        {"limiter": high, "tokens_per_minute": 10_000},
    ]
    for way in ways:
        model = load_embedder("openai:text-embedding-3-small", api_key="k", **way)
        found = estimate(table, tmp_path / "out", model=model, text="text")

        assert found.requests is not None
        assert found.tokens is not None
        assert found.requests == -(-found.tokens // 10_000) > 1
