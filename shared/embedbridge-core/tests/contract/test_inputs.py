"""Inputs are values: made explicitly, compared by content, and never opened early."""

import pickle
from pathlib import Path
from typing import Any

import pytest

from embedbridge.contract import Image, InvalidInputError, Mixed, Text
from embedbridge.testing import tiny_png

PNG = tiny_png()


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(Text("a"), id="text"),
        pytest.param(Image.from_bytes(PNG), id="image"),
        pytest.param(Image.from_path("cat.png"), id="path"),
        pytest.param(Mixed("a", Image.from_bytes(PNG)), id="mixed"),
    ],
)
def test_inputs_pickle(value: object) -> None:
    """Inputs travel to worker processes and stay equal."""
    assert pickle.loads(pickle.dumps(value)) == value


def test_mixed_takes_texts_and_images_in_order() -> None:
    """The order of the parts is part of the content; a `Text` is the same as its `str`."""
    image = Image.from_bytes(PNG)

    assert Mixed(Text("a"), image) == Mixed("a", image)
    assert Mixed("a", image) != Mixed(image, "a")


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param((), id="nothing"),
        pytest.param(("a", None), id="None"),
        pytest.param((b"a",), id="bytes"),
        pytest.param((Path("cat.png"),), id="path"),
        pytest.param((Mixed("a"),), id="nested"),
    ],
)
def test_mixed_refuses_other_parts(parts: tuple[Any, ...]) -> None:
    """Nothing is guessed to be an image."""
    with pytest.raises(InvalidInputError):
        Mixed(*parts)
