"""What models get: its digest, and the files made from it."""

from __future__ import annotations

import io

import numpy as np
import PIL.Image
import pytest

from embedbridge.contract import InvalidImageError, LoadedImage, LoadedMixed
from embedbridge.contract.loaded import Loaded, loaded_digest


def picture(*size: int, colour: str = "red") -> LoadedImage:
    width, height = size or (2, 3)
    return LoadedImage(pixels=PIL.Image.new("RGB", (width, height), colour), described="a test")


def test_no_two_kinds_of_input_have_one_digest() -> None:
    """A text, the same text in a mixed input, and an image of those bytes all differ."""
    contents: list[Loaded] = [
        "a",
        "",
        LoadedMixed(("a",)),
        LoadedMixed(("",)),
        LoadedMixed(("a", "")),
        LoadedMixed(("", "a")),
        LoadedMixed(("a", "a")),
        picture(2, 3),
        picture(3, 2),
        picture(2, 3, colour="blue"),
        LoadedMixed((picture(),)),
        LoadedMixed((picture(), "a")),
        LoadedMixed(("a", picture())),
    ]

    assert len({loaded_digest(content) for content in contents}) == len(contents)


def test_any_text_has_a_digest() -> None:
    """Lone surrogates, too, and each its own."""
    assert loaded_digest("\ud800") != loaded_digest("\udfff")


def test_a_picture_has_one_digest_wherever_it_came_from() -> None:
    """Where it was found does not count: the pixels do."""
    here, there = picture(), picture()

    assert here.digest() == LoadedImage(pixels=there.pixels, described="elsewhere").digest()


def test_a_png_that_is_too_large_becomes_a_jpeg() -> None:
    """The PNG of a photograph that was turned has several times the bytes of its own file.

    It would be refused where the upright one is taken.
    """
    noise = np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    image = LoadedImage(pixels=PIL.Image.fromarray(noise), described="noise")
    png = len(image.encoded()[0])
    found, media_type = image.encoded(("image/jpeg", "image/png"), max_bytes=png - 1)
    jpeg = len(found)
    seen = np.asarray(PIL.Image.open(io.BytesIO(found)), np.int16)

    assert media_type == "image/jpeg"
    assert np.abs(seen - noise).mean() < 5  # of 255, in the worst picture that there is
    assert image.encoded(("image/jpeg", "image/png"), max_bytes=png) == image.encoded()
    with pytest.raises(InvalidImageError, match=f"as image/jpeg, more than {jpeg - 1}"):
        image.encoded(("image/jpeg", "image/png"), max_bytes=jpeg - 1)
    with pytest.raises(InvalidImageError, match=f"as image/png, more than {png - 1}"):
        image.encoded(("image/png", "image/webp"), max_bytes=png - 1)


def test_the_original_file_is_sent_where_the_server_takes_it() -> None:
    """Nothing is encoded again without need, which would cost time or quality."""
    image = LoadedImage(
        pixels=PIL.Image.new("RGB", (2, 2)), described="x", file=b"jpeg", media_type="image/jpeg"
    )

    assert image.encoded(("image/jpeg", "image/png")) == (b"jpeg", "image/jpeg")
    assert image.to_data_url(("image/jpeg",)) == "data:image/jpeg;base64,anBlZw=="


@pytest.mark.parametrize("file", [None, b"webp"])
def test_else_a_png_of_the_very_pixels_is_sent(file: bytes | None) -> None:
    """A server sees what a local model would see."""
    noise = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    image = LoadedImage(
        pixels=PIL.Image.fromarray(noise), described="x", file=file, media_type="image/webp"
    )

    data, media_type = image.encoded(("image/jpeg", "image/png"))

    assert media_type == "image/png"
    assert (np.asarray(PIL.Image.open(io.BytesIO(data))) == noise).all()
    assert (image.to_array() == noise).all()
