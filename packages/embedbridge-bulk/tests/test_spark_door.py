"""The door to Spark on a stand-in, which computes anew for each action, as Spark does."""

import pickle
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from embedbridge.bulk import Columns, EmbedStage
from embedbridge.bulk.engines.spark import embed_dataframe, embed_partition
from embedbridge.contract import InvalidOptionError
from embedbridge.core import Embedder

TABLE = pa.table(
    {
        "te.xt": ["a", None, " ", "a", "b"],
        "id": [5, 4, 3, 2, 1],
        "price": [1.0, 2.0, 3.0, 4.0, 5.0],
        "unused": ["x"] * 5,
    }
)
COLUMNS = Columns(id="id", text="te.xt", keep=["price"])


class Frame:
    """A DataFrame of two batches a partition, made by a function for each action."""

    def __init__(self, make: Any, schema: Any) -> None:
        self._make, self.schema = make, schema
        self.level: Any = None
        self._kept: Any = None

    def __getitem__(self, quoted: Any) -> Any:
        assert quoted[0] == quoted[-1] == "`"
        name = quoted[1:-1]
        column = SimpleNamespace(name=name, shown=name)
        column.alias = lambda shown: SimpleNamespace(name=name, shown=shown)
        return column

    def select(self, columns: Any) -> Any:
        names, shown = [c.name for c in columns], [c.shown for c in columns]
        fields = {field.name: field for field in self.schema.fields}
        schema = SimpleNamespace(fields=[fields[name] for name in names])
        return Frame(lambda: self.toArrow().select(names).rename_columns(shown), schema)

    def limit(self, rows: Any) -> Any:
        return Frame(lambda: self.toArrow().slice(0, rows), self.schema)

    def mapInArrow(self, function: Any, schema: Any) -> Any:  # noqa: N802  # Spark's name
        def make() -> Any:
            made = list(pickle.loads(pickle.dumps(function))(iter(self.toArrow().to_batches(2))))
            return pa.Table.from_batches(made)

        return Frame(make, schema)

    def persist(self, level: Any = "memory and disk") -> Any:
        self.level = level
        return self

    def toArrow(self) -> Any:  # noqa: N802  # Spark's name
        if self._kept is not None:
            return self._kept
        table = self._make()
        if self.level is not None:
            self._kept = table
        return table


@pytest.fixture
def df(monkeypatch: pytest.MonkeyPatch) -> Any:
    types: Any = ModuleType("pyspark.sql.types")
    types.StructField = lambda name, kind, metadata=None: SimpleNamespace(
        name=name, kind=kind, metadata=metadata
    )
    types.StructType = lambda fields: SimpleNamespace(fields=fields)
    types.ArrayType = lambda kind: ("array", kind)
    for kind in ("FloatType", "StringType", "BooleanType", "BinaryType"):
        setattr(types, kind, lambda kind=kind: kind)
    for name in ("pyspark", "pyspark.sql"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, "pyspark.sql.types", types)
    fields = [SimpleNamespace(name=name, kind=None, metadata=None) for name in TABLE.column_names]
    return Frame(lambda: TABLE, SimpleNamespace(fields=fields))


@pytest.fixture
def stage() -> Any:
    return EmbedStage("fake:small", COLUMNS)


def test_rows_keep_order_ids_and_nulls(df: Any, stage: Any) -> None:
    """The same as of the stage itself, but for the type of digests, which Spark does not have."""
    table = embed_dataframe(df, stage).toArrow()

    assert table.column("id").to_pylist() == TABLE.column("id").to_pylist()
    assert table.schema.field("vector").type == pa.list_(pa.float32())
    assert table.schema.field("content_digest").type == pa.binary()
    assert table.to_pylist() == stage(TABLE).to_pylist()


def test_the_schema_that_spark_is_told_is_that_of_the_rows(df: Any, stage: Any) -> None:
    """Kept columns, then ours; what made the vectors is in the metadata of their column."""
    embedded = embed_dataframe(df, stage)
    fields = {field.name: field for field in embedded.schema.fields}

    assert list(fields) == embedded.toArrow().column_names
    assert fields["vector"].kind == ("array", "FloatType")
    assert fields["vector"].metadata["embedbridge.space"] == stage.provenance.space
    assert fields["vector"].metadata["embedbridge.fingerprint"] == stage.provenance.fingerprint


def test_several_actions_embed_once(df: Any, stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """And without an action nothing is embedded."""
    asked: list[int] = []
    embed = Embedder.embed

    def counted(self: Any, inputs: Any, **options: Any) -> Any:
        inputs = list(inputs)
        asked.append(len(inputs))
        return embed(self, inputs, **options)

    monkeypatch.setattr(Embedder, "embed", counted)
    embedded = embed_dataframe(df, stage)
    before = sum(asked)
    for _ in range(3):
        embedded.toArrow()

    assert before == 0
    assert sum(asked) == TABLE.num_rows - 1  # one is null


def test_how_it_is_persisted_can_be_said(df: Any, stage: Any) -> None:
    """By default where Spark does by default; elsewhere; or not at all."""
    assert embed_dataframe(df, stage).level == "memory and disk"
    assert embed_dataframe(df, stage, persist="disk only").level == "disk only"
    assert embed_dataframe(df, stage, persist=False).level is None


def test_a_column_that_is_missing_is_refused_at_once(df: Any) -> None:
    """On the driver, not in a task."""
    with pytest.raises(InvalidOptionError, match=r"Did you mean 'te\.xt'"):
        embed_dataframe(df, EmbedStage("fake:small", Columns(text="te_xt")))


def test_a_partition_without_rows_has_none(stage: Any) -> None:
    """Whether Spark hands over an empty batch or no batch."""
    names = list(TABLE.column_names)
    empty = TABLE.slice(0, 0).to_batches() or [pa.RecordBatch.from_pylist([], schema=TABLE.schema)]

    assert sum(batch.num_rows for batch in embed_partition(stage, names, empty)) == 0
    assert list(embed_partition(stage, names, [])) == []
