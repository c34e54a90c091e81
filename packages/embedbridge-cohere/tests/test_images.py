"""Images and mixed inputs on their way to Cohere: each its own vector, and never as another kind."""

from __future__ import annotations

import asyncio
import base64
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
    Batch,
    Image,
    InvalidImageError,
    InvalidInputError,
    LoadedImage,
    LoadedMixed,
    Mixed,
    RequestTooLargeError,
    Role,
    UnsupportedModalityError,
)
from embedbridge.contract.loaded import Loaded
from embedbridge.core import Embedder
from embedbridge.providers.cohere._request import contents
from embedbridge.testing import CohereWire, FaultServer, tiny_png

Load: TypeAlias = Callable[..., Embedder]

MODEL = "embed-v4.0"
V3 = "embed-english-v3.0"


def picture(number: int, size: int = 6) -> PIL.Image.Image:
    return PIL.Image.new("RGB", (size, size), (number % 256, number // 256, 99))


def loaded(number: int) -> LoadedImage:
    return LoadedImage(pixels=picture(number), described=f"picture {number}")


def encoded(number: int, format_: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture(number).save(buffer, format_, **options)
    return buffer.getvalue()


def noise(side: int, seed: int = 0) -> PIL.Image.Image:
    """Pixels that no format makes smaller."""
    return PIL.Image.frombytes("RGB", (side, side), random.Random(seed).randbytes(side * side * 3))


def urls_of(body: Any) -> list[str]:
    """All data URLs in a request."""
    old = body.get("images", [])
    new = [part["image_url"]["url"] for i in body.get("inputs", []) for part in i["content"]
           if part["type"] == "image_url"]  # fmt: skip
    return [*old, *new]


# One kind per request.


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
        text = f"{'data:image/png;base64,' if kind == 'data' else ''}{number}"
        if kind in ("text", "data"):
            inputs.append(text)
            expected.append(text)
        elif kind == "image":
            inputs.append(Image.from_pil(picture(number)))
            expected.append(loaded(number))
        else:
            inputs.append(Mixed(text, Image.from_pil(picture(number)), "after"))
            expected.append(LoadedMixed((text, loaded(number), "after")))
    server.requests.clear()
    found = load(dimensions=256).embed(inputs, role="document").vectors

    right = [server.vector(each, MODEL, 256, role="search_document") for each in expected]
    assert np.allclose(found, right, atol=1e-6)
    for record in server.requests:
        assert len({type(content) for content in record.inputs}) == 1


@pytest.mark.parametrize("role", ["query", "document"])
def test_images_have_roles_from_v4_on(server: FaultServer, load: Load, role: Role) -> None:
    """An image that one searches with is another vector than one that is found."""
    found = load().embed_images([Image.from_pil(picture(1))], role=role)

    right = server.vector(loaded(1), MODEL, role=f"search_{role}")
    assert np.allclose(found[0], right, atol=1e-6)


def test_v3_takes_one_image_each(load: Load) -> None:
    """In a field of their own, with the input type that goes with it; texts beside them are texts."""
    with FaultServer(wire=CohereWire(), dimensions=1024) as server:
        images = [Image.from_pil(picture(n)) for n in range(5)]
        embedder = load(V3, base_url=server.url)
        found = embedder.embed([*images, "a text"], role="document").vectors
        kinds = [record.json["input_type"] for record in server.requests]

        right = [server.vector(loaded(n), V3, role="image") for n in range(5)]
        assert np.allclose(found[:5], right, atol=1e-6)
        assert sorted(kinds) == ["image"] * 5 + ["search_document"]
        with pytest.raises(UnsupportedModalityError):
            embedder.embed([Mixed("a", images[0])], role="document")


def test_parts_keep_their_order(server: FaultServer, load: Load) -> None:
    """Text before an image is another input than text behind it."""
    image = Image.from_pil(picture(1))
    found = load().embed([Mixed("a", image, "b"), Mixed("b", image, "a")], role="query").vectors
    ours = [("a", loaded(1), "b"), ("b", loaded(1), "a")]

    right = [server.vector(LoadedMixed(parts), MODEL, role="search_query") for parts in ours]
    assert np.allclose(found, right, atol=1e-6)
    assert np.abs(found[0] - found[1]).max() > 0.01


# How they travel.


@pytest.mark.parametrize(
    ("format_", "kind"),
    [("PNG", "png"), ("JPEG", "jpeg"), ("WEBP", "webp"), ("BMP", "png"), ("TIFF", "png")],
)
def test_files_travel_as_they_are_where_cohere_takes_them(
    server: FaultServer, load: Load, format_: str, kind: str
) -> None:
    """Byte for byte; what Cohere does not take becomes PNG of the same pixels."""
    options = {"lossless": True} if format_ == "WEBP" else {}
    data = encoded(3, format_, **options)
    load().embed_images([Image.from_bytes(data)])
    (url,) = urls_of(server.requests[0].json)
    head, _, body = url.partition(",")

    assert head == f"data:image/{kind};base64"
    if format_.lower() == kind:
        assert base64.b64decode(body) == data
    sent = server.requests[0].inputs[0]
    decoded = PIL.Image.open(io.BytesIO(data)).convert("RGB")
    assert sent.pixels.tobytes() == decoded.tobytes()


def test_what_is_billed_for_images(load: Load) -> None:
    """Images, and their tokens together with those of texts."""
    image = Image.from_bytes(tiny_png())
    usage = load().embed(["one two", image, Mixed("three", image)], role="document").usage

    assert (usage.images, usage.tokens, usage.estimated) == (2, 3 + 10 + 10, False)


def test_an_image_that_cohere_refuses_is_named(server: FaultServer, load: Load) -> None:
    """The others get their vectors, and the error has the caller's position."""
    from embedbridge.testing import Exchange, Fault

    async def play(exchange: Exchange) -> None:
        bad = [n for n, image in enumerate(exchange.asked.inputs) if image.size == (7, 7)]
        if bad:
            await exchange.refuse(400, f"invalid request: image at index {bad[0]} is unsafe")
        else:
            await exchange.answer()

    server.always(Fault("bad-image", play))
    images = [Image.from_pil(picture(n, size=7 if n == 2 else 6)) for n in range(5)]
    result = load(errors="collect").embed(images, role="document")

    assert list(result.errors) == [2]
    assert isinstance(result.errors[2], InvalidImageError)
    assert bool(np.isfinite(np.delete(result.vectors, 2, axis=0)).all())


# Sizes.


@pytest.mark.heavy  # megabytes of pixels
def test_twenty_megabytes_are_several_requests(server: FaultServer, load: Load) -> None:
    """Files are planned by what they become in base64, a third more; none is lost."""
    files = [_png(noise(1000, seed)) for seed in range(8)]  # 3 MB each
    found = load(dimensions=256).embed_images(list(map(Image.from_bytes, files)))

    assert found.shape == (8, 256)
    assert [len(record.inputs) for record in server.requests].count(4) == 2
    for record in server.requests:
        assert sum(len(url.partition(",")[2]) for url in urls_of(record.json)) <= 20_000_000


@pytest.mark.heavy  # megabytes of pixels
def test_images_that_grow_on_their_way_are_halved(server: FaultServer, load: Load) -> None:
    """Pixels in memory have no size before they are PNG; nothing too large is ever sent."""
    images = [Image.from_pil(noise(1200, seed)) for seed in range(4)]  # 5.8 MB of base64 each
    embedder = load(dimensions=256)
    found = embedder.embed_images(images)
    server.wait_until_idle()  # a record is complete a moment after its answer came

    assert found.shape == (4, 256)
    assert max(len(record.inputs) for record in server.requests) <= 3
    assert all(record.status == 200 for record in server.requests)
    small = [Image.from_pil(picture(n)) for n in range(20)]
    before = len(server.requests)
    embedder.embed_images(small)
    assert len(server.requests) == before + 1  # large ones say nothing about small ones


@pytest.mark.heavy  # megabytes of pixels
def test_one_image_that_is_too_large(server: FaultServer, load: Load) -> None:
    """Named by its position, before it is sent."""
    large = Image.from_pil(noise(2700))  # 23 MB of base64, as JPEG too
    with pytest.raises(InvalidInputError, match="more than 15000000") as caught:
        load().embed(["a text", large], role="document")

    assert caught.value.index == 1
    assert not [record for record in server.requests if "inputs" in record.json]


def test_v3_takes_five_megabytes() -> None:
    """Of the file as it is sent, which is not the one that came: JPEG where PNG is too large."""

    def sent(side: int) -> str:
        image = LoadedImage(pixels=noise(side), described="noise")
        batch = Batch(inputs=[loaded(1), image], modality="image", role="document")
        return str(contents(V3, batch)["images"][1])

    assert sent(1280).startswith("data:image/png;")
    assert sent(1350).startswith("data:image/jpeg;")
    with pytest.raises(InvalidImageError, match="more than 5000000") as caught:
        sent(1500)

    assert (caught.value.index, caught.value.source) == (1, "noise")


@pytest.mark.heavy  # megabytes of pixels
def test_a_batch_over_the_limit_is_for_the_engine_to_cut() -> None:
    """The provider does not split on its own."""
    images = [LoadedImage(pixels=noise(1200, n), described="noise") for n in range(4)]
    batch = Batch(inputs=images, modality="image", role="document")
    with pytest.raises(RequestTooLargeError) as caught:
        contents(MODEL, batch)

    assert caught.value.limit == "bytes"


def test_encoding_images_leaves_the_event_loop_free(server: FaultServer, load: Load) -> None:
    """Base64 and PNG of megabytes take a while; other requests go on meanwhile."""
    model: Any = load(dimensions=256).model
    threads: list[str] = []
    original = model.request

    def spy(batch: Batch) -> Any:
        import threading

        threads.append(threading.current_thread().name)
        return original(batch)

    model.request = spy
    batch = Batch(inputs=[loaded(1)], modality="image", role="document", dimensions=256)

    async def ask() -> None:
        try:
            await model.embed_batch(batch)
        finally:
            await model.aclose()

    asyncio.run(ask())

    assert threads
    assert "MainThread" not in threads


def _png(image: PIL.Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
