"""The stage: an Arrow table in, an Arrow table out, also in another process."""

import copy
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import SecretStr

from embedbridge.bulk import Columns, EmbedStage, shared_embedders
from embedbridge.bulk.budget import FileRateLimiter
from embedbridge.contract import InvalidOptionError
from embedbridge.core import Embedder, MemoryCache, load_embedder
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


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_in_this_process_keeps_key_and_cache(copied: Any) -> None:
    """What does not travel stays: a copy asks the same account, and warns of nothing."""
    embedder = load_embedder("fake:small", cache=MemoryCache())
    stage = EmbedStage(embedder, Columns(id="id", text="text"))

    assert copied(stage).embedder is embedder


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

    def slow(model: Any) -> Embedder:
        if not begun.is_set():
            begun.set()
            go.wait()
        return load_embedder(model)

    def make() -> Embedder:
        return EmbedStage("fake:text", Columns(text="text")).embedder

    monkeypatch.setattr(shared_embedders, "load_embedder", slow)
    monkeypatch.setattr(shared_embedders, "_embedders", {})  # another test may have had this model
    with ThreadPoolExecutor(1) as threads:
        other = threads.submit(make)
        begun.wait()
        first = make()
        go.set()
        assert other.result() is first


def test_only_the_last_embedders_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that runs jobs of many models keeps a few in memory; a stage keeps its own."""
    monkeypatch.setattr(shared_embedders, "_embedders", {})
    columns = Columns(text="text")
    stages = [
        EmbedStage("fake:text", columns, window=1 + number)
        for number in range(shared_embedders.HELD + 3)
    ]
    embedders = [stage.embedder for stage in stages]

    assert list(shared_embedders._embedders.values()) == embedders[3:]
    assert stages[0].embedder is embedders[0]


def keyed(key: Any, **options: Any) -> Embedder:
    """The embedder of a stage with this key."""
    columns = Columns(text="text")
    return EmbedStage("openai:text-embedding-3-small", columns, api_key=key, **options).embedder


KEYS = ["sk-" + f"{number}123456789abcdef" * 3 for number in range(2)]


@pytest.mark.parametrize("kind", [SecretStr, str, lambda key: lambda: key])
def test_two_accounts_are_two_embedders(kind: Any) -> None:
    """However their keys are given: the jobs of one would be billed to the other."""
    first, second = (keyed(kind(key)) for key in KEYS)

    assert first is not second


@pytest.mark.parametrize("kind", [SecretStr, str])
def test_one_account_is_one_embedder_and_no_table_holds_its_key(kind: Any) -> None:
    """The table of embedders has digests."""
    assert keyed(kind(KEYS[0])) is keyed(kind(KEYS[0]))
    assert not any(key in str(shared_embedders._embedders.keys()) for key in KEYS)


def test_the_environment_and_the_current_folder_are_part_of_a_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key may be in one, and a model in the other: `local:./model`."""
    made = []
    for number, key in enumerate(KEYS):
        monkeypatch.setenv("OPENAI_API_KEY", key)
        made.append(keyed(None))
        (tmp_path / str(number)).mkdir()
        monkeypatch.chdir(tmp_path / str(number))
        made.append(keyed(None))

    assert len({id(embedder) for embedder in made}) == len(made)


def test_a_folder_is_the_one_of_the_process_that_the_stage_is_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker stands in a folder of its own, where a relative name is another model."""
    pytest.importorskip("embedbridge.providers.static", reason="embedbridge-static reads folders")
    for folder in ("here/model", "there/model"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    pickled = pickle.dumps(EmbedStage("static:./model", Columns(text="text")))
    monkeypatch.chdir(tmp_path / "there")
    model: Any = pickle.loads(pickled).embedder.model
    again: Any = pickle.loads(pickle.dumps(pickle.loads(pickled))).embedder.model

    assert model.place == again.place == tmp_path / "here" / "model"
    assert model.name == "./model"


def test_a_limiter_that_travels_is_shared_with_its_stage(tmp_path: Path) -> None:
    """Each task of a worker unpickles one: it would load the model again, for good."""
    limiters = [FileRateLimiter(tmp_path / "a", requests_per_minute=limit) for limit in (9, 9, 8)]
    one, same, other = (
        EmbedStage("fake:small", Columns(text="text"), limiter=limiter).embedder
        for limiter in limiters
    )

    assert one is same is not other


def test_an_option_that_is_no_plain_value_is_not_shared() -> None:
    """Two caches may look alike, and hold other vectors."""

    class Cache(MemoryCache):
        def __repr__(self) -> str:
            return "a cache"

    one, other = (EmbedStage("fake:small", Columns(text="text"), cache=Cache()) for _ in range(2))

    assert one.embedder is not other.embedder
    assert one.embedder is one.embedder


def test_a_table_without_the_column_is_refused(stage: Any) -> None:
    """Before anything is embedded."""
    with pytest.raises(InvalidOptionError, match="Did you mean 'texts'"):
        stage(pa.table({"id": [1], "texts": ["a"], "more": [1.0]}))
