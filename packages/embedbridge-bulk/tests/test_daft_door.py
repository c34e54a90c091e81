"""The door to Daft on a stand-in, which calls one function from two threads, as Daft does."""

import logging
import sys
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from embedbridge.bulk import Columns, EmbedStage
from embedbridge.bulk.engines import daft as door
from embedbridge.bulk.engines.daft_batches import BatchEmbedder
from embedbridge.contract import InvalidImageError, InvalidInputError, InvalidOptionError
from embedbridge.core import Embedder
from embedbridge.testing import FakeModel, RecordingModel, tiny_png

COUNT = 100
TABLE = pa.table(
    {
        "text": [
            None if n % 10 == 3 else " " if n % 10 == 7 else f"text {n % 30}" for n in range(COUNT)
        ],
        "id": list(range(COUNT, 0, -1)),
        "unused": ["x"] * COUNT,
    }
)
COLUMNS = Columns(id="id", text="text", keep=[])


class Frame:
    """A DataFrame that is computed when its columns are selected."""

    def __init__(self, table: Any) -> None:
        self.table = table

    def schema(self) -> Any:
        return SimpleNamespace(to_pyarrow_schema=lambda: self.table.schema)

    def __getitem__(self, name: Any) -> Any:
        return name

    def select(self, *columns: Any) -> Any:
        *kept, (function, names, options) = columns
        size = options["batch_size"]
        starts = range(0, self.table.num_rows, size)

        def call(start: Any) -> Any:
            piece = self.table.slice(start, size)
            arrays = [piece.column(name).combine_chunks() for name in names]
            series = [SimpleNamespace(to_arrow=lambda array=array: array) for array in arrays]
            return function(*series)

        with ThreadPoolExecutor(2) as threads:
            made = [chunk for array in threads.map(call, starts) for chunk in array.chunks]
        structs = pa.chunked_array(made, options["return_dtype"])
        rows = pa.Table.from_struct_array(structs)
        for place, name in enumerate(kept):
            rows = rows.add_column(place, name, self.table.column(name))
        return rows


@pytest.fixture
def options(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What Daft is told of the function."""
    told: dict[str, Any] = {}

    def batch(**options: Any) -> Any:
        told.update(options)
        return lambda function: lambda *names: (function, names, options)

    daft: Any = ModuleType("daft")
    daft.func = SimpleNamespace(batch=batch)
    daft.DataType = SimpleNamespace(from_arrow_type=lambda kind: kind)
    monkeypatch.setitem(sys.modules, "daft", daft)
    return told


def test_rows_are_those_of_the_stage(options: Any) -> None:
    """Order, ids, nulls and errors by row, however the rows are cut and whoever calls."""
    stage = EmbedStage("fake:small", COLUMNS)
    table: Any = door.embed_dataframe(Frame(TABLE), stage, batch_rows=7)

    assert table.column("id").to_pylist() == TABLE.column("id").to_pylist()
    assert table.to_pylist() == stage(TABLE).to_pylist()
    assert table.column("embedding_error").null_count == COUNT - COUNT // 10


def test_threads_share_one_model(options: Any) -> None:
    """Daft starts no process of its own, which would load the model again."""
    model = RecordingModel("small")
    stage = EmbedStage(Embedder(model), COLUMNS)
    door.embed_dataframe(Frame(TABLE), stage, batch_rows=7)

    assert options["use_process"] is False
    assert {text for batch in model.batches for text in batch.inputs} == {
        text for text in TABLE.column("text").to_pylist() if text and text.strip()
    }


def test_a_column_that_is_missing_is_refused_at_once(options: Any) -> None:
    """Before Daft runs anything."""
    with pytest.raises(InvalidOptionError, match="Did you mean 'text'"):
        door.embed_dataframe(Frame(TABLE), EmbedStage("fake:small", Columns(text="txt")))

    assert not options


class TestBatchesOfDaftsOwnFunctions:
    """What `embed_text` and `embed_image` are given; they have no column for errors."""

    @pytest.fixture
    def embedder(self) -> Any:
        def make(on_error: Any) -> Any:
            return BatchEmbedder(EmbedStage("fake:small", Columns(text="text")), on_error)

        return make

    def test_a_null_has_no_vector(self, embedder: Any) -> None:
        """And is no error; a batch of nulls is none either."""
        vectors = embedder("raise").embed_text(["a", None, "b"])
        expected = Embedder(FakeModel("small")).embed_documents(["a", "b"])

        assert vectors[1] is None
        assert np.array_equal([vectors[0], vectors[2]], expected)
        assert embedder("raise").embed_text([None, None]) == [None, None]

    def test_a_bad_row_ends_the_query_or_costs_itself(self, embedder: Any) -> None:
        """As `on_error` says; the error names the row."""
        texts = [None, "a", " ", "b"]
        with pytest.raises(InvalidInputError) as raised:
            embedder("raise").embed_text(texts)
        vectors = embedder("ignore").embed_text(texts)

        assert raised.value.index == 2
        assert [vector is None for vector in vectors] == [True, False, True, False]

    def test_log_says_how_many_and_why(
        self, embedder: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Once for a batch, without a text."""
        with caplog.at_level(logging.WARNING):
            embedder("log").embed_text(["secret", " ", ""])
            embedder("ignore").embed_text([" "])
        (record,) = caplog.records

        assert record.getMessage().startswith("Rows without a vector: 2. InvalidInputError: ")
        assert "secret" not in record.getMessage()

    def test_images_are_arrays_bytes_or_paths(self, embedder: Any, tmp_path: Any) -> None:
        """What Daft's columns of images, binaries and strings hold."""
        png = tiny_png(200, 10, 10, size=8)
        (tmp_path / "a.png").write_bytes(png)
        pixels = np.full((8, 8, 3), (200, 10, 10), np.uint8)
        values = [pixels, png, str(tmp_path / "a.png"), None, b"junk"]
        vectors = embedder("ignore").embed_image(values)

        assert np.array_equal(vectors[0], vectors[1])
        assert np.array_equal(vectors[1], vectors[2])
        assert vectors[3:] == [None, None]
        with pytest.raises(InvalidImageError):
            embedder("raise").embed_image([png, b""])
