"""Image preprocessing: a recipe of our own in place of transformers' processor, where it is proven equal.

The proof is the processor's own answer for noise: a recipe that differs from it in a single bit is
not used. It takes half the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from embedbridge.contract.local import Recipe, read_recipe

if TYPE_CHECKING:
    import PIL.Image
    from numpy.typing import NDArray

PROOFS = ((37, 61), (61, 37), (96, 96), (20, 33), (20, 150), (230, 231))
"""Height and width of the pictures of noise: upright, lying, square, small, thin, large."""


def recipe_of(processor: Any) -> Recipe | None:
    """What a processor of transformers does, or `None` for one that does anything else."""
    from PIL import Image

    random = np.random.default_rng(0)
    noise = [
        Image.fromarray(random.integers(0, 256, (*sides, 3), dtype=np.uint8)) for sides in PROOFS
    ]
    try:
        recipe = read_recipe(processor.to_dict())
    except AttributeError:
        return None
    if recipe is None:
        return None
    try:
        made, expected = recipe.prepare(noise), process(processor, noise)
    except Exception:  # noqa: BLE001  # of any kind; texts can be embedded all the same
        return None
    same = set(made) == set(expected) and all(
        np.array_equal(made[name], expected[name]) for name in made
    )
    return recipe if same else None


def preprocessing(processor: Any) -> Any:
    """From pictures, which are RGB, to the image tower's inputs, in the fastest way that is exact."""
    recipe = recipe_of(processor)
    return partial(process, processor) if recipe is None else recipe.prepare


def process(processor: Any, pictures: Sequence[PIL.Image.Image]) -> dict[str, NDArray[Any]]:
    """The answer of transformers itself."""
    return dict(processor(images=list(pictures), return_tensors="np"))
