"""Images and mixed inputs on their way to Voyage: each its own vector, and never as another kind."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import PIL.Image
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from embedbridge.contract import (
    Image,
    InvalidImageError,
    LoadedImage,
    LoadedMixed,
    Mixed,
    UnsupportedModalityError,
)
from embedbridge.contract.loaded import Loaded
from embedbridge.core import Embedder
from embedbridge.testing import Exchange, Fault, FaultServer, tiny_png

Load: TypeAlias = Callable[..., Embedder]

MODEL = "voyage-multimodal-3.5"


def picture(number: int) -> PIL.Image.Image:
    return PIL.Image.new("RGB", (6, 6), (number % 256, number // 256, 99))


def loaded(number: int) -> LoadedImage:
    return LoadedImage(pixels=picture(number), described=f"picture {number}")


@given(st.lists(st.sampled_from(["text", "data", "image", "mixed"]), min_size=1, max_size=12))
@settings(
    max_examples=12,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
def test_each_input_goes_as_what_it_is(server: FaultServer, load: Load, kinds: list[str]) -> None:
    """Texts, images and both in any order: every vector is that of its own input."""
    inputs: list[Any] = []
    expected: list[Loaded] = []
    for number, kind in enumerate(kinds):
        image, text = Image.from_pil(picture(number)), f"text {number}"
        if kind == "image":
            inputs.append(image)
            expected.append(loaded(number))
        elif kind == "mixed":
            inputs.append(Mixed(text, image, "end"))
            expected.append(LoadedMixed((text, loaded(number), "end")))
        else:
            inputs.append(f"data:image/png;base64,{number}" if kind == "data" else text)
            expected.append(inputs[-1])
    found = load(MODEL, dimensions=256).embed(inputs, role="document").vectors
    right = [server.vector(each, MODEL, 256, role="document") for each in expected]

    assert np.allclose(found, right, atol=1e-6)


@pytest.mark.parametrize(("format_", "sent"), [("JPEG", "jpeg"), ("WEBP", "webp"), ("BMP", "png")])
def test_files_that_voyage_takes_go_as_they_are(
    server: FaultServer, load: Load, format_: str, sent: str
) -> None:
    """All others become PNG; the SDK makes WebP of every image."""
    buffer = io.BytesIO()
    picture(1).save(buffer, format_)
    load(MODEL).embed_images([Image.from_bytes(buffer.getvalue())])
    (part,) = server.requests[0].json["inputs"][0]["content"]

    assert part["image_base64"].startswith(f"data:image/{sent};base64,")


def test_a_text_model_takes_no_image(server: FaultServer, load: Load) -> None:
    """Nothing is sent."""
    with pytest.raises(UnsupportedModalityError):
        load("voyage-4").embed_images([Image.from_bytes(tiny_png())])

    assert not server.requests


def test_what_is_used(load: Load) -> None:
    """Voyage reports its tokens; the images are counted here."""
    image = Image.from_bytes(tiny_png())
    usage = load(MODEL).embed(["one two", image, Mixed("three", image)], role="document").usage

    assert (usage.images, usage.tokens, usage.estimated) == (2, 4, False)


def test_an_image_that_voyage_refuses_is_named(server: FaultServer, load: Load) -> None:
    """The others get their vectors, and the error has the caller's position."""

    async def play(exchange: Exchange) -> None:
        bad = [n for n, image in enumerate(exchange.asked.inputs) if image.size == (1, 90)]
        if bad:
            said = (
                f"Request to model '{MODEL}' failed. The image resolution is not within the "
                f"permitted range: [base64 image at input {bad[0]}, index 0] - For more information "
                "on input limitations, please see the documentation."
            )
            await exchange.refuse(400, said)
        else:
            await exchange.answer()

    server.always(Fault("resolution", play))
    thin = PIL.Image.new("RGB", (1, 90))
    images = [Image.from_pil(thin if n == 2 else picture(n)) for n in range(5)]
    result = load(MODEL, errors="collect").embed(images, role="document")

    assert list(result.errors) == [2]
    assert isinstance(result.errors[2], InvalidImageError)
    assert len(server.requests) == 2


def test_one_image_that_is_too_large(server: FaultServer, load: Load) -> None:
    """Named by its position, before anything is sent."""
    large = PIL.Image.new("RGB", (4000, 4001))
    with pytest.raises(InvalidImageError) as caught:
        load(MODEL).embed_images([Image.from_bytes(tiny_png()), Image.from_pil(large)])

    assert caught.value.index == 1
    assert not server.requests


@pytest.mark.heavy  # megabytes of pixels
def test_one_file_that_is_too_large(server: FaultServer, load: Load) -> None:
    """As PNG and as JPEG: named by its position, and not sent."""
    side = 2900
    noise = PIL.Image.frombytes("RGB", (side, side), random.Random(0).randbytes(side * side * 3))
    images = [Image.from_pil(picture(1)), Image.from_pil(noise)]
    with pytest.raises(InvalidImageError, match="20000000") as caught:
        load(MODEL).embed_images(images)

    assert caught.value.index == 1
    assert not server.requests
