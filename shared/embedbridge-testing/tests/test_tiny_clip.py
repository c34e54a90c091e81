"""The tiny CLIP that ships with this package finds pictures, and its card says nothing else."""

from pathlib import Path

import numpy as np
import pytest

from embedbridge.contract import Image
from embedbridge.core import Embedder, load_embedder
from embedbridge.testing import tiny_clip
from embedbridge.testing.pictures import COLOURS, SHAPES, Look, Scene, render, scenes, some_scenes

SEED = 7
"""Training used the seeds below 10,368, and another look."""


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    pytest.importorskip("embedbridge.providers.onnx")
    return load_embedder(f"onnx:{tiny_clip.folder()}")


def recall_at_1(embedder: Embedder, chosen: list[Scene], look: Look) -> float:
    """The part of captions whose nearest picture is the one that they describe."""
    pictures = [render(scene, 1_000_000 + n, look=look) for n, scene in enumerate(chosen)]
    images = embedder.embed_images([Image.from_pil(picture) for picture in pictures])
    captions = embedder.embed_queries([scene.caption for scene in chosen])
    return float(np.mean((captions @ images.T).argmax(axis=1) == np.arange(len(chosen))))


@pytest.mark.parametrize("look", ["trained", "new"])
def test_new_renderings_are_found(embedder: Embedder, look: Look) -> None:
    """Of 200 scenes in pictures never seen, at least 95 % are found by their captions."""
    assert recall_at_1(embedder, some_scenes(200, SEED, held_out=False), look) >= 0.95


@pytest.mark.parametrize("look", ["trained", "new"])
def test_combinations_never_trained_on_are_found(embedder: Embedder, look: Look) -> None:
    """Of 200 scenes whose pair of shape and colour was held out, at least 80 % are found."""
    assert recall_at_1(embedder, some_scenes(200, SEED, held_out=True), look) >= 0.8


def test_both_forms_are_one_model(embedder: Embedder) -> None:
    """Its weights and its ONNX files make the same vectors, in the same space."""
    pytest.importorskip("torch")
    chosen = some_scenes(20, SEED)
    images = [Image.from_pil(render(scene, n)) for n, scene in enumerate(chosen)]
    captions = [scene.caption for scene in chosen]
    with load_embedder(f"clip:{tiny_clip.folder()}", device="cpu") as clip:
        for method, inputs in (("embed_images", images), ("embed_queries", captions)):
            expected, found = (getattr(one, method)(inputs) for one in (clip, embedder))
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
        assert embedder.space == clip.space


def test_captions_are_unique() -> None:
    """Recall at 1 is well defined: no caption fits two scenes."""
    everything = scenes()

    assert len({scene.caption for scene in everything}) == len(everything) == 1152


def test_what_was_held_out() -> None:
    """A quarter of the pairs of shape and colour, two shapes of each colour and back."""
    pairs = {(scene.shape, scene.colour) for scene in scenes(held_out=True)}

    assert len(pairs) == 16
    assert all(sum(shape in pair for pair in pairs) == 2 for shape in SHAPES)
    assert all(sum(colour in pair for pair in pairs) == 2 for colour in COLOURS)
    assert not pairs & {(scene.shape, scene.colour) for scene in scenes(held_out=False)}


def test_pictures_are_the_same_for_the_same_seed() -> None:
    """Another seed or another look makes another picture; the same ones make the same."""
    scene = Scene("star", "red", "large", "centre")
    first, again = render(scene, 1), render(scene, 1)
    others = [render(scene, 2), render(scene, 1, look="trained")]

    assert first.tobytes() == again.tobytes()
    assert all(first.tobytes() != other.tobytes() for other in others)
    assert first.mode == "RGB"
    assert first.size == (96, 96)


def test_the_model_is_small_safe_and_licensed() -> None:
    """Less than 2.5 MB of safetensors and ONNX, with its card and licence, and nothing pickled."""
    folder = tiny_clip.folder()
    names = {path.name for path in folder.iterdir()}

    assert {"README.md", "LICENSE", "config.json", "model.safetensors", "tokenizer.json"} <= names
    assert not {name for name in names if Path(name).suffix in {".bin", ".pt", ".pth", ".pkl"}}
    assert sum(path.stat().st_size for path in folder.rglob("*")) < 2_500_000
