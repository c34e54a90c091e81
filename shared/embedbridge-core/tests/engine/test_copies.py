"""The same picture under several names is embedded once, and every name gets what it got."""

from __future__ import annotations

import base64
import io
import zlib
from collections.abc import Callable
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
    BatchFinished,
    BatchResult,
    Image,
    InvalidImageError,
    InvalidInputError,
    JobFinished,
    JobStarted,
    LocalEmbeddingModel,
    Mixed,
    hookimpl,
)
from embedbridge.contract.loaded import LoadedImage, loaded_digest
from embedbridge.core import Embedder, MemoryCache
from embedbridge.testing import FakeModel, RecordingModel, RemoteFakeModel, tiny_png

Name = tuple[int, str, bool]
"""Which picture, by which route, and whether a text stands in front of it."""


class Elsewhere(RecordingModel):
    """On a device of its own: the next batch is decoded while one is computed."""

    has_own_device = True


class Remote(RemoteFakeModel):
    """Remembers what it was asked."""

    def __init__(self, name: str = "small", **options: Any) -> None:
        super().__init__(name, **options)
        self.batches: list[Batch] = []

    @property
    def seen(self) -> list[Any]:
        return [content for batch in self.batches for content in batch.inputs]

    async def embed_batch(self, batch: Batch) -> BatchResult:
        self.batches.append(batch)
        return await super().embed_batch(batch)


class Listener:
    """Keeps every event."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    @hookimpl
    def embedbridge_event(self, event: Any) -> None:
        self.events.append(event)

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


def pixels(number: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.full((3, 3, 3), number, dtype=np.uint8)


def file(number: int, format_: str) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.fromarray(pixels(number)).save(buffer, format_)
    return buffer.getvalue()


def hollow(png: bytes) -> bytes:
    """Sound from the outside, with pixels that nobody can decode."""
    start = png.index(b"IDAT")
    stop = start + 4 + int.from_bytes(png[start - 4 : start])
    chunk = b"IDAT" + bytes(stop - start - 4)
    return png[:start] + chunk + zlib.crc32(chunk).to_bytes(4) + png[stop + 4 :]


def data_url(number: int) -> str:
    return "data:image/png;base64," + base64.b64encode(file(number, "PNG")).decode()


ROUTES: dict[str, Callable[[Path, int], Image]] = {
    "file": lambda folder, number: Image.from_path(folder / f"{number}.png"),
    "copied file": lambda folder, number: Image.from_path(folder / f"{number} again.png"),
    "other format": lambda folder, number: Image.from_path(folder / f"{number}.bmp"),
    "bytes": lambda _, number: Image.from_bytes(file(number, "TIFF")),
    "same bytes": lambda _, number: Image.from_bytes(file(number, "PNG")),
    "data URL": lambda _, number: Image.from_data_url(data_url(number)),
    "array": lambda _, number: Image.from_array(pixels(number)),
    "Pillow": lambda _, number: Image.from_pil(PIL.Image.fromarray(pixels(number))),
}


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each picture in three files, two of them equal."""
    folder = tmp_path_factory.mktemp("copies")
    for number in range(3):
        (folder / f"{number}.png").write_bytes(file(number, "PNG"))
        (folder / f"{number} again.png").write_bytes(file(number, "PNG"))
        (folder / f"{number}.bmp").write_bytes(file(number, "BMP"))
    return folder


def made(folder: Path, name: Name) -> Image | Mixed:
    number, route, has_text = name
    image = ROUTES[route](folder, number)
    return Mixed("a text", image) if has_text else image


names = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(sorted(ROUTES)), st.booleans()), max_size=25
)
KINDS = pytest.mark.parametrize(
    ("model_class", "cached"),
    [
        pytest.param(RecordingModel, True, id="local, cache"),
        pytest.param(Elsewhere, True, id="device, cache"),
        pytest.param(Remote, True, id="remote, cache"),
        pytest.param(Remote, False, id="remote"),
    ],
)


@KINDS
@settings(max_examples=40)
@given(names=names, batch_size=st.integers(1, 12), repeat=st.booleans())
def test_each_picture_is_paid_for_once(
    folder: Path,
    model_class: Any,
    cached: bool,
    names: list[Name],
    batch_size: int,
    repeat: bool,
) -> None:
    """By whatever routes and in whatever batches: each has its vector, and nothing is counted twice."""
    inputs = [made(folder, name) for name in names]
    inputs += inputs[:3] if repeat else []
    kinds = {(number, has_text) for number, _, has_text in names}
    model, listener, told = model_class("small"), Listener(), []
    cache = MemoryCache() if cached else None
    embedder = Embedder(model, cache=cache, listeners=[listener]).using(batch_size=batch_size)
    result = embedder.embed(
        inputs, role="document", on_batch=lambda positions, *_: told.extend(positions.tolist())
    )
    alone = Embedder(FakeModel("small"))

    assert len(model.seen) == len({loaded_digest(one) for one in model.seen}) == len(kinds)
    for content, vector in zip(inputs, result.vectors, strict=True):
        assert (vector == alone.embed([content], role="document").vectors[0]).all()
    assert (result.usage.images, result.requests) == (len(kinds), len(model.batches))
    assert (result.cached, dict(result.errors)) == (0, {})
    assert len(told) == len(kinds)
    assert sum(batch.inputs for batch in listener.of(BatchFinished)) == len(inputs)
    if cached:
        again = embedder.embed(inputs, role="document")
        assert (again.requests, len(model.seen)) == (0, len(kinds))
        assert (again.vectors == result.vectors).all()


@KINDS
@pytest.mark.parametrize("batch_size", [1, 2, 32])
def test_a_broken_picture_has_an_error_under_each_of_its_names(
    tmp_path: Path, model_class: Any, cached: bool, batch_size: int
) -> None:
    """Its own position and its own file, as if the others were not there."""
    broken = hollow(file(1, "PNG"))
    paths = [tmp_path / f"{number}.png" for number in range(8)]
    for number, path in enumerate(paths):
        path.write_bytes(broken if number % 2 else file(2, "PNG"))
    model, listener = model_class("small"), Listener()
    embedder = Embedder(model, cache=MemoryCache() if cached else None, listeners=[listener])
    embedder = embedder.using(errors="collect", batch_size=batch_size)
    inputs = [Image.from_path(path) for path in paths]
    result = embedder.embed(inputs, role="document")

    assert [*result.errors] == [1, 3, 5, 7]
    for position, error in result.errors.items():
        assert isinstance(error, InvalidImageError)
        assert (error.index, error.source) == (position, inputs[position].described)
    assert np.isfinite(result.vectors[::2]).all()
    assert len(model.seen) == 1
    assert listener.of(JobFinished)[0].failed == 4
    assert sum(batch.inputs for batch in listener.of(BatchFinished)) == 8


@pytest.mark.parametrize("cached", [False, True], ids=["no cache", "cache"])
@pytest.mark.parametrize("batch_size", [1, 2, 32])
@pytest.mark.parametrize("has_text", [False, True], ids=["image", "mixed"])
def test_what_the_model_refuses_is_refused_under_each_name(
    folder: Path, any_model: Any, cached: bool, batch_size: int, has_text: bool
) -> None:
    """Asked once, also of a name that comes later; the error names the file of each."""
    inner, refused = FakeModel("small"), 0

    def picky(batch: Batch) -> BatchResult:
        nonlocal refused
        for index, content in enumerate(batch.inputs):
            image: Any = content if isinstance(content, LoadedImage) else content.parts[1]  # type: ignore[union-attr]
            if image.to_array()[0, 0, 0] == 1:
                refused += 1
                raise InvalidInputError("bad", index=index, source=image.described)
        return inner.make_up(batch)

    model, listener = any_model(), Listener()
    model.make_up = picky
    routes = [(number, route) for route in ("file", "other format", "array") for number in (0, 1)]
    images = [ROUTES[route](folder, number) for number, route in routes]
    inputs = [Mixed("a text", image) if has_text else image for image in images]
    embedder = Embedder(model, cache=MemoryCache() if cached else None, listeners=[listener])
    embedder = embedder.using(errors="collect", batch_size=batch_size, max_concurrency=1)
    result = embedder.embed(inputs, role="document")

    assert [*result.errors] == [1, 3, 5]
    for position, error in result.errors.items():
        assert isinstance(error, InvalidInputError)
        assert (error.index, error.source) == (position, images[position].described)
    assert (result.vectors[[0, 2, 4]] == result.vectors[0]).all()
    assert listener.of(JobFinished)[0].failed == 3
    assert sum(batch.inputs for batch in listener.of(BatchFinished)) == 6
    if cached or not isinstance(model, LocalEmbeddingModel):
        assert refused == 1


@KINDS
def test_a_job_that_is_given_up_keeps_the_vectors_of_all_names(
    folder: Path, model_class: Any, cached: bool
) -> None:
    """Also of those that were not looked at as files of their own."""

    class Failing(model_class):  # type: ignore[misc]  # chosen by the test
        def make_up(self, batch: Batch) -> BatchResult:
            if len(self.batches) > 1:
                raise InvalidInputError("bad", index=0)
            result: BatchResult = super().make_up(batch)
            return result

    routes = ("file", "copied file", "other format")
    inputs = [ROUTES[route](folder, number) for number in (0, 1) for route in routes]
    embedder = Embedder(Failing("small"), cache=MemoryCache() if cached else None)
    embedder = embedder.using(batch_size=1, max_concurrency=1)
    with pytest.raises(InvalidInputError) as caught:
        embedder.embed(inputs, role="document")
    partial = caught.value.partial
    assert partial is not None

    vector = (
        FakeModel("small")
        .embed_batch(Batch(inputs=[_loaded(0)], modality="image", role="document"))
        .vectors[0]
    )
    finished = [position for position in range(6) if position not in partial.errors]
    assert finished[0] == 0
    assert len(finished) == 3 or not cached
    assert (partial.vectors[finished] == vector).all()
    assert set(partial.errors) >= {3, 4, 5}
    assert caught.value.index == 3


def _loaded(number: int) -> LoadedImage:
    return LoadedImage(pixels=PIL.Image.fromarray(pixels(number)), described="a picture")


@pytest.mark.parametrize("cached", [False, True], ids=["no cache", "cache"])
def test_what_is_cut_is_reported_under_each_name(
    folder: Path, any_model: Any, cached: bool
) -> None:
    """The model reads a part of one, so of its copies too."""
    inner = FakeModel("small")

    def cutting(batch: Batch) -> BatchResult:
        first = [one.parts[0] == "long" for one in batch.inputs]  # type: ignore[union-attr]
        return replace(inner.make_up(batch), truncated=first)

    model = any_model()
    model.make_up = cutting
    routes = ("file", "copied file", "other format")
    inputs = [
        Mixed(text, ROUTES[route](folder, 0)) for route in routes for text in ("long", "short")
    ]
    embedder = Embedder(model, cache=MemoryCache() if cached else None)
    result = embedder.embed(inputs, role="document")

    assert result.truncated.tolist() == [True, False] * 3


def test_a_file_that_changes_takes_no_copy_with_it(tmp_path: Path) -> None:
    """Two files were equal when they were named: what was not replaced gets its own vector."""
    paths = [tmp_path / "a.png", tmp_path / "b.png", tmp_path / "c.png"]
    for path in paths:
        path.write_bytes(tiny_png(1))

    class Swapping(MemoryCache):
        def get_many(self, keys: Any) -> Any:
            paths[0].write_bytes(tiny_png(2))
            return super().get_many(keys)

    model = RecordingModel("small")
    vectors = Embedder(model, cache=Swapping()).embed_images(map(Image.from_path, paths))
    one, two = Embedder(FakeModel("small")).embed_images(
        [Image.from_bytes(tiny_png(number)) for number in (1, 2)]
    )

    assert (vectors == [two, one, one]).all()
    assert len(model.seen) == 2


def test_a_picture_that_vanishes_takes_no_copy_with_it(tmp_path: Path) -> None:
    """The error is of the name that is gone; the others are embedded."""
    paths = [tmp_path / "a.png", tmp_path / "b.png", tmp_path / "c.png"]
    for path in paths:
        path.write_bytes(tiny_png(1))

    class Deleting(MemoryCache):
        def get_many(self, keys: Any) -> Any:
            paths[0].unlink(missing_ok=True)
            return super().get_many(keys)

    model = RecordingModel("small")
    embedder = Embedder(model, cache=Deleting()).using(errors="collect")
    result = embedder.embed(map(Image.from_path, paths), role="document")

    assert [*result.errors] == [0]
    assert np.isfinite(result.vectors[1:]).all()
    assert len(model.seen) == 1


@KINDS
def test_equal_files_are_not_different_inputs(folder: Path, model_class: Any, cached: bool) -> None:
    """With a cache that is known before anything is decoded, and planned and told so."""
    listener = Listener()
    cache = MemoryCache() if cached else None
    embedder = Embedder(model_class("small"), cache=cache, listeners=[listener])
    paths = [folder / f"{number}{name}.png" for name in ("", " again") for number in range(3)]
    for _ in range(2):
        embedder.using(batch_size=2).embed_images(map(Image.from_path, paths))
    first, second = listener.of(JobStarted)

    different = 3 if cached else 6
    assert (first.inputs, first.unique, first.batches) == (6, different, -(-different // 2))
    assert second.cached == (3 if cached else 0)


def test_each_name_of_a_picture_is_known_the_next_time(folder: Path) -> None:
    """Without decoding it: the cache has learned the bytes of each file."""
    listener = Listener()
    embedder = Embedder(FakeModel("small"), cache=MemoryCache(), listeners=[listener])
    inputs = [ROUTES[route](folder, 0) for route in ("file", "other format", "bytes")]
    for _ in range(2):
        embedder.embed(inputs, role="document")

    assert [job.cached for job in listener.of(JobStarted)] == [0, 3]
