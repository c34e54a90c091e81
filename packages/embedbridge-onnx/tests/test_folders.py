"""Folders as they come: whole ones say what they hold, and broken ones say what is broken."""

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embedbridge.contract import (
    ConfigurationError,
    EmbedBridgeError,
    InvalidOptionError,
    UnknownModelError,
)
from embedbridge.core import load_embedder

Change = Callable[[dict[str, Any]], Path]

POOLING, MODULES = "1_Pooling/config.json", "modules.json"
KIND = "sentence_transformers.models."
NORMALIZE = {"idx": 2, "name": "2", "path": "2_Normalize", "type": f"{KIND}Normalize"}
LAYER = {"type": f"{KIND}Dense", "path": "2_Dense"}
TRANSFORMER_POOLING = [
    {"type": f"{KIND}Transformer", "path": ""},
    {"type": f"{KIND}Pooling", "path": "1_Pooling"},
]
BROKEN: dict[str, tuple[dict[str, Any], type[EmbedBridgeError], str]] = {
    "no export": ({"onnx/model.onnx": None}, UnknownModelError, "embedbridge export"),
    "empty export": ({"onnx/model.onnx": b""}, ConfigurationError, "cannot be loaded"),
    "damaged export": ({"onnx/model.onnx": b"\x08\x09" * 99}, ConfigurationError, "cannot be"),
    "no tokenizer": ({"tokenizer.json": None}, UnknownModelError, "tokenizer.json"),
    "damaged tokenizer": ({"tokenizer.json": {}}, ConfigurationError, "cannot be used"),
    "no pooling": ({POOLING: None}, UnknownModelError, "how to pool"),
    "damaged pooling": ({POOLING: b"{"}, ConfigurationError, "JSONDecodeError"),
    "not UTF-8": ({POOLING: b"\xff\xfe"}, ConfigurationError, "UnicodeDecodeError"),
    "nested without end": ({POOLING: b"[" * 100_000}, ConfigurationError, "cannot be used"),
    "pooling is a list": ({POOLING: []}, ConfigurationError, "no JSON object"),
    "pooling that we lack": (
        {POOLING: {"pooling_mode": ["cls", "median"]}},
        ConfigurationError,
        "median.*known are cls",
    ),
    "no pooling named": ({POOLING: {"pooling_mode": []}}, ConfigurationError, "known are cls"),
    "modules are no list": ({MODULES: {"0": 1}}, ConfigurationError, "no list"),
    "no modules": ({MODULES: []}, ConfigurationError, "nothing"),
    "other modules": (
        {MODULES: [{"type": f"{KIND}CNN"}]},
        ConfigurationError,
        "CNN.*huggingface:",
    ),
    "a static model": (
        {MODULES: [{"type": f"{KIND}StaticEmbedding"}], "onnx/model.onnx": None},
        ConfigurationError,
        "StaticEmbedding.*static:MODEL",
    ),
    "a model of model2vec": (
        {MODULES: None, "config.json": {"model_type": "model2vec"}, "onnx/model.onnx": None},
        ConfigurationError,
        "static:MODEL",
    ),
    "a module with its own code": (
        {MODULES: [{"type": "custom_st.Transformer"}]},
        ConfigurationError,
        "'custom_st.Transformer'.*huggingface:",
    ),
    "a path outside": (
        {MODULES: [{"type": f"{KIND}Transformer"}, {"type": f"{KIND}Pooling", "path": "../.."}]},
        ConfigurationError,
        "outside",
    ),
    "a dense layer without weights": (
        {
            MODULES: [
                {"type": f"{KIND}Transformer"},
                {"type": f"{KIND}Pooling", "path": "1_Pooling"},
                {"type": f"{KIND}Dense", "path": "2_Dense"},
            ]
        },
        ConfigurationError,
        "2_Dense",
    ),
}


@pytest.mark.parametrize(("files", "error", "said"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_folder(
    change: Change, files: dict[str, Any], error: type[EmbedBridgeError], said: str
) -> None:
    """The error is typed, names what is wrong, and is short."""
    embedder = load_embedder(f"onnx:{change(files)}")
    with pytest.raises(error, match=said) as caught:
        embedder.embed_query("text")

    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("name", ["./nowhere", "~/nowhere", "a/b/c", "no-such-model", "x\\y"])
def test_a_folder_that_is_not_there(name: str, tmp_path: Path, monkeypatch: Any) -> None:
    """It is never looked up on the Hub."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownModelError, match="no folder"):
        load_embedder(f"onnx:{name}").embed_query("text")


@pytest.mark.parametrize(
    "name", ["../other/model.onnx", "onnx/../../model.onnx", "/tmp/model.onnx", "C:\\model.onnx"]
)
def test_an_export_outside_of_the_folder(tiny_folder: Path, name: str) -> None:
    """A name that leads out of the folder is refused, whether a file is there or not."""
    with pytest.raises(InvalidOptionError, match="leads out of the model's folder"):
        load_embedder(f"onnx:{tiny_folder}", file_name=name).embed_query("text")


@pytest.mark.parametrize("file_name", [None, "onnx/model.onnx"])
def test_weights_in_many_parts_are_fetched(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch, file_name: str | None
) -> None:
    """Exports of many gigabytes have several files of weights; another export is not fetched."""
    hub = pytest.importorskip("huggingface_hub")
    beside = [f"onnx/model.onnx{ending}" for ending in ("", "_data", "_data_1", ".data", ".data.1")]
    other = ["onnx/model_fp16.onnx", "onnx/model_fp16.onnx_data_1"]
    fetched: list[str] = []

    def fetch(_: str, *, allow_patterns: list[str], **__: object) -> str:
        fetched.extend(
            hub.utils.filter_repo_objects([*beside, *other], allow_patterns=allow_patterns)
        )
        return str(tiny_folder)

    monkeypatch.setattr(hub, "snapshot_download", fetch)
    with load_embedder("onnx:owner/tiny", offline=True, file_name=file_name) as embedder:
        embedder.embed_query("text")

    assert fetched == beside


def test_a_model_that_was_never_downloaded(tmp_path: Path) -> None:
    """A Hub id that is not on this disk says what to do, also without a network."""
    pytest.importorskip("huggingface_hub")
    embedder = load_embedder("onnx:nobody/nothing", cache_folder=str(tmp_path), offline=True)
    with pytest.raises(UnknownModelError, match="could not be fetched"):
        embedder.embed_query("text")


def test_a_model_of_the_hub(tiny_folder: Path, tmp_path: Path) -> None:
    """One that lies in the Hub's cache has its id as space, and its commit in the fingerprint."""
    pytest.importorskip("huggingface_hub")
    vectors, prints = [], []
    for commit in ("a" * 40, "b" * 40):
        repository = tmp_path / commit / "models--Owner--Tiny"
        shutil.copytree(tiny_folder, repository / "snapshots" / commit)
        (repository / "refs").mkdir()
        (repository / "refs/main").write_text(commit, encoding="utf-8")
        place = str(tmp_path / commit)
        with load_embedder("onnx:Owner/Tiny", cache_folder=place, offline=True) as embedder:
            vectors.append(embedder.embed_query("text"))
            prints.append(embedder.fingerprint)
            assert embedder.space == "owner/tiny"

    np.testing.assert_array_equal(vectors[0], vectors[1])
    assert prints[0] != prints[1]


def test_a_normalized_model_says_so(change: Change) -> None:
    """The card knows what modules.json says."""
    modules = [*TRANSFORMER_POOLING, NORMALIZE]
    with load_embedder(f"onnx:{change({MODULES: modules})}") as embedder:
        assert embedder.card.normalized
        assert abs(float(np.linalg.norm(embedder.embed_query("text"))) - 1) < 1e-6


def test_the_name_of_the_export(change: Change, tiny_folder: Path) -> None:
    """`model.onnx` beside the configuration is found, and any other one by its name."""
    export = (tiny_folder / "onnx/model.onnx").read_bytes()
    folder = change({"onnx/model.onnx": None, "model.onnx": export, "other.onnx": export})
    plain, named = (
        load_embedder(f"onnx:{folder}"),
        load_embedder(f"onnx:{folder}", file_name="other.onnx"),
    )

    np.testing.assert_array_equal(plain.embed_query("text"), named.embed_query("text"))


@pytest.mark.parametrize(
    "options",
    [{}, {"precision": "int8"}, {"backend": "openvino"}],
    ids=["onnxruntime", "onnxruntime-int8", "openvino"],
)
def test_weights_beside_the_export(
    change: Change, tiny_folder: Path, build_default: Any, options: dict[str, Any]
) -> None:
    """Weights in a file of their own, as large models have them, are the same weights."""
    onnx = pytest.importorskip("onnx", reason="an extra")
    if "backend" in options:
        pytest.importorskip("openvino", reason="an extra")
    model = onnx.load(tiny_folder / "onnx/model.onnx")
    weights = build_default.move_weights(model.graph.initializer)
    beside = {f"onnx/{build_default.WEIGHTS}": weights}
    folder = change({"onnx/model.onnx": model.SerializeToString(), **beside})

    inside = load_embedder(f"onnx:{tiny_folder}", **options).embed_query("text")
    np.testing.assert_array_equal(
        load_embedder(f"onnx:{folder}", **options).embed_query("text"), inside
    )


def test_tokens_may_have_any_numbers(change: Change, tiny_folder: Path) -> None:
    """A small vocabulary may have gaps in it: how many tokens there are says nothing of the highest."""
    tokenizer = json.loads((tiny_folder / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer["model"]["vocab"]["text"] = 2**16 + 7
    with load_embedder(f"onnx:{change({'tokenizer.json': tokenizer})}") as embedder:
        prepared = embedder.model.prepare(["text"], role="query", prompt="")
        tokens = embedder.model._load().tokens.unpack(prepared.payloads[0])  # type: ignore[attr-defined, union-attr]

    assert tokens.tolist() == [101, 2**16 + 7, 102]


def test_pooling_is_in_the_space_of_an_export(change: Change, tiny_folder: Path) -> None:
    """Whether a file or an option says it: the vectors can be compared, or they cannot."""
    mean = load_embedder(f"onnx:{tiny_folder}")
    chosen = load_embedder(f"onnx:{tiny_folder}", pooling="cls")
    saved = load_embedder(f"onnx:{change({POOLING: {'pooling_mode': 'cls'}})}")

    assert saved.space == chosen.space != mean.space


def test_layers_are_in_the_space_of_an_export(change: Change) -> None:
    """The same transformer with another dense layer makes vectors of another space."""
    save = pytest.importorskip("safetensors.numpy").save
    spaces = set()
    for seed in range(2):
        random = np.random.default_rng(seed)
        weights = {"linear.weight": random.normal(size=(8, 48)).astype(np.float32)}
        folder = change(
            {
                MODULES: [*TRANSFORMER_POOLING, LAYER],
                "2_Dense/config.json": {"in_features": 48, "out_features": 8, "bias": False},
                "2_Dense/model.safetensors": save(weights),
            }
        )
        spaces.add(load_embedder(f"onnx:{folder}").space)
        shutil.rmtree(folder)

    assert len(spaces) == 2


def test_changed_weights_are_another_fingerprint_and_space(
    change: Change, tiny_folder: Path
) -> None:
    """A folder's path does not count, its weights do."""
    before = load_embedder(f"onnx:{tiny_folder}")
    moved = change({})
    after = load_embedder(f"onnx:{moved}")
    assert (after.fingerprint, after.space) == (before.fingerprint, before.space)

    export = bytearray((moved / "onnx/model.onnx").read_bytes())
    export[len(export) // 2] ^= 1
    (moved / "onnx/model.onnx").write_bytes(export)
    changed = load_embedder(f"onnx:{moved}")

    assert changed.fingerprint != before.fingerprint
    assert changed.space != before.space


def test_a_relative_folder_is_the_one_where_the_model_was_made(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python may stand elsewhere at first use: beside no such folder, or beside another model."""
    shutil.copytree(tiny_folder, tmp_path / "here" / "model")
    (tmp_path / "there" / "model").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    embedder = load_embedder("onnx:./model")
    expected = embedder.using().embed_query("text")
    embedder.close()
    monkeypatch.chdir(tmp_path / "there")

    for one in (embedder, pickle.loads(pickle.dumps(embedder))):
        np.testing.assert_allclose(one.embed_query("text"), expected, rtol=0, atol=1e-6)
