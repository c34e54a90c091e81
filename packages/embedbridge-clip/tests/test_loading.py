"""Finding and loading a model, and what one reads when that fails."""

import json
import os
import pickle
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from embedbridge.contract import (
    ConfigurationError,
    InvalidOptionError,
    MissingDependencyError,
    UnknownModelError,
)
from embedbridge.contract.local import best_device, choose_device, limits_on
from embedbridge.core import load_embedder
from embedbridge.core.tooling import resolve
from embedbridge.providers.clip import CLIPModel
from embedbridge.providers.clip._loaded import AT_ONCE
from embedbridge.providers.clip.names import HUB_IDS, RESNETS, SAFE_REVISIONS

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(("before", "expected"), [(2, 1), (1, 1)])
def test_torch_takes_no_more_threads_than_this_process_may(
    own_folder: str, monkeypatch: pytest.MonkeyPatch, before: int, expected: int
) -> None:
    """In a container or in an engine's worker more would wait for each other; fewer stay."""
    own = torch.get_num_threads()
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    torch.set_num_threads(before)
    try:
        load_embedder(f"clip:{own_folder}", device="cpu").embed_query("text")
        threads = torch.get_num_threads()
    finally:
        torch.set_num_threads(own)

    assert threads == expected


def test_making_a_model_loads_nothing() -> None:
    """A model is loaded when it is first used: a wrong name fails then, not before."""
    model = CLIPModel("./no/such/folder")

    with pytest.raises(UnknownModelError):
        _ = model.card


def test_importing_the_model_imports_no_torch() -> None:
    """Neither the plugin nor the model's class costs more than our own code."""
    code = (
        "import sys, embedbridge.providers.clip.plugin as plugin\n"
        "light = 'numpy' not in sys.modules\n"
        "plugin.embedbridge_provider()\n"
        "from embedbridge.providers.clip import CLIPModel\n"
        "CLIPModel('acme/model', dimensions=8)\n"
        "heavy = {'torch', 'transformers', 'PIL', 'huggingface_hub'}\n"
        "print(light, sorted(heavy & set(sys.modules)))"
    )
    # -I: nothing of this process's environment may lend a module.
    command = [sys.executable, "-I", "-c", code]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)

    assert answer.stdout.strip() == "True []"


# Names.


@pytest.mark.parametrize("short", sorted(HUB_IDS))
def test_short_names_are_hub_ids(hub: Callable[..., str], short: str) -> None:
    """OpenAI's short name, written like LlamaIndex writes it, is the model on the Hub."""
    hub_id = HUB_IDS[short]
    commit = SAFE_REVISIONS.get(hub_id, COMMIT)
    options = {"cache_folder": hub(hub_id, commit), "offline": True, "device": "cpu"}
    ours, theirs = (load_embedder(f"clip:{name}", **options) for name in (short, hub_id))  # type: ignore[arg-type]  # the options are mixed

    assert ours.space == hub_id
    assert ours.fingerprint == theirs.fingerprint
    assert ours.model.identity()["commit"] == commit


def test_the_bare_name_is_the_model_of_llama_index() -> None:
    """`clip` is `clip:ViT-B/32`, in LlamaIndex and here."""
    assert resolve("clip") == resolve("clip:ViT-B/32") == (CLIPModel, "ViT-B/32")


@pytest.mark.parametrize("name", sorted(RESNETS))
def test_resnets_are_refused_with_the_reason(name: str) -> None:
    """There is no architecture for them in transformers, and the error names what there is."""
    with pytest.raises(UnknownModelError, match=r"ResNet.*ViT-B/32"):
        _ = load_embedder(f"clip:{name}", offline=True).card


@pytest.mark.parametrize("name", ["./no-such-folder", "/no/such/folder", "~/no-such-folder"])
def test_a_missing_folder_is_never_looked_up_on_the_hub(name: str) -> None:
    """What can only be a path is a folder that is missing, and the error names it in full."""
    with pytest.raises(UnknownModelError, match="There is no folder") as caught:
        _ = load_embedder(f"clip:{name}").dimensions

    assert "~" not in str(caught.value)


def test_an_unknown_model_offline(tmp_path: Path) -> None:
    """Offline, a model that was never downloaded is an error that says what to do."""
    embedder = load_embedder("clip:acme/none", offline=True, cache_folder=tmp_path)
    with pytest.raises(UnknownModelError, match="downloaded before"):
        _ = embedder.card


def test_an_unknown_revision(hub: Callable[..., str]) -> None:
    """A revision that is not there is not silently replaced by another one."""
    options: dict[str, Any] = {"cache_folder": hub("acme/model"), "offline": True, "revision": "v2"}
    with pytest.raises(UnknownModelError):
        _ = load_embedder("clip:acme/model", **options).card


# Folders.


@pytest.mark.parametrize(
    ("path", "modules"),
    [
        ("0_CLIPModel", ["sentence_transformers.models.CLIPModel"]),
        ("0_CLIPModel", ["sentence_transformers.sentence_transformer.modules.CLIPModel"]),
        ("", ["sentence_transformers.base.modules.Transformer"]),
        (
            "",
            ["sentence_transformers.models.Transformer", "sentence_transformers.models.Normalize"],
        ),
    ],
)
def test_folders_of_sentence_transformers(
    clip_folder: str, tmp_path: Path, path: str, modules: list[str]
) -> None:
    """The layout of `sentence-transformers/clip-ViT-B-32`, and the newer one, hold the same CLIP."""
    write_modules(tmp_path, clip_folder, path, modules)
    with (
        load_embedder(f"clip:{tmp_path}", device="cpu") as wrapped,
        load_embedder(f"clip:{clip_folder}", device="cpu") as plain,
    ):
        np.testing.assert_allclose(
            wrapped.embed_query("a cat"), plain.embed_query("a cat"), rtol=0, atol=1e-6
        )
        assert wrapped.space == plain.space  # the same weights


def test_further_modules_are_not_left_out(clip_folder: str, tmp_path: Path) -> None:
    """A model with a layer on top is refused: without it, vectors would be others."""
    modules = ["sentence_transformers.models.CLIPModel", "sentence_transformers.models.Dense"]
    write_modules(tmp_path, clip_folder, "0_CLIPModel", modules)
    with pytest.raises(UnknownModelError, match="huggingface"):
        _ = load_embedder(f"clip:{tmp_path}").card


def test_a_list_that_leads_out_of_its_folder_is_refused(clip_folder: str, tmp_path: Path) -> None:
    """As with the other local providers: what is loaded is what identifies the model."""
    inside = tmp_path / "model"
    write_modules(inside, clip_folder, "0_CLIPModel", ["sentence_transformers.models.CLIPModel"])
    listing = inside / "modules.json"
    listing.write_text(listing.read_text(encoding="utf-8").replace("0_CLIP", "../0_CLIP"))
    shutil.move(inside / "0_CLIPModel", tmp_path)
    with pytest.raises(ConfigurationError, match=r"modules\.json.*outside of the folder"):
        _ = load_embedder(f"clip:{inside}").card


def write_modules(where: Path, folder: str, path: str, kinds: list[str]) -> None:
    shutil.copytree(folder, where / path, copy_function=os.symlink, dirs_exist_ok=True)
    modules = [
        {"idx": number, "name": str(number), "path": path if number == 0 else f"{number}_More",
         "type": kind}
        for number, kind in enumerate(kinds)
    ]  # fmt: skip
    (where / "modules.json").write_text(json.dumps(modules), encoding="utf-8")


def test_pickled_weights_are_refused(clip_folder: str, tmp_path: Path) -> None:
    """Weights that are not safetensors are read only by those who ask for it."""
    from safetensors.torch import load_file

    twin = shutil.copytree(clip_folder, tmp_path / "twin")
    weights = load_file(twin / "model.safetensors")
    torch.save(weights, twin / "pytorch_model.bin")
    (twin / "model.safetensors").unlink()
    with pytest.raises(UnknownModelError, match="safetensors_only=False"):
        _ = load_embedder(f"clip:{twin}", device="cpu").card

    trusting = load_embedder(f"clip:{twin}", device="cpu", safetensors_only=False)
    plain = load_embedder(f"clip:{clip_folder}", device="cpu")
    np.testing.assert_allclose(
        trusting.embed_query("a cat"), plain.embed_query("a cat"), rtol=0, atol=1e-6
    )


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    """An empty folder is named as such."""
    with pytest.raises(UnknownModelError, match="holds no model"):
        _ = load_embedder(f"clip:{tmp_path}").card


def test_a_model_with_one_tower(tmp_path: Path) -> None:
    """A text model is refused before its weights are read, and another provider is named."""
    (tmp_path / "config.json").write_text('{"model_type": "bert"}', encoding="utf-8")
    with pytest.raises(UnknownModelError, match=r"'bert'.*huggingface"):
        _ = load_embedder(f"clip:{tmp_path}").card


def test_a_broken_file_is_our_error(clip_folder: str, tmp_path: Path) -> None:
    """Damaged weights are reported with the cause attached."""
    twin = shutil.copytree(clip_folder, tmp_path / "twin")
    (twin / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(ConfigurationError, match="cannot be loaded") as caught:
        _ = load_embedder(f"clip:{twin}", device="cpu").card

    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("package", ["transformers", "torch", "PIL.Image"])
def test_a_missing_package(clip_folder: str, monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """Without the libraries, the error says what to install."""
    monkeypatch.setitem(sys.modules, package, None)  # the import system's way to say: not there
    with pytest.raises(MissingDependencyError, match="pip install embedbridge-clip"):
        _ = load_embedder(f"clip:{clip_folder}").card


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precison": "bf16"}, "Did you mean 'precision'"),
        ({"precision": "int8"}, "precision"),
        ({"dimensions": 1000}, "1000 dimensions"),
        ({"device": "cuda:99"}, "cannot be used here"),
        ({"device": "toaster"}, "cannot be used here"),
        ({"trust_remote_code": True}, "trust_remote_code"),
    ],
    ids=str,
)
def test_bad_options_are_named(clip_folder: str, options: dict[str, Any], message: str) -> None:
    """An option that cannot be is an error about that option."""
    with pytest.raises(InvalidOptionError, match=message):
        load_embedder(f"clip:{clip_folder}", **options).embed_query("text")


# Devices.


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(True, True, "cuda"), (True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_the_best_device(cuda: bool, mps: bool, expected: str) -> None:
    """CUDA before MPS before the CPU."""
    assert best_device(cuda=cuda, mps=mps) == expected
    assert choose_device(choose_device()) == choose_device()


def test_limits_grow_with_the_device() -> None:
    """A GPU takes more than a CPU, and filled-up texts take more room than short ones."""
    cpu, gpu = (limits_on(device, AT_ONCE, max_tokens_per_input=64) for device in ("cpu", "cuda:1"))
    filled = limits_on("cpu", AT_ONCE, max_tokens_per_input=64, fills_up=True)

    assert gpu.items("image") > cpu.items("image")  # type: ignore[operator]
    assert filled.items("text") == 2048 // 64 < cpu.items("text")  # type: ignore[operator]
    assert filled.items("image") == cpu.items("image")


# Using it.


def test_many_threads_load_it_once(clip_folder: str) -> None:
    """Threads that need the model at the same moment wait for one that loads it."""
    embedder = load_embedder(f"clip:{clip_folder}", device="cpu")
    start = threading.Barrier(8)

    def use(number: int) -> object:
        start.wait()
        embedder.embed_query(f"text {number}")
        return embedder.model._load()  # type: ignore[attr-defined]

    with ThreadPoolExecutor(8) as threads:
        loaded = set(map(id, threads.map(use, range(8))))

    assert len(loaded) == 1


def test_after_close_it_can_be_used_again(own_folder: str) -> None:
    """Closing gives the memory back; the next use loads the model anew."""
    embedder = load_embedder(f"clip:{own_folder}", device="cpu")
    before = embedder.embed_query("text")
    embedder.close()
    embedder.close()

    assert embedder.model.shared_weights.loaded is None  # type: ignore[attr-defined]
    np.testing.assert_allclose(embedder.embed_query("text"), before, rtol=0, atol=1e-6)


def test_loading_prints_nothing(clip_folder: str, capfd: pytest.CaptureFixture[str]) -> None:
    """A library has no business on the terminal."""
    _ = load_embedder(f"clip:{clip_folder}", device="cpu").embed_query("text")

    assert capfd.readouterr() == ("", "")


def test_the_fingerprint(clip_folder: str, tmp_path: Path) -> None:
    """What changes a vector is in it; the device, the batch and the folder's place are not."""
    moved = shutil.copytree(clip_folder, tmp_path / "moved")

    def fingerprint(folder: object = clip_folder, **options: Any) -> str:
        return load_embedder(f"clip:{folder}", **{"device": "cpu", **options}).fingerprint

    plain = fingerprint()
    same: list[dict[str, Any]] = [
        {"device": None},
        {"batch_size": 3},
        {"offline": True},
        {"cache_folder": "elsewhere"},
    ]
    others: list[dict[str, Any]] = [{"normalize": False}, {"dimensions": 8}, {"precision": "bf16"}]

    assert fingerprint(moved) == plain
    assert {fingerprint(**options) for options in same} == {plain}
    assert len({plain, *(fingerprint(**options) for options in others)}) == 4

    config = moved / "preprocessor_config.json"
    config.write_text(config.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert fingerprint(moved) != plain


def test_a_relative_folder_is_the_one_where_the_model_was_made(
    clip_folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python may stand elsewhere at first use: beside no such folder, or beside another model."""
    shutil.copytree(clip_folder, tmp_path / "here" / "model")
    (tmp_path / "there" / "model").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    embedder = load_embedder("clip:./model", device="cpu")
    expected = embedder.using().embed_query("text")
    embedder.close()
    monkeypatch.chdir(tmp_path / "there")

    for one in (embedder, pickle.loads(pickle.dumps(embedder))):
        np.testing.assert_allclose(one.embed_query("text"), expected, rtol=0, atol=1e-6)
