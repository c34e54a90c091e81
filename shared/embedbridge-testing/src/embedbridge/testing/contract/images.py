"""Images: the same picture by any route, of any shape, in order, and never a guess."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from embedbridge.contract import Image, InvalidImageError, InvalidInputError, Mixed
from embedbridge.core import Embedder
from embedbridge.testing.contract.applies import IMAGES, MIXED, NO_IMAGES, asked_where
from embedbridge.testing.contract.base import ContractBase
from embedbridge.testing.contract.comparing import assert_different, assert_same
from embedbridge.testing.contract.material import TEXTS, picture, png
from embedbridge.testing.contract.vectors import (
    NORMALIZED,
    NOT_SWITCHED_OFF,
    expect_unit_length,
)
from embedbridge.testing.samples import tiny_png

if TYPE_CHECKING:
    import PIL.Image

ODD = {
    "one pixel": ((1, 1), "RGB"),
    "very wide": ((300, 2), "RGB"),
    "very tall": ((2, 300), "RGB"),
    "grey": ((20, 30), "L"),
    "black and white": ((20, 30), "1"),
    "palette": ((20, 30), "P"),
    "transparent": ((20, 30), "RGBA"),
}


class ImageChecks(ContractBase):
    """Asked where the card has images; a card without them is asked to refuse them."""

    @asked_where(IMAGES)
    def test_each_image_gets_its_own_vector(self, embedder: Embedder) -> None:
        """Images keep their order and are as wide as texts, with which they share a space.

        If this fails, look at the order of the batch, and at both towers' projections.
        """
        _needs_pillow()
        images = [_image(seed) for seed in range(5)]
        together = embedder.embed_images(images)
        alone = np.stack([embedder.embed_images([image])[0] for image in images])

        width = embedder.embed_documents(TEXTS[:1]).shape[1]
        assert together.shape == (5, width), f"Images have shape {together.shape}, texts {width}"
        assert_same(together, alone, self.tolerance, "Images are not in the order of the inputs")
        gaps = np.abs(together[:, None] - together[None]).max(axis=-1) + np.eye(5)
        assert gaps.min() > self.tolerance, "Two different images have one vector"

    @asked_where(IMAGES, NORMALIZED, NOT_SWITCHED_OFF)
    def test_a_normalized_model_makes_unit_vectors_of_images(self, embedder: Embedder) -> None:
        """Where the card says `normalized`, images have length 1 too, alone and beside a text.

        If this fails, normalise behind both towers, or say `normalized=False` on the card.
        """
        _needs_pillow()
        images = [_image(seed) for seed in range(3)]
        expect_unit_length(embedder.embed_images(images), "images")
        if "mixed" in embedder.card.modalities:
            inputs = [Mixed("A cat:", image) for image in images]
            expect_unit_length(embedder.embed(inputs, role="document").vectors, "mixed inputs")

    @asked_where(IMAGES)
    @pytest.mark.parametrize("route", ["path", "file", "pil", "array", "base64", "data URL"])
    def test_the_same_picture_by_every_route(
        self, embedder: Embedder, route: str, tmp_path: Path
    ) -> None:
        """A picture has one vector, whether it comes as a file, as bytes, as pixels or as base64.

        If this fails, the model decodes by itself; use the pixels of `LoadedImage`.
        """
        _needs_pillow()
        image = picture(3)
        expected = embedder.embed_images([Image.from_bytes(png(image))])
        found = embedder.embed_images([_by_route(route, image, tmp_path)])

        assert_same(found, expected, self.tolerance, f"The same picture by {route} differs")

    @asked_where(IMAGES)
    @pytest.mark.parametrize("kind", ODD)
    def test_odd_pictures(self, embedder: Embedder, kind: str) -> None:
        """Pictures of any size, shape and mode have a vector, the same alone and among others.

        If this fails, look at resizing and cropping, and at channels.
        """
        _needs_pillow()
        size, mode = ODD[kind]
        odd = Image.from_bytes(png(picture(1, size=size, mode=mode)))
        among = embedder.embed_images([_image(0), odd, _image(2)])

        assert bool(np.isfinite(among).all()), f"No finite vector for a picture: {kind}"
        alone = embedder.embed_images([odd])[0]
        assert_same(among[1], alone, self.tolerance, f"A picture ({kind}) differs among others")

    @asked_where(IMAGES)
    def test_a_bad_image_is_named(self, embedder: Embedder) -> None:
        """A file that is no image is an error with its position, and costs the others nothing.

        If this fails, the model opens images itself, or an embedder skips them silently.
        """
        _needs_pillow()
        mixture = [_image(0), Image.from_bytes(b"this is no image at all"), _image(1)]
        with pytest.raises(InvalidImageError) as caught:
            embedder.embed_images(mixture)
        assert caught.value.index == 1, f"The error names image {caught.value.index}, not 1"

        result = embedder.using(errors="collect").embed(mixture, role="document")
        assert sorted(result.errors) == [1], f"Errors are at {sorted(result.errors)}, not at 1"
        good = embedder.embed_images([mixture[0], mixture[2]])
        assert_same(result.vectors[[0, 2]], good, self.tolerance, "A bad image costs the others")

    @asked_where(IMAGES)
    def test_texts_and_images_in_one_job(self, embedder: Embedder) -> None:
        """Texts and images in one list keep their places.

        If this fails, the model answers by modality instead of by `batch.inputs`.
        """
        _needs_pillow()
        found = embedder.embed([TEXTS[0], _image(0), TEXTS[1], _image(1)], role="document").vectors
        texts = embedder.embed_documents(TEXTS[:2])
        images = embedder.embed_images([_image(0), _image(1)])

        assert_same(found[::2], texts, self.tolerance, "Texts among images are out of order")
        assert_same(found[1::2], images, self.tolerance, "Images among texts are out of order")

    @asked_where(MIXED)
    def test_mixed_inputs_are_one_vector_each(self, embedder: Embedder) -> None:
        """A mixed input becomes one vector that all of its parts have a say in.

        If this fails, look whether texts and images of `batch.mixed` are all read.
        """
        _needs_pillow()
        inputs = [
            Mixed("A cat:", _image(0)),
            Mixed("A cat:", _image(1)),
            Mixed("A dog:", _image(0)),
        ]
        together = embedder.embed(inputs, role="document").vectors
        alone = np.stack([embedder.embed([each], role="document").vectors[0] for each in inputs])

        assert_same(together, alone, self.tolerance, "Mixed inputs are out of order")
        assert_different(
            together[0], together[1], self.tolerance, "Another image of a mixed input: one vector"
        )
        assert_different(
            together[0], together[2], self.tolerance, "Another text of a mixed input: one vector"
        )

    @asked_where(NO_IMAGES)
    def test_images_are_refused_where_the_card_has_none(self, embedder: Embedder) -> None:
        """A model without images says so, by the position, instead of embedding something else.

        If this fails, look at `modalities` on the card.
        """
        with pytest.raises(InvalidInputError) as caught:
            embedder.embed_images([Image.from_bytes(tiny_png())])
        assert caught.value.index == 0, "The error does not name the image"


def _needs_pillow() -> None:
    pytest.importorskip("PIL", reason="images take Pillow")


def _image(seed: int) -> Image:
    return Image.from_bytes(png(picture(seed)))


def _by_route(route: str, image: PIL.Image.Image, folder: Path) -> Image:
    data = png(image)
    if route == "path":
        path = folder / "picture.png"
        path.write_bytes(data)
        return Image.from_path(path)
    if route == "file":
        return Image.from_file(io.BytesIO(data))
    if route == "pil":
        return Image.from_pil(image)
    if route == "array":
        return Image.from_array(np.asarray(image))
    text = base64.b64encode(data).decode()
    if route == "base64":
        return Image.from_base64(text)
    return Image.from_data_url(f"data:image/png;base64,{text}")
