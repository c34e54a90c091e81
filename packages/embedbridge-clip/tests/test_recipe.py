"""A recipe prepares pictures as the processor does that it was learnt from, bit for bit."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from transformers.models.chinese_clip.image_processing_pil_chinese_clip import (
    ChineseCLIPImageProcessorPil,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
from transformers.models.siglip2.image_processing_pil_siglip2 import Siglip2ImageProcessorPil

from embedbridge.contract import Image
from embedbridge.contract.local import TOO_LONG, read_recipe
from embedbridge.core import Embedder
from embedbridge.providers.clip._preprocess import process, recipe_of

PROCESSORS: dict[str, Any] = {
    "clip": CLIPImageProcessorPil(),
    "chinese-clip": ChineseCLIPImageProcessorPil(),
    "siglip": SiglipImageProcessorPil(size={"height": 64, "width": 48}),
    "siglip2": Siglip2ImageProcessorPil(patch_size=8, max_num_patches=16),
    "siglip2-large": Siglip2ImageProcessorPil(),
    "small": CLIPImageProcessorPil(
        size={"shortest_edge": 50}, crop_size={"height": 47, "width": 31}, resample=2
    ),
    "unscaled": SiglipImageProcessorPil(size={"height": 9, "width": 9}, do_normalize=False),
}

RECIPES = {name: recipe_of(processor) for name, processor in PROCESSORS.items()}
NOT_THIN = st.tuples(st.integers(1, 90), st.integers(1, 90)).filter(
    lambda size: max(size) < TOO_LONG / 2 * min(size)
)


@settings(max_examples=40)
@given(
    name=st.sampled_from(sorted(PROCESSORS)),
    sizes=st.lists(NOT_THIN, min_size=1, max_size=3),
    seed=st.integers(0, 1000),
)
def test_it_changes_no_bit(name: str, sizes: list[tuple[int, int]], seed: int) -> None:
    """Pictures of every shape come out as from the processor itself."""
    processor, recipe = PROCESSORS[name], RECIPES[name]
    pictures = [noise(width, height, seed) for width, height in sizes]

    assert recipe is not None
    made, expected = recipe.prepare(pictures), process(processor, pictures)
    assert set(made) == set(expected)
    for array, theirs in expected.items():
        np.testing.assert_array_equal(made[array], theirs)


@pytest.mark.parametrize("size", [(3000, 40), (40, 3000)], ids=["lying", "upright"])
def test_of_a_thin_picture_only_the_middle_is_resized(size: tuple[int, int]) -> None:
    """It is what the processor cuts out, to within the rounding of a shade."""
    processor = CLIPImageProcessorPil(image_mean=[0, 0, 0], image_std=[1, 1, 1])
    recipe = recipe_of(processor)
    picture = noise(*size, seed=0)
    expected = processor(images=[picture], return_tensors="np")["pixel_values"]

    assert recipe is not None
    assert max(size) > TOO_LONG * min(size)
    assert np.abs(recipe.prepare([picture])["pixel_values"] - expected).max() * 255 < 1.01


def test_a_picture_of_one_row_costs_no_more_than_it_shows(clip: Embedder) -> None:
    """Resized as a whole, this one would take 48 x 96 million pixels."""
    row = Image.from_pil(Pillow.new("RGB", (2_000_000, 1), (200, 100, 0)))
    square = Image.from_pil(Pillow.new("RGB", (60, 60), (200, 100, 0)))
    vectors = clip.embed_images([row, square])

    np.testing.assert_allclose(vectors[0], vectors[1], rtol=0, atol=1e-5)


class Halving:
    """A processor of no known kind: it also halves what it has scaled."""

    def __init__(self, processor: Any) -> None:
        self._processor = processor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._processor, name)

    def __call__(self, images: Any, **options: Any) -> dict[str, Any]:
        made = dict(self._processor(images=images, **options))
        if options.get("do_resize", True):
            made["pixel_values"] = made["pixel_values"] / 2
        return made


@pytest.mark.parametrize(
    "processor",
    [
        Halving(CLIPImageProcessorPil()),
        CLIPImageProcessorPil(do_center_crop=False),
        CLIPImageProcessorPil(do_resize=False),
        CLIPImageProcessorPil(crop_size={"height": 225, "width": 100}),
        CLIPImageProcessorPil(size={"shortest_edge": 224, "longest_edge": 300}),
        SiglipImageProcessorPil(size={"max_height": 64, "max_width": 64}),
        Siglip2ImageProcessorPil(do_resize=False),
        lambda images, **_: {"pixel_values": np.zeros((len(images), 3, 8, 8))},
    ],
    ids=[
        "halves",
        "uncropped",
        "unresized",
        "fills-up",
        "two-edges",
        "at-most",
        "unresized-patches",
        "unknown",
    ],
)
def test_a_processor_of_another_kind_has_no_recipe(processor: Any) -> None:
    """What is as exact as the processor is used in its place, and nothing else is."""
    assert recipe_of(processor) is None


def without(name: str, processor: Any) -> Any:
    """A processor that normalises, and does not say by what: it fails with every picture."""
    setattr(processor, name, None)
    return processor


@pytest.mark.parametrize("name", ["image_mean", "image_std"])
@pytest.mark.parametrize(
    "kind", [CLIPImageProcessorPil, SiglipImageProcessorPil, Siglip2ImageProcessorPil]
)
def test_a_processor_that_lacks_a_number_has_no_recipe(kind: Any, name: str) -> None:
    """Nor one that fails with noise: whoever embeds pictures reads what is wrong with them."""
    processor = without(name, kind())

    assert read_recipe(processor.to_dict()) is None
    assert recipe_of(processor) is None


def test_a_processor_that_fails_with_noise_has_no_recipe() -> None:
    """It may take the pictures of the user; texts need no processor."""

    class Picky(Halving):
        def __call__(self, images: Any, **options: Any) -> dict[str, Any]:
            raise RuntimeError("not these")

    assert recipe_of(Picky(CLIPImageProcessorPil())) is None


def noise(width: int, height: int, seed: int) -> Pillow.Image:
    """A picture in which every pixel counts."""
    random = np.random.default_rng(seed)
    return Pillow.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8))
