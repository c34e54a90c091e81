"""A CLIP as two ONNX files: each tower on its own, checked when it is loaded, in one space."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from embedbridge.contract import ConfigurationError, Image, InvalidOptionError
from embedbridge.core import Embedder, load_embedder
from embedbridge.testing import tiny_clip
from embedbridge.testing.pictures import render, some_scenes

SCENES = some_scenes(30, 3)
CAPTIONS = [*(scene.caption for scene in SCENES), "long " * 120]
PICTURES = [
    Image.from_pil(render(scene, seed, side=40 + seed)) for seed, scene in enumerate(SCENES)
]


@pytest.fixture
def exact(tiny_towers: Embedder) -> Embedder:
    """On onnxruntime."""
    return tiny_towers


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of its files without the original weights, whose loaded towers are its own."""
    ignored = shutil.ignore_patterns("*.safetensors")
    return shutil.copytree(tiny_clip.folder(), tmp_path / "own", ignore=ignored)


def towers_of(embedder: Embedder) -> tuple[bool, bool]:
    """Whether the tower for texts and the one for images are loaded."""
    loaded = embedder.model._load()  # type: ignore[attr-defined]
    return loaded.texts.is_loaded, loaded.images.is_loaded


def test_a_caption_finds_its_picture(exact: Embedder) -> None:
    """Texts and images lie in one space; a card says what there is."""
    captions = exact.embed_queries(CAPTIONS[: len(SCENES)])
    found = (captions @ exact.embed_images(PICTURES).T).argmax(axis=1)

    assert np.mean(found == np.arange(len(SCENES))) >= 0.9
    assert exact.card.modalities == ("text", "image")
    assert exact.dimensions == 64


def test_texts_load_only_their_tower(folder: Path) -> None:
    """And images only theirs; whoever asks for the card or counts tokens loads none."""
    with load_embedder(f"onnx:{folder}") as embedder:
        embedder.model.count_tokens(CAPTIONS)
        _ = embedder.card, embedder.space, embedder.fingerprint
        assert towers_of(embedder) == (False, False)
        embedder.embed_documents(CAPTIONS)
        assert towers_of(embedder) == (True, False)
    with load_embedder(f"onnx:{folder}", threads=1) as embedder:
        embedder.embed_images(PICTURES)
        assert towers_of(embedder) == (False, True)


def test_no_torch_is_imported() -> None:
    """Neither torch nor transformers is needed, nor tried."""
    code = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(('torch', 'transformers', 'huggingface_hub')))\n"
        "from embedbridge.contract import Image\n"
        "from embedbridge.core import load_embedder\n"
        "from embedbridge.testing import tiny_clip\n"
        "from embedbridge.testing.pictures import render, some_scenes\n"
        "embedder = load_embedder(f'onnx:{tiny_clip.folder()}')\n"
        "picture = Image.from_pil(render(some_scenes(1, 0)[0], 0))\n"
        "print(embedder.embed_images([picture]).shape, embedder.embed_query('a star').shape)\n"
    )
    # -I: nothing of this process's environment may lend a module.
    answer = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True
    )

    assert answer.stdout.strip() == "(1, 64) (64,)"


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("threads", [1, 3])
def test_batches_do_not_change_vectors(exact: Embedder, backend: str, threads: int) -> None:
    """However inputs are dealt out to parts and streams, each has its own vector, in its place."""
    pytest.importorskip(backend)
    options: dict[str, Any] = {"backend": backend, "threads": threads}
    with load_embedder(f"onnx:{tiny_clip.folder()}", **options) as embedder:
        for method, inputs in (("embed_images", PICTURES), ("embed_documents", CAPTIONS)):
            together = getattr(embedder, method)(inputs)
            alone = np.concatenate([getattr(embedder, method)([one]) for one in inputs])
            np.testing.assert_allclose(together, alone, rtol=0, atol=1e-5)
            expected = getattr(exact, method)(inputs)
            np.testing.assert_allclose(together, expected, rtol=0, atol=1e-5)


@pytest.mark.skipif(os.name == "nt", reason="signals are different there")
@pytest.mark.parametrize("end", ["held[0].close()", "pass"])
@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_signals_are_handled_after_another_thread_freed_the_model(backend: str, end: str) -> None:
    """Ctrl-C in a server whose model was closed by a worker: its handler is called, and it goes on."""
    pytest.importorskip(backend)
    code = (
        "import gc, signal, threading\n"
        "from embedbridge.core import load_embedder\n"
        "from embedbridge.testing import tiny_clip\n"
        "signal.signal(signal.SIGINT, lambda *_: print('handled'))\n"
        f"held = [load_embedder(f'onnx:{{tiny_clip.folder()}}', backend={backend!r}, threads=1)]\n"
        "held[0].embed_query('a star')\n"
        "def free():\n"
        f"    {end}\n"
        "    held.clear()\n"
        "    gc.collect()\n"
        "thread = threading.Thread(target=free)\n"
        "thread.start()\n"
        "thread.join()\n"
        "signal.raise_signal(signal.SIGINT)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )

    assert (ended.returncode, ended.stdout) == (0, "handled\n"), ended.stderr


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_8_bits_are_near(exact: Embedder, backend: str) -> None:
    """The mean cosine is at least 0.99, for texts and images; the space is the same."""
    pytest.importorskip("onnx" if backend == "onnxruntime" else backend)
    name = f"onnx:{tiny_clip.folder()}"
    with load_embedder(name, backend=backend, precision="int8") as embedder:
        images = np.sum(embedder.embed_images(PICTURES) * exact.embed_images(PICTURES), axis=1)
        texts = np.sum(embedder.embed_documents(CAPTIONS) * exact.embed_documents(CAPTIONS), axis=1)

        assert images.mean() >= 0.99
        assert texts.mean() >= 0.99
        assert embedder.space == exact.space
        assert embedder.fingerprint != exact.fingerprint


def test_lengths_are_as_asked(exact: Embedder) -> None:
    """`normalize=False` leaves the towers' vectors as they are; else they have length 1."""
    with load_embedder(f"onnx:{tiny_clip.folder()}", normalize=False) as embedder:
        raw = embedder.embed_images(PICTURES)
        unit = exact.embed_images(PICTURES)

        assert not embedder.card.normalized
        assert exact.card.normalized
    lengths = np.linalg.norm(raw, axis=1, keepdims=True)
    np.testing.assert_allclose(raw / lengths, unit, rtol=0, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1, atol=1e-6)
    assert abs(lengths - 1).max() > 1e-3


def test_a_long_text_is_cut_and_reported(exact: Embedder) -> None:
    """What is beyond the positions of the text tower, or beyond `max_length`, is not read."""
    result = exact.embed(["short", "word " * 200], role="document")
    with load_embedder(f"onnx:{tiny_clip.folder()}", max_length=5) as short:
        cut = short.embed(["one two three four five six", "one two three four five"], role="query")

    assert result.truncated.tolist() == [False, True]
    assert cut.truncated.all()
    assert short.fingerprint != exact.fingerprint


def test_tokens_may_have_any_numbers(folder: Path) -> None:
    """A small vocabulary may have gaps in it."""
    path = folder / "tokenizer.json"
    tokenizer = json.loads(path.read_text(encoding="utf-8"))
    tokenizer["model"]["vocab"] |= {"a</w>": 2**16 + 7}
    path.write_text(json.dumps(tokenizer), encoding="utf-8")
    with load_embedder(f"onnx:{folder}") as embedder:
        prepared = embedder.model.prepare(["a"], role="query", prompt="")

    assert prepared is not None
    assert list(prepared.counts) == embedder.model.count_tokens(["a"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"file_name": "onnx/text_model.onnx"}, "file_name"),
        ({"pooling": "mean"}, "pooling"),
        ({"max_length": 78}, "77"),
        ({"dimensions": 65}, "65"),
    ],
    ids=str,
)
def test_options_of_one_file_mean_nothing(options: dict[str, Any], message: str) -> None:
    """What cannot be is an error that names it."""
    with pytest.raises(InvalidOptionError, match=message):
        load_embedder(f"onnx:{tiny_clip.folder()}", **options).embed_query("text")


def write(folder: Path, **changes: object) -> None:
    path = folder / "onnx" / "towers.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**manifest, **changes}), encoding="utf-8")


DAMAGES: dict[str, Callable[[Path], object]] = {
    "another text tower": lambda folder: (folder / "onnx/text_model.onnx").write_bytes(b"other"),
    "no text tower": lambda folder: (folder / "onnx/text_model.onnx").unlink(),
    "no tokenizer": lambda folder: (folder / "tokenizer.json").unlink(),
    "no preprocessing": lambda folder: (folder / "preprocessor_config.json").unlink(),
    "manifest is no JSON": lambda folder: (folder / "onnx/towers.json").write_text("{"),
    "manifest says nothing": lambda folder: (folder / "onnx/towers.json").write_text("{}"),
    "manifest names a path": lambda folder: write(
        folder, texts={"file": "../tokenizer.json", "sha256": ""}
    ),
    "manifest of a later version": lambda folder: write(folder, audio={}),
}


@pytest.mark.parametrize("damage", sorted(DAMAGES))
def test_a_damaged_folder_is_our_error(folder: Path, damage: str) -> None:
    """What is missing, torn or another file is named, and no vector is made with it."""
    DAMAGES[damage](folder)
    with pytest.raises(ConfigurationError) as caught:
        load_embedder(f"onnx:{folder}").embed_query("text")

    assert str(folder.name) in str(caught.value)


def test_the_fingerprint(exact: Embedder, folder: Path) -> None:
    """Another tokenizer or preprocessing is in it; the place and the backend are not."""
    plain = load_embedder(f"onnx:{folder}")
    moved = load_embedder(f"onnx:{shutil.copytree(folder, folder.with_name('moved'))}")
    path = folder.with_name("moved") / "preprocessor_config.json"
    elsewhere = moved.fingerprint
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    changed = load_embedder(f"onnx:{path.parent}")

    assert plain.fingerprint == elsewhere != changed.fingerprint
    assert plain.space == moved.space == exact.space


@pytest.mark.parametrize(
    "change", [{"padding_side": "left"}, {"padding": "max_length"}, {"padding_token": 1}], ids=str
)
def test_how_texts_reach_the_tower_is_in_the_fingerprint(
    folder: Path, change: dict[str, Any]
) -> None:
    """The manifest decides it, and where texts are filled up decides their vectors."""
    before = load_embedder(f"onnx:{folder}").fingerprint
    manifest = json.loads((folder / "onnx/towers.json").read_text(encoding="utf-8"))
    assert manifest["texts"] | change != manifest["texts"]
    write(folder, texts=manifest["texts"] | change)

    assert load_embedder(f"onnx:{folder}").fingerprint != before


def test_what_is_not_read_is_not_in_the_fingerprint(folder: Path) -> None:
    """The original weights and an index of modules may lie there, or not."""
    before = load_embedder(f"onnx:{folder}").fingerprint
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "modules.json").write_text("[]", encoding="utf-8")

    assert load_embedder(f"onnx:{folder}").fingerprint == before


def test_towers_of_the_hub(folder: Path, tmp_path: Path) -> None:
    """Their commit is in the fingerprint, and their space is that of the weights all the same."""
    pytest.importorskip("huggingface_hub")
    found = []
    for commit in ("a" * 40, "b" * 40):
        repository = tmp_path / commit / "models--Owner--Towers"
        shutil.copytree(folder, repository / "snapshots" / commit)
        (repository / "refs").mkdir()
        (repository / "refs/main").write_text(commit, encoding="utf-8")
        options: dict[str, Any] = {"cache_folder": str(tmp_path / commit), "offline": True}
        found.append(load_embedder("onnx:Owner/Towers", **options))

    assert found[0].space == found[1].space == load_embedder(f"onnx:{folder}").space
    assert found[0].fingerprint != found[1].fingerprint


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")  # what is tested
def test_a_forked_child_loads_its_own(exact: Embedder) -> None:
    """Threads do not survive a fork; the child answers alike instead of hanging."""
    large = [Image.from_pil(Pillow.new("RGB", (1500, 1500), (n, 9, 90))) for n in range(3)]
    expected = exact.embed_images(large)
    pid = os.fork()
    if pid == 0:
        same = np.allclose(exact.embed_images(large), expected, atol=1e-5)
        os._exit(0 if same else 1)

    assert os.waitpid(pid, 0)[1] == 0
