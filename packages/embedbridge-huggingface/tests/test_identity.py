"""The fingerprint tells vectors apart exactly where they differ."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from embedbridge.core import Embedder, load_embedder
from embedbridge.providers.huggingface import HuggingFaceModel
from embedbridge.providers.huggingface._identity import base_of

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def load(folder: str, **options: Any) -> Embedder:
    return load_embedder(f"huggingface:{folder}", **{"device": "cpu", **options})


@pytest.fixture(scope="module")
def plain(tiny_folder: str) -> str:
    return load(tiny_folder).fingerprint


@pytest.mark.parametrize(
    "options",
    [
        {"query_prompt": "q: "},
        {"document_prompt": "d: "},
        {"dimensions": 8},
        {"normalize": True},
        {"max_length": 16},
        {"model_kwargs": {"dtype": "bfloat16"}},
        {"model_kwargs": {"attn_implementation": "eager"}},
    ],
    ids=str,
)
def test_what_changes_vectors_changes_the_fingerprint(
    tiny_folder: str, plain: str, options: dict[str, Any]
) -> None:
    """Every option that can change a vector is in it."""
    assert load(tiny_folder, **options).fingerprint != plain


@pytest.mark.parametrize(
    "options",
    [
        {"device": None},
        {"target_devices": ["cpu", "cpu"], "device": None},
        {"cache_folder": "elsewhere"},
        {"offline": True},
        {"max_length": 512},
        {"revision": "main"},
        {"batch_size": 3},
    ],
    ids=str,
)
def test_what_does_not_change_vectors_is_not_in_it(
    tiny_folder: str, plain: str, options: dict[str, Any]
) -> None:
    """Neither the device nor where files lie; 512 is the model's own length."""
    assert load(tiny_folder, **options).fingerprint == plain


def test_two_spellings_of_a_type_are_one(tiny_folder: str) -> None:
    """`torch.bfloat16`, `"bfloat16"` and the older name of the option mean the same."""
    import torch

    spellings = [{"dtype": "bfloat16"}, {"torch_dtype": torch.bfloat16}, {"dtype": torch.bfloat16}]
    models = [HuggingFaceModel(tiny_folder, model_kwargs=each) for each in spellings]

    assert len({str(model.options.identity()) for model in models}) == 1
    assert json.dumps(models[1].options.public())


def test_the_same_weights_elsewhere_are_the_same(tiny_folder: str, tmp_path: Path) -> None:
    """A folder is known by what it holds, not by its path, nor by what its README says."""
    twin = shutil.copytree(tiny_folder, tmp_path / "moved")
    (twin / "README.md").write_text("Other words.", encoding="utf-8")
    here, there = load(tiny_folder), load(str(twin))

    assert dict(here.model.identity()) == dict(there.model.identity())
    assert here.space == there.space


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "1_Pooling/config.json"])
def test_any_file_that_matters_counts(tiny_folder: str, tmp_path: Path, file: str) -> None:
    """A change of one byte makes another model, seen at once in the same process."""
    twin = shutil.copytree(tiny_folder, tmp_path / "twin")
    before = load(str(twin)).model.identity()
    path = twin / file
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")

    assert load(str(twin)).model.identity() != before


@pytest.mark.parametrize("file", ["model.onnx", "model.onnx.data", "model.onnx_data"])
def test_an_export_beside_the_weights_does_not_count(
    tiny_folder: str, tmp_path: Path, file: str
) -> None:
    """It makes no vector here, whether its weights are in the graph or in a file of their own."""
    twin = shutil.copytree(tiny_folder, tmp_path / "twin")
    (twin / file).write_bytes(b"an export")

    assert load(str(twin)).fingerprint == load(tiny_folder).fingerprint


def test_other_weights_are_another_space(tiny_folder: str, tmp_path: Path) -> None:
    """Vectors of other weights, or pooled another way, may not be compared."""
    first, words = load(tiny_folder), Path(tiny_folder, "1_Pooling", "config.json")
    twin = shutil.copytree(tiny_folder, tmp_path / "twin")
    pooling = json.loads(words.read_text(encoding="utf-8")) | {"pooling_mode": "cls"}
    (twin / "1_Pooling" / "config.json").write_text(json.dumps(pooling), encoding="utf-8")

    assert first.space.startswith("weights:")
    assert load(str(twin)).space != first.space


def test_prompts_do_not_make_another_space(folder: str, prompted_folder: str) -> None:
    """Queries and documents have different prompts, and are there to be compared."""
    assert load(folder).space == load(prompted_folder).space
    assert load(folder).fingerprint != load(prompted_folder).fingerprint


def test_a_folder_that_links_to_itself_ends(tiny_folder: str, tmp_path: Path) -> None:
    """A link that leads back up is not followed for ever."""
    twin = shutil.copytree(tiny_folder, tmp_path / "twin")
    (twin / "again").symlink_to(twin, target_is_directory=True)

    assert load(str(twin)).model.identity()


def test_a_model_of_the_hub_is_known_by_its_commit(hub: Callable[..., str]) -> None:
    """The commit is in the identity however the revision was written."""
    cache = hub("acme/Tiny-Model")
    options = {"cache_folder": cache, "offline": True}
    first = load("acme/Tiny-Model", **options)
    pinned = load("acme/Tiny-Model", revision=COMMIT, **options)

    assert first.model.identity()["commit"] == COMMIT
    assert first.fingerprint == pinned.fingerprint


def test_the_commit_is_found_wherever_the_cache_is(
    hub: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """sentence-transformers has a variable of its own for the cache."""
    monkeypatch.setenv("SENTENCE_TRANSFORMERS_HOME", hub("acme/Tiny-Model"))

    assert load("acme/Tiny-Model", offline=True).model.identity()["commit"] == COMMIT


@pytest.mark.parametrize(
    ("written", "space"),
    [
        ("acme/Tiny-Model", "acme/tiny-model"),
        ("all-MiniLM-L6-v2", "sentence-transformers/all-minilm-l6-v2"),
    ],
)
def test_the_space_of_a_hub_model_is_its_id(
    hub: Callable[..., str], written: str, space: str
) -> None:
    """Without the provider: another one that runs the same weights shares it."""
    stored = written if "/" in written else f"sentence-transformers/{written}"
    embedder = load(written, cache_folder=hub(stored), offline=True)

    assert embedder.space == space


def test_the_base_of_an_adapter_counts(
    tiny_folder: str, tmp_path: Path, hub: Callable[..., str]
) -> None:
    """An adapter has few weights of its own: the others lie in another folder, or on the Hub."""
    base, adapter = shutil.copytree(tiny_folder, tmp_path / "base"), tmp_path / "adapter"

    def adapts(name: object) -> dict[str, object]:
        config = json.dumps({"base_model_name_or_path": str(name)})
        (adapter / "0_Transformer/adapter_config.json").write_text(config, encoding="utf-8")
        return base_of(adapter, cache)

    (adapter / "0_Transformer").mkdir(parents=True)
    cache = hub("acme/Tiny-Model")
    assert base_of(adapter, cache) == {}
    assert base_of(None, cache) == {}
    before = adapts(base)
    (base / "model.safetensors").write_bytes(b"other weights")

    assert before != adapts(base) != {}
    assert adapts("acme/Tiny-Model") == {"base": f"acme/tiny-model {COMMIT}"}
    (adapter / "0_Transformer/config.json").write_text("{}", encoding="utf-8")
    assert base_of(adapter, cache) == {}
