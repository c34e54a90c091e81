"""Tiny models with random weights, one of each architecture, made in code; and odd pictures."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from embedbridge.contract import LoadedImage
from embedbridge.core import Embedder, load_embedder
from embedbridge.testing import tiny_towers

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """By `model_type`: the folder of a model that loads at once."""
    made = {}
    for kind in tiny_towers.MAKERS:
        made[kind] = str(tiny_towers.save(kind, tmp_path_factory.mktemp(kind) / "model"))
    return made


@pytest.fixture(scope="session")
def clip_folder(folders: dict[str, str]) -> str:
    """A CLIP, which reads 77 tokens."""
    return folders["clip"]


@pytest.fixture
def own_folder(clip_folder: str, tmp_path: Path) -> str:
    """A copy of it for tests that change a loaded model, which equal models would share."""
    return str(shutil.copytree(clip_folder, tmp_path / "own"))


@pytest.fixture(scope="session")
def clip(clip_folder: str) -> Embedder:
    """The CLIP, with us."""
    return load_embedder(f"clip:{clip_folder}", device="cpu")


@pytest.fixture
def hub(clip_folder: str, tmp_path: Path) -> Callable[..., str]:
    """A function that puts the CLIP into a Hub cache under any id, and returns the cache."""

    def download(hub_id: str, commit: str = COMMIT) -> str:
        repository = tmp_path / "hub" / f"models--{hub_id.replace('/', '--')}"
        shutil.copytree(clip_folder, repository / "snapshots" / commit, copy_function=os.symlink)
        (repository / "refs").mkdir()
        (repository / "refs" / "main").write_text(commit, encoding="utf-8")
        return str(tmp_path / "hub")

    return download


@pytest.fixture(scope="session")
def photos() -> list[Pillow.Image]:
    """Pictures of every shape: wide, high, tiny, and so large that threads share the work."""
    chance = np.random.default_rng(0)
    sizes = [(40, 30), (30, 40), (3, 5), (200, 20), (32, 32), (1, 1), (65, 129), (1600, 1300)]
    noise = [chance.integers(0, 256, (h, w, 3), dtype=np.uint8) for w, h in sizes]
    return [Pillow.fromarray(pixels) for pixels in noise]


@pytest.fixture(scope="session")
def loaded(photos: list[Pillow.Image]) -> list[LoadedImage]:
    """The same pictures, as a model gets them."""
    return [LoadedImage(pixels=photo, described="test") for photo in photos]
