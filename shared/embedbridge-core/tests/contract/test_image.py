"""An `Image` is a value: made explicitly, compared by its source, and never opened early."""

import base64
import http.client
import io
import pickle
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import pytest

from embedbridge.contract import Image, InvalidImageError
from embedbridge.contract import image as image_module
from embedbridge.testing import tiny_png

PNG = tiny_png()
ANYTHING: dict[str, Any] = {"int": 5, "str": "cat.png", "bytes": PNG, "list": [PNG]}
DATA_URL = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"


def pixels(fill: int = 7, shape: tuple[int, ...] = (2, 3, 3)) -> Any:
    return np.full(shape, fill, dtype=np.uint8)


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(Image.from_bytes(bytearray(PNG)), id="bytearray"),
        pytest.param(Image.from_bytes(memoryview(PNG)), id="memoryview"),
        pytest.param(Image.from_file(io.BytesIO(PNG)), id="file object"),
        pytest.param(Image.from_base64(base64.b64encode(PNG).decode()), id="base64"),
        pytest.param(Image.from_data_url(DATA_URL), id="data URL"),
        pytest.param(
            Image.from_data_url(DATA_URL.replace("data:image/png", "DATA:Image/PNG")),
            id="data URL in capitals",
        ),
    ],
)
def test_the_same_file_is_the_same_image_however_it_arrives(image: Image) -> None:
    """Buffers, file objects, base64 and data URLs are only ways to carry bytes."""
    assert image == Image.from_bytes(PNG)
    assert image.source == PNG


@pytest.mark.parametrize(
    ("make", "piece"),
    [
        pytest.param(lambda: Image.from_bytes(b""), "0 bytes", id="no bytes"),
        pytest.param(lambda: Image.from_bytes(ANYTHING["int"]), "int", id="a number for bytes"),
        pytest.param(lambda: Image.from_bytes(ANYTHING["str"]), "str", id="a text for bytes"),
        pytest.param(lambda: Image.from_path(ANYTHING["int"]), "int", id="a number for a path"),
        pytest.param(lambda: Image.from_path(ANYTHING["bytes"]), "bytes", id="bytes for a path"),
        pytest.param(lambda: Image.from_file(ANYTHING["str"]), "read", id="a path for a file"),
        pytest.param(
            lambda: Image.from_file(ANYTHING.get("", io.StringIO("a"))), "mode 'rb'", id="text file"
        ),
        pytest.param(lambda: Image.from_file(io.BytesIO()), "0 bytes", id="empty file object"),
        pytest.param(lambda: Image.from_base64("not base64!"), "base64", id="foreign characters"),
        pytest.param(lambda: Image.from_base64(""), "0 bytes", id="empty base64"),
        pytest.param(lambda: Image.from_base64("ä" * 4), "base64", id="not ASCII"),
        pytest.param(lambda: Image.from_base64(ANYTHING["int"]), "base64", id="number for base64"),
        pytest.param(lambda: Image.from_data_url("data:text/plain,hi"), "data URL", id="text URL"),
        pytest.param(lambda: Image.from_data_url("data:image/png,hi"), "data URL", id="no base64"),
        pytest.param(lambda: Image.from_data_url("cat.png"), "data URL", id="path for a data URL"),
        pytest.param(lambda: Image.from_data_url(ANYTHING["int"]), "int", id="number for a URL"),
        pytest.param(lambda: Image.from_url("file:///etc/passwd"), "http", id="file URL"),
        pytest.param(lambda: Image.from_url("ftp://host/cat.png"), "http", id="ftp URL"),
        pytest.param(lambda: Image.from_url("cat.png"), "http", id="path for a URL"),
        pytest.param(lambda: Image.from_url(ANYTHING["bytes"]), "bytes", id="bytes for a URL"),
        pytest.param(lambda: Image.from_pil(ANYTHING["str"]), "str", id="text for a PIL image"),
        pytest.param(
            lambda: Image.from_pil(ANYTHING["bytes"]), "bytes", id="bytes for a PIL image"
        ),
    ],
)
def test_a_wrong_source_is_refused_when_the_image_is_made(make: Any, piece: str) -> None:
    """The error comes where the mistake is, is typed, and names what was wrong in short."""
    with pytest.raises(InvalidImageError) as caught:
        make()

    assert piece in str(caught.value)
    assert len(str(caught.value)) <= 200


@pytest.mark.parametrize("make", [Image.from_base64, Image.from_data_url, Image.from_url])
def test_a_huge_bad_value_is_shown_in_short(make: Any) -> None:
    """A message never echoes a whole image."""
    with pytest.raises(InvalidImageError) as caught:
        make("!" * 1_000_000)

    assert len(str(caught.value)) <= 200


def test_naming_a_source_does_no_io() -> None:
    """What is not there is noticed when it is needed."""
    assert Image.from_path("/nowhere/missing.png").source == Path("/nowhere/missing.png")
    assert Image.from_url("https://example.org/cat.png").kind == "url"


def test_a_file_object_is_read_at_once_and_from_where_it_stands() -> None:
    """It may be closed before the image is embedded."""
    file = io.BytesIO(b"head" + PNG)
    file.seek(4)
    image = Image.from_file(file)
    file.close()

    assert image == Image.from_bytes(PNG)


class Dripping(io.RawIOBase):
    """A stream that hands out a few bytes at a time, as a pipe does."""

    def __init__(self, data: bytes) -> None:
        self._rest = data

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        piece, self._rest = self._rest[:3], self._rest[3:]
        return piece


def test_a_stream_is_read_to_its_end() -> None:
    """A short read is not the end of the image."""
    assert Image.from_file(cast("IO[bytes]", Dripping(PNG))) == Image.from_bytes(PNG)


class Failing:
    """Reads from an archive or a network, which fail with errors of their own."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def read(self, size: int = -1) -> bytes:
        raise self._error


class WithoutSize:
    """As some wrappers are: it reads everything or nothing."""

    def read(self) -> bytes:
        return PNG


@pytest.mark.parametrize(
    "file",
    [
        Failing(EOFError()),
        Failing(zlib.error("Error -3")),
        Failing(zipfile.BadZipFile("Bad CRC-32")),
        Failing(http.client.IncompleteRead(b"", 5)),
        WithoutSize(),
    ],
    ids=["cut gzip", "broken gzip", "broken zip", "cut body", "no size"],
)
def test_a_file_object_may_fail_in_any_way(file: Any) -> None:
    """It is one image that cannot be read; the cause says why."""
    with pytest.raises(InvalidImageError, match=r"cannot be read: \w+\(.*pass its bytes") as caught:
        Image.from_file(file)

    assert isinstance(caught.value.__cause__, Exception)


class Upload:
    """As FastAPI's `UploadFile` is, and an open file of aiofiles."""

    async def read(self, size: int = -1) -> bytes:
        return PNG

    async def seekable(self) -> bool:
        return True


def test_an_async_file_object_is_named() -> None:
    """Nothing here can await it; no coroutine is left behind, of which Python would warn."""
    upload: Any = Upload()
    with pytest.raises(InvalidImageError, match=r"Upload\) is async\. Await its read\(\)"):
        Image.from_file(upload)


def test_a_stream_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for the end of /dev/zero."""
    monkeypatch.setattr(image_module, "MAX_STREAM_BYTES", 1000)

    class Endless(io.RawIOBase):
        given = 0

        def read(self, size: int = -1) -> bytes:
            assert 0 < size <= 1001
            self.given += size
            return bytes(size)

    file = Endless()
    with pytest.raises(InvalidImageError, match="more than 1000 bytes"):
        Image.from_file(cast("IO[bytes]", file))

    assert file.given == 1001


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/cat.png?token=s3cret",
        "https://example.org/cat.png#s3cret",
        "https://s3cret:s3cret@example.org/cat.png",
        "https://a@s3cret@example.org/cat.png",
        "HTTPS://s3cret@example.org?s3cret",
    ],
)
def test_secrets_of_a_url_are_not_shown(url: str) -> None:
    """User names, queries and fragments hold tokens."""
    image = Image.from_url(url)

    assert "s3cret" not in repr(image)
    assert "example.org" in image.described


def test_secrets_of_a_refused_url_are_not_shown() -> None:
    """Not even in the error about it."""
    with pytest.raises(InvalidImageError) as caught:
        Image.from_url("ftp://me:s3cret@example.org/a?s3cret#s3cret")

    assert "s3cret" not in str(caught.value)


def test_pixels_do_not_change_under_our_hands() -> None:
    """An array is copied: what the caller does to it later has no effect."""
    array = pixels()
    image = Image.from_array(array)
    array[:] = 0

    assert image.source[0, 0, 0] == 7


def test_images_of_one_source_are_equal(tmp_path: Path) -> None:
    """Equal sources are one image for the engine; the same pixels twice in memory are two."""
    array = pixels()

    assert Image.from_bytes(PNG) == Image.from_bytes(bytes(PNG))
    assert len({Image.from_path(tmp_path), Image.from_path(str(tmp_path))}) == 1
    assert Image.from_array(array) != Image.from_array(array)
    assert Image.from_bytes(PNG) != Image.from_url("https://example.org/")


@pytest.mark.parametrize(
    "image",
    [
        Image.from_bytes(PNG),
        Image.from_path("cat.png"),
        Image.from_url("https://example.org/cat.png"),
    ],
)
def test_images_pickle(image: Image) -> None:
    """They travel to worker processes and stay equal."""
    assert pickle.loads(pickle.dumps(image)) == image
