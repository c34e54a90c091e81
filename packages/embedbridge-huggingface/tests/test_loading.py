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

from embedbridge.contract import (
    ConfigurationError,
    EmbedBridgeError,
    InvalidOptionError,
    MissingDependencyError,
    UnknownModelError,
)
from embedbridge.core import Embedder, load_embedder
from embedbridge.providers.huggingface import HuggingFaceModel

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_making_a_model_loads_nothing() -> None:
    """A model is loaded when it is first used: a wrong name fails then, not before."""
    model = HuggingFaceModel("./no/such/folder")

    with pytest.raises(UnknownModelError):
        _ = model.card


def test_importing_the_model_imports_no_torch() -> None:
    """Neither the plugin nor the model's class costs more than our own code."""
    code = (
        "import sys, embedbridge.providers.huggingface.plugin as plugin\n"
        "light = 'numpy' not in sys.modules\n"
        "plugin.embedbridge_provider()\n"
        "from embedbridge.providers.huggingface import HuggingFaceModel\n"
        "HuggingFaceModel('acme/model', dimensions=8)\n"
        "heavy = {'torch', 'transformers', 'sentence_transformers', 'huggingface_hub'}\n"
        "print(light, sorted(heavy & set(sys.modules)))"
    )
    # -I: nothing of this process's environment may lend a module.
    command = [sys.executable, "-I", "-c", code]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)

    assert answer.stdout.strip() == "True []"


@pytest.mark.parametrize(
    "name", ["./no-such-folder", "/no/such/folder", "~/no-such-folder", "a/b/c", "..\\models\\x"]
)
def test_a_missing_folder_is_never_looked_up_on_the_hub(name: str) -> None:
    """What can only be a path is a folder that is missing, and the error names it in full."""
    with pytest.raises(UnknownModelError, match="There is no folder") as caught:
        _ = load_embedder(f"huggingface:{name}").dimensions

    assert "~" not in str(caught.value)


def test_the_home_folder_may_be_written_short(
    tiny_folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`~` is the home folder."""
    monkeypatch.setenv("HOME", str(Path(tiny_folder).parent))

    assert load_embedder("huggingface:~/model", device="cpu").dimensions == 32


def test_an_unknown_model_offline(tmp_path: Path) -> None:
    """Offline, a model that was never downloaded is an error that says what to do."""
    embedder = load_embedder("huggingface:acme/none", offline=True, cache_folder=tmp_path)
    with pytest.raises(UnknownModelError, match="downloaded before"):
        _ = embedder.card


def test_an_unknown_revision(hub: Callable[..., str]) -> None:
    """A revision that is not there is not silently replaced by another one."""
    options: dict[str, Any] = {"cache_folder": hub("acme/model"), "offline": True, "revision": "v2"}
    with pytest.raises(UnknownModelError):
        _ = load_embedder("huggingface:acme/model", **options).card


@pytest.mark.parametrize("package", ["sentence_transformers", "torch"])
def test_a_missing_package(tiny_folder: str, monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """Without the libraries, the error says what to install."""
    monkeypatch.setitem(sys.modules, package, None)  # the import system's way to say: not there
    with pytest.raises(MissingDependencyError, match="pip install embedbridge-huggingface"):
        _ = load_embedder(f"huggingface:{tiny_folder}").card


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    """An empty folder, or one of something else, is named as such."""
    with pytest.raises(UnknownModelError, match="holds no model"):
        _ = load_embedder(f"huggingface:{tmp_path}").card


def test_a_broken_file_is_our_error(tiny_folder: str, tmp_path: Path) -> None:
    """Damaged weights are reported with the cause attached."""
    twin = shutil.copytree(tiny_folder, tmp_path / "twin")
    (twin / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(ConfigurationError, match="cannot be loaded") as caught:
        _ = load_embedder(f"huggingface:{twin}", device="cpu").card

    assert caught.value.__cause__ is not None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_lenght": 8}, "Did you mean 'max_length'"),
        ({"max_length": 0}, "max_length"),
        ({"max_length": 100_000}, "more than the 512 tokens"),
        ({"dimensions": 1000}, "1000 dimensions"),
        ({"device": "cuda:99"}, "cannot be used here"),
        ({"device": "toaster"}, "cannot be used here"),
        ({"target_devices": ["cpu", "toaster"]}, "cannot be used here"),
        ({"target_devices": []}, "target_devices"),
        ({"target_devices": ["cpu", "cpu"], "device": "cpu"}, "device and target_devices"),
        ({"model_kwargs": {"trust_remote_code": True}}, "trust_remote_code"),
        ({"model_kwargs": {"token": "hf_secret"}}, "HF_TOKEN"),
        ({"model_kwargs": {"dtype": object}}, "model_kwargs"),
    ],
    ids=str,
)
def test_bad_options_are_named(tiny_folder: str, options: dict[str, Any], message: str) -> None:
    """An option that cannot be is an error about that option, and shows no secret."""
    with pytest.raises(InvalidOptionError, match=message) as caught:
        load_embedder(f"huggingface:{tiny_folder}", **options).embed_query("text")

    assert "hf_secret" not in str(caught.value)


def test_a_length_without_meaning(static_folder: str) -> None:
    """A model that reads texts of any length takes no `max_length`."""
    with pytest.raises(InvalidOptionError, match="any length"):
        _ = load_embedder(f"huggingface:{static_folder}", max_length=8).card


def test_a_warning_that_a_program_made_an_error_stays_one(own_folder: str) -> None:
    """As these tests do it; it is no error of loading."""
    Path(own_folder, "modules.json").unlink()
    with pytest.raises(UserWarning, match=r"has no modules\.json"):
        _ = load_embedder(f"huggingface:{own_folder}", device="cpu").card


# Code that comes with a model.


@pytest.mark.parametrize("revision", [None, "main", "v1.0", COMMIT[:39], COMMIT.upper()])
def test_remote_code_needs_a_commit(revision: str | None) -> None:
    """A branch, a tag or a shortened commit can point elsewhere tomorrow."""
    with pytest.raises(InvalidOptionError, match="pinned commit"):
        _ = load_embedder(
            "huggingface:acme/model", trust_remote_code=True, revision=revision, offline=True
        ).card


def test_remote_code_with_a_commit(hub: Callable[..., str]) -> None:
    """A full commit is enough."""
    options: dict[str, Any] = {"cache_folder": hub("acme/model"), "offline": True, "device": "cpu"}
    embedder = load_embedder(
        "huggingface:acme/model", trust_remote_code=True, revision=COMMIT, **options
    )

    assert embedder.dimensions == 384


def test_code_of_a_folder_runs_only_if_trusted(tiny_folder: str, tmp_path: Path) -> None:
    """A folder with code of its own says so, and works once it is trusted."""
    twin = with_own_code(tiny_folder, tmp_path)
    with pytest.raises(InvalidOptionError, match="trust_remote_code=True"):
        _ = load_embedder(f"huggingface:{twin}", device="cpu").card

    trusted = load_embedder(f"huggingface:{twin}", device="cpu", trust_remote_code=True)
    assert trusted.embed_query("text").tolist() == [0.0] * 31 + [1.0]


def test_code_in_another_repository_is_refused(tiny_folder: str, tmp_path: Path) -> None:
    """Nobody can pin it, not even for a folder on this disk."""
    twin = with_own_code(tiny_folder, tmp_path, where="somebody/else--")
    with pytest.raises(InvalidOptionError, match="somebody/else"):
        _ = load_embedder(f"huggingface:{twin}", trust_remote_code=True).card


def with_own_code(folder: str, tmp_path: Path, where: str = "") -> Path:
    """A twin whose last module is Python code in the folder itself."""
    twin = shutil.copytree(folder, tmp_path / "twin")
    (twin / "own.py").write_text(
        "import torch\n"
        "class Own(torch.nn.Module):\n"
        "    @classmethod\n"
        "    def load(cls, *args, **kwargs):\n"
        "        return cls()\n"
        "    def forward(self, features):\n"
        "        vectors = torch.zeros_like(features['sentence_embedding'])\n"
        "        vectors[:, -1] = 1\n"
        "        return {**features, 'sentence_embedding': vectors}\n",
        encoding="utf-8",
    )
    modules = json.loads((twin / "modules.json").read_text(encoding="utf-8"))
    modules.append({"idx": 2, "name": "2", "path": "", "type": f"{where}own.Own"})
    (twin / "modules.json").write_text(json.dumps(modules), encoding="utf-8")
    return twin


# Using it.


def test_many_threads_load_it_once(tiny_folder: str) -> None:
    """Threads that need the model at the same moment wait for one that loads it."""
    embedder = load_embedder(f"huggingface:{tiny_folder}", device="cpu")
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
    embedder = load_embedder(f"huggingface:{own_folder}", device="cpu")
    before = embedder.embed_query("text")
    embedder.close()
    embedder.close()

    assert embedder.model.shared_weights.loaded is None  # type: ignore[attr-defined]
    np.testing.assert_array_equal(embedder.embed_query("text"), before)


def test_loading_prints_nothing(tiny_folder: str, capfd: pytest.CaptureFixture[str]) -> None:
    """A library has no business on the terminal."""
    _ = load_embedder(f"huggingface:{tiny_folder}", device="cpu").embed_query("text")

    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("most", [1, 2, 5])
def test_out_of_memory_halves_the_batch(own_folder: str, tiny: Embedder, most: int) -> None:
    """A device that takes only so many texts at once gets smaller batches, and nothing is lost."""
    texts = [f"text number {number}" for number in range(16)]
    with load_embedder(f"huggingface:{own_folder}", device="cpu") as embedder:
        sizes = small_device(embedder, most)
        vectors = embedder.embed_documents(texts)

    assert sizes[0] == len(texts)
    assert sizes[-1] <= most
    np.testing.assert_allclose(vectors, tiny.embed_documents(texts), rtol=0, atol=1e-6)


def test_out_of_memory_for_a_single_text_names_the_remedy(own_folder: str) -> None:
    """What does not fit alone is an error that says what to set; the others are embedded."""
    with load_embedder(f"huggingface:{own_folder}", device="cpu") as embedder:
        small_device(embedder, 0)
        with pytest.raises(EmbedBridgeError, match=r"single input.*Set max_length") as caught:
            embedder.embed_documents(["one", "two"])

    assert not caught.value.retryable
    assert type(caught.value.__cause__).__name__ == "OutOfMemoryError"


def small_device(embedder: Embedder, most: int) -> list[int]:
    """Let a model's device take only so many texts at once; returns how many it was given."""
    import torch

    transformer = embedder.model._load().transformer  # type: ignore[attr-defined]
    forward, sizes = transformer.forward, []

    def small(features: dict[str, Any], **options: Any) -> Any:
        sizes.append(len(features["input_ids"]))
        if sizes[-1] > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
        return forward(features, **options)

    transformer.forward = small
    return sizes


def test_a_failure_is_raised_at_once(own_folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed once would fail again: a local model is asked one time only."""
    embedder = load_embedder(f"huggingface:{own_folder}", device="cpu")
    transformer = embedder.model._load().transformer  # type: ignore[attr-defined]
    calls: list[object] = []

    def broken(*args: object, **kwargs: object) -> None:
        calls.append(args)
        raise RuntimeError("no kernel image is available")

    monkeypatch.setattr(transformer, "forward", broken)
    with pytest.raises(EmbedBridgeError, match="no kernel image"):
        embedder.embed_query("text")

    assert len(calls) == 1


def test_a_spawned_process_makes_the_same_vector(tiny_folder: str, tmp_path: Path) -> None:
    """An embedder travels by its configuration, and is loaded again over there."""
    import pickle

    embedder = load_embedder(f"huggingface:{tiny_folder}", device="cpu", max_length=64)
    expected = embedder.embed_query("text")
    (tmp_path / "embedder").write_bytes(pickle.dumps(embedder))
    code = (
        "import pickle, sys, numpy\n"
        "embedder = pickle.load(open(sys.argv[1], 'rb'))\n"
        "numpy.save(sys.argv[2], embedder.embed_query('text'))\n"
        "print(embedder.fingerprint)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "embedder"), str(tmp_path / "vector.npy")]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)

    assert answer.stdout.strip() == embedder.fingerprint
    np.testing.assert_allclose(np.load(tmp_path / "vector.npy"), expected, rtol=0, atol=1e-6)


def test_the_alias_local_is_the_same_provider(tiny_folder: str) -> None:
    """LlamaIndex writes `local:<folder>`; the vectors and their fingerprint are the same."""
    local: Embedder = load_embedder(f"local:{tiny_folder}", device="cpu")
    ours = load_embedder(f"huggingface:{tiny_folder}", device="cpu")

    assert local.fingerprint == ours.fingerprint


def test_a_model_of_model2vec_without_a_list_of_modules(tmp_path: Path) -> None:
    """sentence-transformers cannot load it; the error names the provider that can."""
    (tmp_path / "config.json").write_text('{"model_type": "model2vec"}', encoding="utf-8")
    with pytest.raises(ConfigurationError, match="static:MODEL"):
        load_embedder(f"huggingface:{tmp_path}", device="cpu").embed_query("text")


def test_a_relative_folder_is_the_one_where_the_model_was_made(
    tiny_folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python may stand elsewhere at first use: beside no such folder, or beside another model."""
    shutil.copytree(tiny_folder, tmp_path / "here" / "model")
    (tmp_path / "there" / "model").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    embedder = load_embedder("huggingface:./model", device="cpu")
    expected = embedder.using().embed_query("text")
    embedder.close()
    monkeypatch.chdir(tmp_path / "there")

    for one in (embedder, pickle.loads(pickle.dumps(embedder))):
        np.testing.assert_allclose(one.embed_query("text"), expected, rtol=0, atol=1e-6)
