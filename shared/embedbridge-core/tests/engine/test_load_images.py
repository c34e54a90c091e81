"""Images are decoded batch by batch, each bad one costs itself, and one picture has one vector."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedbridge.contract import (
    Batch,
    BatchResult,
    Image,
    InvalidImageError,
    JobFinished,
    JobStarted,
    Mixed,
    Usage,
    hookimpl,
)
from embedbridge.core import Embedder, MemoryCache
from embedbridge.core.images import decode_pool
from embedbridge.core.images.decode import OpenedImage, open_image
from embedbridge.core.images.rules import ImageRules
from embedbridge.core.remote.endpoint import endpoint_of
from embedbridge.testing import FakeModel, RecordingModel, RemoteFakeModel, tiny_png

BROKEN = Image.from_bytes(b"no image at all")


def pngs(count: int, *, size: int = 2) -> list[Image]:
    return [Image.from_bytes(tiny_png(number, size=size)) for number in range(count)]


class Listener:
    """Keeps every event."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    @hookimpl
    def embedbridge_event(self, event: Any) -> None:
        self.events.append(event)

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


@pytest.mark.parametrize("model", [FakeModel("small"), RemoteFakeModel("small")], ids=repr)
def test_a_bad_image_is_named_and_nothing_is_sent_with_it(model: Any) -> None:
    """By its position and its source."""
    images = [*pngs(40), BROKEN]
    with pytest.raises(InvalidImageError) as caught:
        Embedder(model).embed_images(images)

    assert caught.value.index == 40
    assert caught.value.source == BROKEN.described


@pytest.mark.parametrize("model", [FakeModel("small"), RemoteFakeModel("small")], ids=repr)
@pytest.mark.parametrize("cached", [False, True], ids=["no cache", "cache"])
@settings(max_examples=15)
@given(bad=st.sets(st.integers(0, 69), max_size=10))
def test_a_bad_image_costs_itself_alone(model: Any, cached: bool, bad: set[int]) -> None:
    """Whatever is wrong and wherever it stands: the others have the vector they have alone."""
    images = [BROKEN if place in bad else image for place, image in enumerate(pngs(70))]
    listener = Listener()
    embedder = Embedder(model, cache=MemoryCache() if cached else None, listeners=[listener])
    result = embedder.using(errors="collect").embed(images, role="document")
    whole = FakeModel("small").embed_batch(_batch(pngs(70)))

    assert set(result.errors) == bad
    good = [place for place in range(70) if place not in bad]
    assert (result.vectors[good] == whole.vectors[good]).all()
    assert np.isnan(result.vectors[sorted(bad)]).all()
    assert listener.of(JobFinished)[0].failed == len(bad)
    assert result.usage.images == len(good)


def test_images_are_counted_where_the_model_reports_only_tokens() -> None:
    """A server's tokens stand; the images of the batches are added to them."""

    class Counting(FakeModel):
        def embed_batch(self, batch: Batch) -> BatchResult:
            return replace(super().embed_batch(batch), usage=Usage(tokens=10))

    mixed = [Mixed("two", *pngs(2)), Mixed("one", *pngs(1))]
    found = Embedder(Counting("small")).embed([*pngs(3), *mixed, "text"], role="document")

    assert (found.usage.images, found.usage.tokens) == (6, 30)


def _batch(images: list[Image]) -> Batch:
    loaded = [open_image(image, ImageRules()).decode() for image in images]
    return Batch(inputs=loaded, modality="image", role="document")


@settings(max_examples=30)
@given(sides=st.lists(st.integers(1, 12), min_size=1, max_size=20), most=st.integers(1, 300))
def test_no_batch_has_more_pixels_than_the_card_says(
    local_model: Any, sides: list[int], most: int
) -> None:
    """A larger image travels alone."""
    model = local_model(max_items=8, max_pixels_per_request=most)
    images = [Image.from_bytes(tiny_png(n, size=side)) for n, side in enumerate(sides)]
    vectors = Embedder(model).embed_images(images)

    for batch in model.batches:
        pixels = [image.size[0] * image.size[1] for image in batch.images]
        assert sum(pixels) <= most or len(pixels) == 1
    assert (vectors == FakeModel("small").embed_batch(_batch(images)).vectors).all()


def test_what_does_not_fit_is_not_opened_at_every_turn(
    local_model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where few images fit into memory, a large batch is not read again for each few of them."""
    opened = 0

    def open_and_count(image: Image, rules: ImageRules) -> OpenedImage:
        nonlocal opened
        opened += 1
        return open_image(image, rules)

    monkeypatch.setattr(decode_pool, "open_image", open_and_count)
    model = local_model(max_items=100, max_pixels_per_request=10 * 4)
    Embedder(model).embed_images(pngs(100))

    assert [len(batch) for batch in model.batches] == [10] * 10
    assert opened <= 100 + 10 * decode_pool.AHEAD


def test_a_job_is_never_decoded_whole() -> None:
    """What was embedded is let go: two batches of pixels are alive at most."""
    alive: list[weakref.ref[Any]] = []
    most = 0

    class Counting(FakeModel):
        def embed_batch(self, batch: Batch) -> BatchResult:
            nonlocal most
            alive.extend(weakref.ref(image.pixels) for image in batch.images)
            most = max(most, sum(pixels() is not None for pixels in alive))
            return super().embed_batch(batch)

    Embedder(Counting("small")).using(batch_size=5).embed_images(pngs(50))

    assert len(alive) == 50
    assert most <= 10


def test_the_next_batch_is_decoded_while_the_model_computes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first batch waits in the model until the second one is being opened."""
    opened = threading.Semaphore(0)

    def open_and_tell(image: Image, rules: ImageRules) -> OpenedImage:
        opened.release()
        return open_image(image, rules)

    class Waiting(FakeModel):
        def embed_batch(self, batch: Batch) -> BatchResult:
            opened.acquire()
            return super().embed_batch(batch)

    monkeypatch.setattr(decode_pool, "open_image", open_and_tell)
    Embedder(Waiting("small")).using(batch_size=1).embed_images(pngs(1))
    assert not opened.acquire(blocking=False)
    opened.release()  # as if one more were opened: each batch now takes the next one's
    Embedder(Waiting("small")).using(batch_size=1).embed_images(pngs(3))


@pytest.fixture(params=[RecordingModel, RemoteFakeModel], ids=["local", "remote"])
def model(request: pytest.FixtureRequest) -> Any:
    return request.param("small")


def test_the_same_picture_in_another_file_is_a_hit(model: Any, tmp_path: Path) -> None:
    """The cache knows pixels, and gives the other file a name of its own."""
    picture = PIL.Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3))
    picture.save(tmp_path / "a.png")
    picture.save(tmp_path / "b.bmp")
    listener = Listener()
    embedder = Embedder(model, cache=MemoryCache(), listeners=[listener])
    first = embedder.embed([Image.from_path(tmp_path / "a.png")], role="document")
    for source in (
        Image.from_path(tmp_path / "b.bmp"),
        Image.from_path(tmp_path / "b.bmp"),
        Image.from_pil(picture),
        Image.from_array(np.asarray(picture)),
        Image.from_bytes((tmp_path / "a.png").read_bytes()),
    ):
        result = embedder.embed([source], role="document")
        assert (result.cached, result.requests) == (1, 0)
        assert (result.vectors == first.vectors).all()

    # The other file is known by its pixels first, and from then on by its own name.
    assert [job.cached for job in listener.of(JobStarted)][:3] == [0, 0, 1]


def test_a_mixed_input_is_cached_by_what_is_in_it(model: Any, tmp_path: Path) -> None:
    """Its images by their pixels, in their order."""
    (tmp_path / "a.png").write_bytes(tiny_png(1))
    image, same = Image.from_bytes(tiny_png(1)), Image.from_path(tmp_path / "a.png")
    embedder = Embedder(model, cache=MemoryCache())
    embedder.embed([Mixed("a", image)], role="document")

    assert embedder.embed([Mixed("a", same)], role="document").cached == 1
    assert embedder.embed([Mixed(same, "a")], role="document").cached == 0
    assert embedder.embed([Mixed("b", same)], role="document").cached == 0


def test_a_file_that_changes_is_kept_under_what_was_read(tmp_path: Path) -> None:
    """Between naming and decoding a file may be replaced: its old name gets no new vector."""
    path = tmp_path / "a.png"
    path.write_bytes(tiny_png(1))

    class Swapping(MemoryCache):
        def get_many(self, keys: Any) -> Any:
            path.write_bytes(tiny_png(2))
            return super().get_many(keys)

    embedder = Embedder(FakeModel("small"), cache=Swapping())
    second = embedder.embed_images([Image.from_path(path)])
    one, two = embedder.embed_images([Image.from_bytes(tiny_png(n)) for n in (1, 2)])

    assert (second[0] == two).all()
    assert not (second[0] == one).all()


def test_callers_of_one_picture_share_a_request(tmp_path: Path) -> None:
    """Even if it lies in two files."""
    picture = PIL.Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3))
    picture.save(tmp_path / "a.png")
    picture.save(tmp_path / "b.bmp")
    requests = 0

    class Patient(RemoteFakeModel):
        async def embed_batch(self, batch: Batch) -> BatchResult:
            nonlocal requests
            requests += 1
            shared = endpoint_of(self).requests
            while max(request.waiters for request in shared.all()) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0)
            return await super().embed_batch(batch)

    embedder = Embedder(Patient("small"))

    async def both() -> list[Any]:
        paths = [tmp_path / "a.png", tmp_path / "b.bmp"]
        return await asyncio.gather(
            *(embedder.aembed_images([Image.from_path(path)]) for path in paths)
        )

    one, two = asyncio.run(both())

    assert (one == two).all()
    assert requests == 1


def test_a_url_is_not_fetched_unless_that_is_allowed(model: Any) -> None:
    """No socket is opened; the error says what would allow it."""
    for cache in (None, MemoryCache()):
        with pytest.raises(InvalidImageError, match="allow_urls"):
            Embedder(model, cache=cache).embed_images(
                [*pngs(40), Image.from_url("https://example.com/a.png")]
            )
    assert getattr(model, "batches", []) == []  # nothing was paid for before


@pytest.mark.parametrize(
    ("rules", "limits", "image"),
    [
        pytest.param({"max_image_pixels": 8}, {}, tiny_png(size=3), id="pixels, user"),
        pytest.param({}, {"max_pixels_per_image": 8}, tiny_png(size=3), id="pixels, model"),
        pytest.param({"max_image_bytes": 50}, {}, tiny_png(), id="bytes, user"),
        pytest.param({}, {"max_bytes_per_image": 50}, tiny_png(), id="bytes, model"),
        pytest.param({"min_image_side": 3}, {}, tiny_png(), id="side, user"),
    ],
)
def test_an_image_outside_the_limits_is_refused(
    local_model: Any, rules: dict[str, Any], limits: dict[str, int], image: bytes
) -> None:
    """The user's limits and the model's both hold."""
    model = local_model(**limits)
    with pytest.raises(InvalidImageError):
        Embedder(model).using(**rules).embed_images([Image.from_bytes(image)])

    assert model.batches == []


def test_the_next_batch_is_decoded_while_a_device_computes() -> None:
    """A model with a device of its own never waits for pixels that could have been ready."""
    ready = threading.Event()

    class Elsewhere(FakeModel):
        has_own_device = True

        def embed_batch(self, batch: Batch) -> BatchResult:
            ready.wait()  # set by another thread: this one is in here
            return super().embed_batch(batch)

    class Telling(PIL.Image.Image):
        """Says when somebody asks for its pixels."""

        def load(self) -> Any:
            ready.set()
            return super().load()

    picture = PIL.Image.new("RGB", (2, 2))
    picture.__class__ = Telling
    images = [*pngs(9), Image.from_pil(picture)]
    ready.clear()
    vectors = Embedder(Elsewhere("small")).using(batch_size=5).embed_images(images)

    assert len(vectors) == 10


def test_images_have_no_tokens_to_count() -> None:
    """A tokenizer is not asked about images; about a text beside them it is."""
    counted: list[str] = []

    class Counting(FakeModel):
        def count_tokens(self, texts: Sequence[str]) -> list[int]:
            counted.extend(texts)
            return [1] * len(texts)

    Embedder(Counting("small")).embed([*pngs(3), "a text"], role="document")

    assert counted == ["a text"]
