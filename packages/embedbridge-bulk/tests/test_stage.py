"""The stage: an Arrow table in, an Arrow table out, also in another process."""

import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa
import pytest

from embedbridge.bulk import Columns, EmbedStage
from embedbridge.bulk import stage as stage_module
from embedbridge.contract import InvalidOptionError
from embedbridge.core import Embedder, load_embedder
from embedbridge.testing import FakeModel

TABLE = pa.table({"id": [1, 2, 3, 4], "text": ["a", None, " ", "a"], "more": [1.0, 2.0, 3.0, 4.0]})


@pytest.fixture
def stage() -> Any:
    return EmbedStage("fake:small", Columns(id="id", text="text", keep=["more"]))


def test_rows_keep_order_ids_and_nulls(stage: Any, expected: Any) -> None:
    """One bad row costs itself; null in, null out."""
    table = stage(TABLE)

    assert table.column_names == [
        "id", "more", "vector", "embedding_error", "truncated", "content_digest",
    ]  # fmt: skip
    assert table.column("id").to_pylist() == [1, 2, 3, 4]
    assert table.column("vector").to_pylist() == [*expected(["a"]), None, None, *expected(["a"])]
    assert [bool(error) for error in table.column("embedding_error").to_pylist()] == [0, 0, 1, 0]
    assert table.column("embedding_error")[2].as_py().startswith("InvalidInputError: ")


def test_the_schema_says_what_the_vectors_are(stage: Any) -> None:
    """Fixed width, space, fingerprint, role and version: for whoever reads them."""
    table = stage(TABLE)
    embedder = Embedder(FakeModel("small"))

    assert table.schema.field("vector").type == pa.list_(pa.float32())
    assert table.schema.metadata == {
        b"embedbridge.space": embedder.space.encode(),
        b"embedbridge.fingerprint": embedder.fingerprint.encode(),
        b"embedbridge.role": b"document",
        b"embedbridge.task": b"",
        b"embedbridge.version": b"1",
        b"embedbridge.dimensions": b"8",
    }


def test_record_batches_and_empty_tables_are_tables_too(stage: Any) -> None:
    """An engine hands over what it has: the schema is always the same."""
    whole, batch, empty = stage(TABLE), stage(TABLE.to_batches()[0]), stage(TABLE.slice(0, 0))

    assert whole.equals(batch)
    assert empty.num_rows == 0
    assert empty.schema.equals(whole.schema, check_metadata=True)


def test_many_rows_are_as_few(stage: Any) -> None:
    """A large table is embedded in pieces."""
    count = 20_000
    table = stage(
        pa.table(
            {"id": range(count), "text": [f"{n % 50}" for n in range(count)], "more": [0.0] * count}
        )
    )

    assert table.num_rows == count
    assert table.column("vector")[0].equals(table.column("vector")[count - 50])


def test_a_stage_travels_without_a_secret(stage: Any) -> None:
    """By the configuration; a worker finds its own key in its environment."""
    secret = "sk-" + "0123456789abcdef" * 3
    keyed = EmbedStage("openai:text-embedding-3-small", stage.columns, api_key=secret)
    data = pickle.dumps(keyed)

    assert secret.encode() not in data
    assert pickle.loads(pickle.dumps(stage))(TABLE).equals(stage(TABLE))


def test_a_stage_works_in_another_process(stage: Any, tmp_path: Any) -> None:
    """With the same output, bit for bit."""
    (tmp_path / "stage").write_bytes(pickle.dumps(stage))
    (tmp_path / "table").write_bytes(pickle.dumps(TABLE))
    code = "import pickle,sys; stage, table = (pickle.load(open(f, 'rb')) for f in sys.argv[1:3]); "
    code += "pickle.dump(stage(table), open(sys.argv[3], 'wb'))"
    files = [str(tmp_path / name) for name in ("stage", "table", "out")]
    subprocess.run([sys.executable, "-c", code, *files], check=True)

    assert pickle.loads((tmp_path / "out").read_bytes()).equals(stage(TABLE))


def test_stages_of_a_process_share_the_model(stage: Any) -> None:
    """A worker that gets one stage per task loads once."""
    twin = pickle.loads(pickle.dumps(stage))
    other = pickle.loads(pickle.dumps(stage))

    assert twin.embedder is other.embedder


def test_stages_do_not_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """No lock is held while an embedder is made: a fork meanwhile would leave it held in the child."""
    begun, go = threading.Event(), threading.Event()

    def slow(model: str) -> Embedder:
        if not begun.is_set():
            begun.set()
            go.wait()
        return load_embedder(model)

    def make() -> Embedder:
        return EmbedStage("fake:text", Columns(text="text")).embedder

    monkeypatch.setattr(stage_module, "load_embedder", slow)
    monkeypatch.setattr(stage_module, "_embedders", {})  # another test may have had this model
    with ThreadPoolExecutor(1) as threads:
        other = threads.submit(make)
        begun.wait()
        first = make()
        go.set()
        assert other.result() is first


def test_a_table_without_the_column_is_refused(stage: Any) -> None:
    """Before anything is embedded."""
    with pytest.raises(InvalidOptionError, match="Did you mean 'texts'"):
        stage(pa.table({"id": [1], "texts": ["a"], "more": [1.0]}))
