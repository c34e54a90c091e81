"""On a real Spark with two worker processes: each row is paid once, whatever follows."""

import os
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from embedbridge.bulk import Columns, EmbedStage, Provenance
from embedbridge.bulk.engines import spark as door
from embedbridge.testing import CohereWire, FaultServer, faults

pytest.importorskip("pyspark.sql", reason="Spark is not installed")

TEXTS = {n: None if n % 10 == 3 else " " if n % 10 == 7 else f"text {n}" for n in range(200)}
GOOD = [text for text in TEXTS.values() if text and text.strip()]


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(wire=CohereWire(), dimensions=1536) as server:
        yield server


@pytest.fixture
def df(spark: Any) -> Any:
    return spark.createDataFrame(list(TEXTS.items()), "id long, text string").repartition(4)


@pytest.fixture
def stage(server: FaultServer) -> Any:
    columns = Columns(id="id", text="text")
    return EmbedStage("cohere:embed-v4.0", columns, base_url=server.url)


def paid(server: FaultServer) -> Counter[str]:
    return Counter(text for request in server.requests for text in request.inputs)


def test_rows_are_those_of_the_stage(df: Any) -> None:
    """Ids, nulls and errors by row."""
    stage = EmbedStage("fake:small", Columns(id="id", text="text"))
    rows = door.embed_dataframe(df, stage).toArrow().sort_by("id")
    table = pa.table({"id": list(TEXTS), "text": list(TEXTS.values())})

    assert rows.to_pylist() == stage(table).to_pylist()


def test_a_filter_and_two_actions_pay_each_row_once(
    df: Any, stage: Any, server: FaultServer
) -> None:
    """Nothing before the first action; a null and an empty text cost nothing."""
    embedded = door.embed_dataframe(df, stage)
    before = paid(server)
    with_vector = embedded.filter("vector is not null and size(vector) = 1536")

    assert not before
    assert with_vector.count() == len(GOOD)
    assert embedded.filter("embedding_error is not null").count() == 20
    assert embedded.selectExpr("sum(vector[0])").collect()
    assert paid(server) == dict.fromkeys(GOOD, 1)
    embedded.unpersist()


def test_one_write_without_persisting_pays_each_row_once(
    df: Any, stage: Any, server: FaultServer, tmp_path: Any
) -> None:
    """And the table holds plain lists of float32, which say what they are."""
    folder = str(tmp_path / "out")
    door.embed_dataframe(df, stage, persist=False).write.parquet(folder)
    table = pq.read_table(folder)

    assert paid(server) == dict.fromkeys(GOOD, 1)
    assert table.num_rows == len(TEXTS)
    assert table.column("vector").null_count == len(TEXTS) - len(GOOD)
    assert table.schema.field("vector").type.value_type == pa.float32()
    read = df.sparkSession.read.parquet(folder).schema["vector"].metadata
    assert Provenance.from_metadata(read) == stage.provenance


def test_a_table_that_is_there_is_refused_before_anything_is_paid(
    df: Any, stage: Any, server: FaultServer, tmp_path: Any
) -> None:
    """A job that is started twice does not pay twice."""
    with pytest.raises(Exception, match="PATH_ALREADY_EXISTS"):
        door.embed_dataframe(df, stage, persist=False).write.parquet(str(tmp_path))

    assert not server.requests


def test_tasks_of_a_process_share_one_model(df: Any) -> None:
    """Eight tasks, two worker processes, and in each one embedder."""
    stage = EmbedStage("fake:small", Columns(text="text"))

    def look(batches: Any, names: Any) -> Any:
        from embedbridge.bulk import shared_embedders

        rows = sum(batch.num_rows for batch in door.embed_partition(stage, names, batches))
        found = [
            each for each in shared_embedders._embedders.values() if each.model.provider == "fake"
        ]
        yield pa.RecordBatch.from_pydict(
            {"process": [os.getpid()], "models": [len(found)], "rows": [rows]}
        )

    looked = df.repartition(8).mapInArrow(
        partial(look, names=["id", "text"]), "process long, models long, rows long"
    )
    rows = looked.collect()

    assert sum(row.rows for row in rows) == len(TEXTS)
    assert len({row.process for row in rows}) <= 2
    assert {row.models for row in rows} == {1}


def test_a_wrong_key_ends_the_job(df: Any, stage: Any, server: FaultServer) -> None:
    """It would meet every row: no table of errors is made."""
    server.always(faults.status(401))

    with pytest.raises(Exception, match="AuthenticationError") as raised:
        door.embed_dataframe(df, stage).collect()
    assert os.environ["CO_API_KEY"] not in str(raised.value)


def test_columns_may_have_dots(spark: Any) -> None:
    """Which Spark's own `mapInArrow` does not find (4.3)."""
    rows = [(1, "a", 1.0)]
    df = spark.createDataFrame(rows, "`the.id` int, `the.text` string, unused double")
    columns = Columns(id="the.id", text="the.text", keep=[])
    (row,) = door.embed_dataframe(df, EmbedStage("fake:small", columns)).collect()

    assert (row["the.id"], len(row["vector"])) == (1, 8)
