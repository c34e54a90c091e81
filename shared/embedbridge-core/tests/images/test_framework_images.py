"""A framework's habits become explicit sources, and nothing is opened or fetched meanwhile."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any, get_type_hints

import PIL.Image
import pytest

from embedbridge.contract import Image, InvalidImageError, InvalidInputError, Mixed
from embedbridge.core.images.framework_images import PillowImage, as_image, as_images
from embedbridge.testing import tiny_png
from embedbridge.testing.audit import audited

PNG = tiny_png()
DATA_URL = "data:image/png;base64," + base64.b64encode(PNG).decode()
as_image(DATA_URL)  # what is imported when it is first needed is no IO of a test
PICTURE = PIL.Image.new("RGB", (2, 2))


class Stream(io.RawIOBase):
    """A download: it can be read once."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._data.readinto(buffer)


@pytest.mark.parametrize(
    ("value", "kind", "source"),
    [
        ("cat.png", "path", Path("cat.png")),
        ("photo:1.png", "path", Path("photo:1.png")),
        ("C:\\cat.png", "path", Path("C:\\cat.png")),
        ("a text that is no path", "path", Path("a text that is no path")),
        (Path("cat.png"), "path", Path("cat.png")),
        (PNG, "bytes", PNG),
        (bytearray(PNG), "bytes", PNG),
        (memoryview(PNG), "bytes", PNG),
        (io.BytesIO(PNG), "bytes", PNG),
        (Stream(PNG), "bytes", PNG),
        (DATA_URL, "bytes", PNG),
        (DATA_URL.replace("data:", "DATA:"), "bytes", PNG),
        (PICTURE, "pil", PICTURE),
        ("https://host/image?id=1", "url", "https://host/image?id=1"),
        ("HTTP://host/cat.png", "url", "HTTP://host/cat.png"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_habit_has_a_source(value: Any, kind: str, source: object) -> None:
    """What it is decides, and for a `str` its beginning; no file is opened and no host looked up."""
    with audited() as book:
        image = as_image(value)

    assert (image.kind, image.source) == (kind, source)
    assert book == []


@pytest.mark.parametrize(
    "value",
    [
        "ftp://user:s3cret@host/cat.png",
        "file:///etc/s3cret",
        "s3://s3cret/cat.png",
        "data:text/plain,s3cret",
        "data:image/png;base64,s3cret!",
        "",
        " ",
        b"",
        io.BytesIO(),
        io.StringIO("text"),
        None,
        7,
        ["cat.png"],
        Mixed("a"),
    ],
    ids=lambda value: str(value)[:24] or "empty",
)
def test_what_is_no_image_is_refused(value: Any) -> None:
    """Never taken for a text; the message is short, and repeats no more than a URL's beginning."""
    with audited() as book, pytest.raises(InvalidImageError) as caught:
        as_images([PNG, value])

    assert caught.value.index == 1
    assert "s3cret@" not in str(caught.value)
    assert len(str(caught.value)) < 300
    assert book == []


def test_a_collected_error_stands_in_its_place() -> None:
    """The engine, which gets the list, embeds the others; a single image is no list all the same."""
    first, error, last = as_images([PNG, "data:image/png;base64,@@", PNG], errors="collect")

    assert isinstance(error, InvalidImageError)
    assert error.index is None
    assert first == last == Image.from_bytes(PNG)
    with pytest.raises(InvalidInputError, match="Expected a list"):
        as_images("cat.png", errors="collect")


def test_a_file_object_is_read_from_its_beginning(tmp_path: Path) -> None:
    """As Pillow does: whoever looked at the image before has left it at its end."""
    (tmp_path / "red").write_bytes(PNG)
    with (tmp_path / "red").open("rb") as file:
        file.read(10)
        first, second = as_images([file, file])

    assert first.source == second.source == PNG


def test_a_closed_file_is_a_typed_error(tmp_path: Path) -> None:
    """With its position, as any other image that cannot be read."""
    (tmp_path / "red").write_bytes(PNG)
    with (tmp_path / "red").open("rb") as file:
        pass

    memory = io.BytesIO(PNG)
    memory.close()

    for closed in (file, memory):
        with pytest.raises(InvalidImageError, match="Input 1: The file object cannot be read"):
            as_images([PNG, closed])


class Upload:
    """As FastAPI's `UploadFile` is, or an open file of aiofiles."""

    async def read(self, size: int = -1) -> bytes:
        return PNG


class SeekableUpload(Upload):
    async def seekable(self) -> bool:
        return True


@pytest.mark.parametrize("upload", [Upload(), SeekableUpload()], ids=["FastAPI", "aiofiles"])
def test_an_async_file_object_is_named(upload: Any) -> None:
    """Nothing here can await it; no coroutine is left behind, of which Python would warn."""
    with pytest.raises(InvalidImageError, match=r"Input 1: .* is async\. Await its read\(\)"):
        as_images([PNG, upload])


class Failing:
    """An archive or a network is behind it, which have errors of their own."""

    def __init__(self, failing: str) -> None:
        self._failing = failing

    def seekable(self) -> bool:
        return bool(self._done("seekable", True))

    def seek(self, position: int) -> int:
        return int(self._done("seek", position))

    def read(self, size: int = -1) -> bytes:
        return bytes(self._done("read", b""))

    def _done(self, method: str, value: Any) -> Any:
        if method == self._failing:
            raise EOFError
        return value


@pytest.mark.parametrize("method", ["seekable", "seek", "read"])
def test_a_file_object_may_fail_in_any_way(method: str) -> None:
    """Whatever it raises, one image cannot be read."""
    file: Any = Failing(method)

    with pytest.raises(InvalidImageError, match="Input 1: The file object cannot be read: EOF"):
        as_images([PNG, file])


@pytest.mark.parametrize(
    "single",
    ["cat.png", Path("cat.png"), PNG, io.BytesIO(PNG), PICTURE, as_image(PNG), {"a": 1}, {1}, None],
    ids=lambda value: type(value).__name__,
)
def test_a_single_image_is_no_list(single: Any) -> None:
    """It is not read character by character, line by line or byte by byte."""
    with pytest.raises(InvalidInputError, match="Expected a list"):
        as_images(single)


def test_any_iterable_is_a_list() -> None:
    """Generators, too; explicit images pass as they are."""
    image = Image.from_bytes(PNG)

    assert as_images(value for value in (image, PNG)) == [image, image]


@pytest.mark.parametrize("function", [as_image, as_images])
def test_annotations_can_be_resolved(function: Any) -> None:
    """Frameworks read them at run time; a name of Pillow, which nobody has to install, is not in them."""
    hints = get_type_hints(function)

    assert "PIL" not in str(hints.values())
    assert isinstance(PICTURE, PillowImage)
