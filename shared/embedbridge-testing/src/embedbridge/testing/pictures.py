"""Pictures made in code, each with a caption of its own: a small world for a small CLIP.

A picture shows one shape of one colour and size at one place, on a background that is never twice
the same. Of the pairs of shape and colour, a quarter is held out from training, so that tests can
ask for combinations that the model has never seen. Needs Pillow.
"""

from __future__ import annotations

import colorsys
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import PIL.Image
    import PIL.ImageDraw
    from numpy.typing import NDArray

    Draw: TypeAlias = Callable[[PIL.ImageDraw.ImageDraw, float, float, float, float], None]

COLOURS = {  # hue in degrees, saturation and lightness from 0 to 1
    "red": (0, 0.85, 0.45),
    "orange": (28, 0.95, 0.50),
    "yellow": (54, 0.95, 0.48),
    "green": (125, 0.70, 0.33),
    "blue": (222, 0.85, 0.45),
    "purple": (278, 0.70, 0.40),
    "pink": (330, 0.90, 0.70),
    "black": (0, 0.00, 0.08),
}
SIZES = {"small": 0.11, "large": 0.21}
"""Radius, as a part of the picture's side."""
POSITIONS = {
    f"{vertical} {horizontal}".replace("middle centre", "centre"): (x, y)
    for (vertical, y), (horizontal, x) in itertools.product(
        (("top", 0.25), ("middle", 0.5), ("bottom", 0.75)),
        (("left", 0.25), ("centre", 0.5), ("right", 0.75)),
    )
}
"""Centre of the shape, as parts of the picture's width and height."""
SHAPES = ("circle", "ring", "square", "diamond", "triangle", "star", "cross", "moon")

Look: TypeAlias = Literal["trained", "new"]
"""`trained` is what the model has learnt from; `new` has stripes, more noise and more jitter."""

SMOOTHING = 3
"""Pictures are drawn larger by this factor, and then reduced, which makes their edges smooth."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What a picture shows."""

    shape: str
    """One of `SHAPES`."""
    colour: str
    """One of `COLOURS`."""
    size: str
    """One of `SIZES`."""
    position: str
    """One of `POSITIONS`."""

    @property
    def caption(self) -> str:
        """In words; no two scenes share them."""
        return f"a {self.size} {self.colour} {self.shape} at the {self.position}"

    @property
    def is_held_out(self) -> bool:
        """Whether its pair of shape and colour was never trained on: two shapes of each colour."""
        row, column = SHAPES.index(self.shape), list(COLOURS).index(self.colour)
        return (row - column) % len(SHAPES) in (0, 3)


def scenes(*, held_out: bool | None = None) -> list[Scene]:
    """All scenes, in a fixed order; or only those that were, or were not, held out of training."""
    everything = itertools.product(SHAPES, COLOURS, SIZES, POSITIONS)
    made = [Scene(*each) for each in everything]
    return [scene for scene in made if held_out is None or scene.is_held_out == held_out]


def some_scenes(count: int, seed: int, *, held_out: bool | None = None) -> list[Scene]:
    """Different scenes, drawn by chance."""
    chosen = np.random.default_rng(seed).permutation(scenes(held_out=held_out))  # type: ignore[arg-type]  # numpy takes any objects
    return list(chosen[:count])


def render(scene: Scene, seed: int, *, side: int = 96, look: Look = "new") -> PIL.Image.Image:
    """A picture of a scene: the same one for the same seed, another one for another seed.

    Args:
        scene: What it shows.
        seed: Decides the background, and how place, size, angle and colour vary.
        side: Width and height in pixels.
        look: Whether it looks as in training.

    Returns:
        Mode RGB.
    """
    from PIL import Image, ImageDraw

    chance = np.random.default_rng([seed, look == "new"])
    large = side * SMOOTHING
    canvas = _background(chance, large, look)
    jitter = 0.035 if look == "new" else 0.03
    x, y = (place + chance.uniform(-jitter, jitter) for place in POSITIONS[scene.position])
    radius = SIZES[scene.size] * chance.uniform(0.88, 1.12)
    angle = chance.uniform(-0.17, 0.17)  # about ten degrees
    mask = Image.new("L", (large, large))
    drawing = ImageDraw.Draw(mask)
    _DRAWERS[scene.shape](drawing, x * large, y * large, radius * large, angle)
    pixels = np.where(np.asarray(mask)[..., None] > 0, _colour(chance, scene.colour), canvas)
    picture = Image.fromarray((pixels * 255).astype(np.uint8))
    small = np.asarray(picture.resize((side, side), Image.Resampling.BOX), dtype=np.float32)
    grain = chance.standard_normal(small.shape, dtype=np.float32) * (8 if look == "new" else 4)
    return Image.fromarray(np.clip(small + grain, 0, 255).astype(np.uint8))


def _background(chance: np.random.Generator, side: int, look: Look) -> NDArray[np.float32]:
    """A pale wall under uneven light, with stripes where it is new; (side, side, 3) in 0–1."""
    tint = chance.uniform(0.78, 0.98, 3).astype(np.float32)
    direction = chance.uniform(0, 2 * math.pi)
    steps = np.linspace(-1, 1, side, dtype=np.float32)
    across = steps[None, :] * math.cos(direction) + steps[:, None] * math.sin(direction)
    light = 1 - chance.uniform(0, 0.09) * (1 + across)
    if look == "new":
        light += 0.03 * np.sign(np.sin(across * chance.uniform(8, 30)))
    return np.minimum(tint * light[..., None], 1)


def _colour(chance: np.random.Generator, name: str) -> NDArray[np.float32]:
    hue, saturation, lightness = COLOURS[name]
    return np.array(
        colorsys.hls_to_rgb(
            (hue + chance.uniform(-5, 5)) / 360 % 1,
            lightness + chance.uniform(-0.04, 0.04),
            saturation * chance.uniform(0.9, 1),
        ),
        dtype=np.float32,
    )


def _polygon(*corners: tuple[float, float]) -> Draw:
    """Draws corners that are given for a radius of 1 around (0, 0)."""

    def draw(
        drawing: PIL.ImageDraw.ImageDraw, x: float, y: float, radius: float, angle: float
    ) -> None:
        cos, sin = radius * math.cos(angle), radius * math.sin(angle)
        drawing.polygon([(x + a * cos - b * sin, y + a * sin + b * cos) for a, b in corners], 255)

    return draw


def _disc(
    drawing: PIL.ImageDraw.ImageDraw, x: float, y: float, radius: float, fill: int = 255
) -> None:
    drawing.ellipse((x - radius, y - radius, x + radius, y + radius), fill)


def _circle(
    drawing: PIL.ImageDraw.ImageDraw, x: float, y: float, radius: float, _angle: float
) -> None:
    _disc(drawing, x, y, radius)


def _ring(
    drawing: PIL.ImageDraw.ImageDraw, x: float, y: float, radius: float, _angle: float
) -> None:
    _disc(drawing, x, y, radius)
    _disc(drawing, x, y, radius * 0.55, 0)


def _moon(
    drawing: PIL.ImageDraw.ImageDraw, x: float, y: float, radius: float, angle: float
) -> None:
    _disc(drawing, x, y, radius)
    away = radius * 0.6
    _disc(drawing, x + away * math.cos(angle), y + away * math.sin(angle), radius * 0.8, 0)


def _star_corners() -> Sequence[tuple[float, float]]:
    turns = [(number * math.pi / 5, 0.42 if number % 2 else 1.1) for number in range(10)]
    return [(far * math.sin(turn), -far * math.cos(turn)) for turn, far in turns]


_THICK = 0.33
_DRAWERS: dict[str, Draw] = {
    "circle": _circle,
    "ring": _ring,
    "moon": _moon,
    "square": _polygon((-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)),
    "diamond": _polygon((0, -1.15), (0.75, 0), (0, 1.15), (-0.75, 0)),
    "triangle": _polygon((0, -1), (1, 0.8), (-1, 0.8)),
    "star": _polygon(*_star_corners()),
    "cross": _polygon(
        *((-_THICK, -1), (_THICK, -1), (_THICK, -_THICK), (1, -_THICK), (1, _THICK)),
        *((_THICK, _THICK), (_THICK, 1), (-_THICK, 1), (-_THICK, _THICK), (-1, _THICK)),
        *((-1, -_THICK), (-_THICK, -_THICK)),
    ),
}
