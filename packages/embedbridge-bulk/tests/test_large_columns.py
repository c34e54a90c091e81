"""Columns of more bytes than offsets of 32 bits reach: the limit is made small, no gigabyte is made."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from embedbridge.bulk import Columns, EmbedStage, plain
from embedbridge.bulk import stage as stage_module
from embedbridge.bulk.contents import Contents
from embedbridge.bulk.plain import plain_column
from embedbridge.bulk.reading import Part, Sizes, partitioned
from embedbridge.bulk.sources.memory import TableSource
from embedbridge.testing import tiny_png

TEXTS = [*(f"text {number} " + number * "x" for number in range(40)), None]
PNGS = [*map(tiny_png, range(40)), None]
LITTLE = 300
"""Bytes: a few of these values."""
KINDS = {
    "narrow": lambda values: values,
    "wide": lambda values: values.cast(plain.wide_type(values.type)),
    "view": lambda values: values.cast(
        pa.string_view() if pa.types.is_string(values.type) else pa.binary_view()
    ),
    "dictionary": lambda values: values.dictionary_encode(),
    "struct": lambda values: pa.StructArray.from_arrays([values], ["bytes"]),
}


@pytest.fixture
def few() -> Any:
    """The images embedded while none is too large."""
    return EmbedStage("fake:small", Columns(image="image"))(pa.table({"image": PNGS}))


@pytest.fixture
def little(few: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """All columns are too large, and pieces of a table are small."""
    monkeypatch.setattr(plain, "MOST_BYTES", LITTLE)
    monkeypatch.setattr(stage_module, "BYTES_AT_ONCE", 4 * LITTLE)


@pytest.mark.parametrize("kind", ["view", "dictionary"])
@pytest.mark.parametrize("nested", [False, True])
def test_plain_values_come_in_chunks_that_can_hold_them(
    little: None, kind: str, nested: bool
) -> None:
    """Arrow casts more than 2 GiB of views to a string array without a word, and wrongly."""
    values = KINDS[kind](pa.array(TEXTS))
    if nested:
        values = pa.StructArray.from_arrays([values], ["text"])
    column = plain_column(pa.chunked_array([values, values.slice(3, 5)]))

    assert column.to_pylist() == [*values.to_pylist(), *values.slice(3, 5).to_pylist()]
    assert column.num_chunks > 4
    assert max(chunk.nbytes for chunk in column.chunks) <= LITTLE
    texts = [chunk.field(0) if nested else chunk for chunk in column.chunks]
    # Offsets of a slice would be as high as in the whole, which narrow ones do not reach.
    assert {int(np.frombuffer(each.buffers()[1], np.int32)[each.offset]) for each in texts} == {0}


@pytest.mark.parametrize("kind", KINDS)
def test_a_stage_embeds_images_of_any_size_together(few: Any, little: None, kind: str) -> None:
    """The same vectors and digests as where they are few bytes."""
    table = pa.table({"image": KINDS[kind](pa.array(PNGS))})
    stage = EmbedStage("fake:small", Columns(image="image"))
    many = stage(table)

    for name in ("vector", "embedding_error", "content_digest"):
        assert many.column(name).to_pylist() == few.column(name).to_pylist()


def test_a_stage_takes_few_bytes_at_once(little: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not all rows of a table that make one array of vectors: images may be gigabytes."""
    seen = []

    class Watched(Contents):
        def __init__(self, table: pa.Table, columns: Columns) -> None:
            seen.append(table.nbytes)
            super().__init__(table, columns)

    monkeypatch.setattr(stage_module, "Contents", Watched)
    table = pa.table({"image": pa.array(PNGS)})
    EmbedStage("fake:small", Columns(image="image"))(table)

    assert sum(seen) >= sum(len(png or b"") for png in PNGS)
    assert max(seen) <= 2 * 4 * LITTLE


@pytest.mark.parametrize("kind", KINDS)
def test_contents_of_one_table_keep_wide_offsets_where_they_need_them(
    little: None, kind: str
) -> None:
    """A row may be larger than all others together: pieces of about one size still hold too much."""
    table = pa.table({"image": pa.chunked_array([KINDS[kind](pa.array(PNGS))])})
    columns = Columns(image="image")
    wide = Contents(table, columns)
    narrow = Contents(pa.table({"image": PNGS}), columns)
    rows = np.flatnonzero(wide.present)

    assert pa.types.is_large_binary(
        wide._image.type.field(0).type if kind == "struct" else wide._image.type  # type: ignore[union-attr]
    )
    assert (wide.digests() == narrow.digests()).all()
    assert wide.inputs(rows) == narrow.inputs(rows)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "struct"])
def test_a_job_of_large_texts_is_as_one_of_small(
    little: None, job: Any, out: Any, expected: Any, kind: str
) -> None:
    """In a target, too."""
    job(pa.table({"id": range(len(TEXTS)), "text": KINDS[kind](pa.array(TEXTS))}))

    assert out().column("vector").to_pylist() == [*expected(TEXTS[:-1]), None]
    assert out().column("text").to_pylist() == TEXTS


@pytest.mark.parametrize("kind", ["view", "dictionary"])
def test_a_table_in_memory_is_made_plain_some_rows_at_a_time(kind: str) -> None:
    """A dictionary is small and what it stands for is not; views, as of Polars, would be there twice."""
    words = [f"word {number} " * 100 for number in range(16)]
    texts = KINDS[kind](pa.array([words[row % 16] for row in range(1 << 16)]))
    columns, size = Columns(text="text"), len(words[0]) << 16
    tables = TableSource(pa.table({"text": texts}), columns).tables()
    held, most, rows = pa.total_allocated_bytes(), 0, 0
    for piece in partitioned(tables, columns, Sizes.of(64, part_bytes=1 << 22), {}):
        most = max(most, pa.total_allocated_bytes() - held)
        rows += piece.rows if isinstance(piece, Part) else 0
        del piece

    assert rows == 1 << 16
    assert most < size // 4
