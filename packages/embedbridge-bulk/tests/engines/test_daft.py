"""On a real Daft: a bad row costs itself, two threads share one model, and a row is paid once."""

import os
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from embedbridge.bulk import Columns, EmbedStage
from embedbridge.bulk.engines import daft as door
from embedbridge.core import Embedder
from embedbridge.testing import CohereWire, FakeModel, FaultServer, faults, tiny_png

daft = pytest.importorskip("daft", reason="Daft is not installed")
functions: Any = pytest.importorskip("daft.functions")

TEXTS = {n: None if n % 10 == 3 else " " if n % 10 == 7 else f"text {n}" for n in range(200)}
GOOD = [text for text in TEXTS.values() if text and text.strip()]
COLUMNS = Columns(id="id", text="text")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultServer]:
    monkeypatch.setenv("CO_API_KEY", "key-for-daft-0123456789")
    with FaultServer(wire=CohereWire(), dimensions=1536) as server:
        yield server


@pytest.fixture
def stage(server: FaultServer) -> Any:
    return EmbedStage("cohere:embed-v4.0", COLUMNS, base_url=server.url)


@pytest.fixture
def df() -> Any:
    return daft.from_pydict({"id": list(TEXTS), "text": list(TEXTS.values())})


def paid(server: FaultServer) -> Counter[str]:
    return Counter(text for request in server.requests for text in request.inputs)


def test_rows_are_those_of_the_stage(df: Any) -> None:
    """In order, also if Daft cuts them into many batches."""
    stage = EmbedStage("fake:small", COLUMNS)
    rows = door.embed_dataframe(df, stage, batch_rows=16).to_arrow()
    table = pa.table({"id": list(TEXTS), "text": list(TEXTS.values())})

    assert rows.to_pylist() == stage(table).to_pylist()


def test_a_filter_and_two_actions_pay_each_row_once(
    df: Any, stage: Any, server: FaultServer
) -> None:
    """After `collect`; nothing before."""
    embedded = door.embed_dataframe(df, stage, batch_rows=16)
    before = paid(server)
    embedded = embedded.collect()

    assert not before
    assert embedded.where(embedded["vector"].not_null()).count_rows() == len(GOOD)
    assert embedded.where(embedded["embedding_error"].not_null()).count_rows() == 20
    assert embedded.count_rows() == len(TEXTS)
    assert paid(server) == dict.fromkeys(GOOD, 1)


def test_rows_that_a_filter_drops_are_not_paid(df: Any, stage: Any, server: FaultServer) -> None:
    """Daft moves a filter on another column in front of the model."""
    embedded = door.embed_dataframe(df, stage)
    embedded.where((daft.col("id") < 100) & daft.col("vector").not_null()).collect()

    assert paid(server) == dict.fromkeys(GOOD[: len(GOOD) // 2], 1)


def test_a_table_holds_plain_lists(df: Any, tmp_path: Any) -> None:
    """Where a vector is missing, pyarrow before 26 cannot read Daft's own type for vectors."""
    stage = EmbedStage("fake:small", COLUMNS)
    door.embed_dataframe(df, stage).write_parquet(str(tmp_path / "out"))
    table = pq.read_table(tmp_path / "out")

    assert table.schema.field("vector").type.value_type == pa.float32()
    assert table.column("vector").null_count == len(TEXTS) - len(GOOD)


def test_threads_share_one_model() -> None:
    """In this process: two callers at once, and one model that is given one batch at a time."""
    seen: set[tuple[int, str]] = set()

    class Watched(FakeModel):
        def embed_batch(self, batch: Any) -> Any:
            seen.add((os.getpid(), threading.current_thread().name))
            return super().embed_batch(batch)

    texts = [f"{n}" for n in range(4000)]
    stage = EmbedStage(Embedder(Watched("small")), Columns(text="text"))
    rows = door.embed_dataframe(daft.from_pydict({"text": texts}), stage, batch_rows=20).to_arrow()

    assert {process for process, _ in seen} == {os.getpid()}
    assert (
        rows.column("vector").to_pylist()
        == Embedder(FakeModel("small")).embed_documents(texts).tolist()
    )


def test_a_wrong_key_ends_the_query(df: Any, stage: Any, server: FaultServer) -> None:
    """It would meet every row: no table of errors is made, and it is asked once for a batch."""
    server.always(faults.status(401))

    with pytest.raises(Exception, match="key"):
        door.embed_dataframe(df, stage).collect()
    assert len(server.requests) <= 8


class TestDaftsOwnFunctions:
    """`embed_text` and `embed_image` with our models."""

    @pytest.fixture(autouse=True)
    def attached(self) -> Iterator[None]:
        with daft.session() as session:
            session.attach_provider(door.provider())
            yield

    def test_nulls_and_bad_rows_cost_themselves(self, df: Any) -> None:
        """Where Daft would lose a batch for a bad row, or send a null as an empty text."""
        expression = functions.embed_text(
            df["text"], provider="embedbridge", model="fake:small", on_error="ignore", batch_size=50
        )
        rows = df.with_column("vector", expression).to_pydict()
        expected = Embedder(FakeModel("small")).embed_documents(GOOD)
        found = [list(vector) for vector in rows["vector"] if vector is not None]

        assert found == expected.tolist()

    def test_an_error_ends_the_query_by_default(self, df: Any) -> None:
        """As of Daft's own providers."""
        expression = functions.embed_text(df["text"], provider="embedbridge", model="fake:small")

        with pytest.raises(Exception, match="empty or only white space"):
            df.with_column("vector", expression).collect()

    def test_options_go_to_the_model(self, df: Any) -> None:
        """Width, role, and what `load_embedder` knows."""
        expression = functions.embed_text(
            df["text"],
            provider="embedbridge",
            model="fake:small",
            dimensions=4,
            role="query",
            on_empty="skip",
        )
        rows = df.with_column("vector", expression).to_pydict()
        expected = Embedder(FakeModel("small", dimensions=4)).embed_queries(GOOD)

        assert [list(v) for v in rows["vector"] if v is not None] == expected.tolist()

    def test_each_row_is_paid_once(self, df: Any, server: FaultServer) -> None:
        """Also if the server fails once: our engine tries a request again, not Daft a batch."""
        server.play(faults.status(503))
        expression = functions.embed_text(
            df["text"],
            provider="embedbridge",
            model="cohere:embed-v4.0",
            base_url=server.url,
            on_error="log",
        )
        df.with_column("vector", expression).collect()
        answered = [request for request in server.requests if request.fault is None]

        assert Counter(text for r in answered for text in r.inputs) == dict.fromkeys(GOOD, 1)

    def test_images(self) -> None:
        """Of bytes and of Daft's own type."""
        images = daft.from_pydict({"data": [tiny_png(200, 10, 10, size=8), None, b"junk"]})
        decoded = functions.decode_image(images["data"], on_error="null")
        options = {"provider": "embedbridge", "model": "fake:small", "on_error": "ignore"}
        rows = (
            images.with_column("image", decoded)
            .with_column("of_bytes", functions.embed_image(daft.col("data"), **options))
            .with_column("of_image", functions.embed_image(daft.col("image"), **options))
            .to_pydict()
        )

        assert [vector is None for vector in rows["of_bytes"]] == [False, True, True]
        assert [vector is None for vector in rows["of_image"]] == [False, True, True]
        assert list(rows["of_bytes"][0]) == list(rows["of_image"][0])

    def test_what_daft_prints_has_no_key(self) -> None:
        """A descriptor stands in plans and in logs."""
        key = "sk-" + "0123456789abcdef" * 3
        descriptor = door.provider().get_text_embedder("openai:some", api_key=key)

        assert "openai:some" in repr(descriptor)
        assert key not in repr(descriptor)
