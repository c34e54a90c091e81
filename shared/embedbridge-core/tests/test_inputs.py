"""Inputs are values: made explicitly, compared by content, and never opened early."""

import base64
import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embedbridge.contract import Image, InvalidImageError, InvalidInputError, Mixed, Text
from embedbridge.contract.inputs import are_inputs, content_digest
from embedbridge.testing import tiny_png

PNG = tiny_png()
ANYTHING: dict[str, Any] = {"int": 5, "str": "cat.png", "bytes": PNG}
DATA_URL = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"


def pixels(fill: int = 7, shape: tuple[int, ...] = (2, 3, 3)) -> Any:
    return np.full(shape, fill, dtype=np.uint8)


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(Image.from_bytes(PNG), id="bytes"),
        pytest.param(Image.from_bytes(bytearray(PNG)), id="bytearray"),
        pytest.param(Image.from_bytes(memoryview(PNG)), id="memoryview"),
        pytest.param(Image.from_base64(base64.b64encode(PNG).decode()), id="base64"),
        pytest.param(Image.from_data_url(DATA_URL), id="data URL"),
        pytest.param(
            Image.from_data_url(DATA_URL.replace("data:image/png", "DATA:Image/PNG")),
            id="data URL in capitals",
        ),
    ],
)
def test_the_same_file_is_the_same_image_however_it_arrives(image: Image, tmp_path: Path) -> None:
    """Path, bytes, base64 and data URL of one file have one digest."""
    file = tmp_path / "image.png"
    file.write_bytes(PNG)

    assert image.encoded() == PNG
    assert image.digest() == Image.from_path(file).digest()


@pytest.mark.parametrize(
    ("make", "piece"),
    [
        pytest.param(lambda: Image.from_bytes(b""), "0 bytes", id="no bytes"),
        pytest.param(lambda: Image.from_bytes(ANYTHING["int"]), "int", id="a number for bytes"),
        pytest.param(lambda: Image.from_bytes(ANYTHING["str"]), "str", id="a text for bytes"),
        pytest.param(lambda: Image.from_base64("not base64!"), "base64", id="foreign characters"),
        pytest.param(lambda: Image.from_base64("abc"), "base64", id="wrong length"),
        pytest.param(lambda: Image.from_base64(""), "0 bytes", id="empty base64"),
        pytest.param(lambda: Image.from_base64("ä" * 4), "base64", id="not ASCII"),
        pytest.param(lambda: Image.from_data_url("data:text/plain,hi"), "data URL", id="text URL"),
        pytest.param(lambda: Image.from_data_url("data:image/png,hi"), "data URL", id="no base64"),
        pytest.param(lambda: Image.from_data_url("cat.png"), "data URL", id="path for a data URL"),
        pytest.param(lambda: Image.from_url("file:///etc/passwd"), "http", id="file URL"),
        pytest.param(lambda: Image.from_url("ftp://host/cat.png"), "http", id="ftp URL"),
        pytest.param(lambda: Image.from_url("cat.png"), "http", id="path for a URL"),
        pytest.param(lambda: Image.from_pil(ANYTHING["str"]), "str", id="text for a PIL image"),
        pytest.param(
            lambda: Image.from_pil(ANYTHING["bytes"]), "bytes", id="bytes for a PIL image"
        ),
        pytest.param(lambda: Image.from_array(pixels(shape=(3, 4, 4, 3))), "(3, 4, 4, 3)", id="4d"),
        pytest.param(lambda: Image.from_array(pixels(shape=(3, 20, 20))), "(3, 20, 20)", id="CHW"),
        pytest.param(lambda: Image.from_array(pixels(shape=(0, 3))), "(0, 3)", id="empty array"),
        pytest.param(lambda: Image.from_array(pixels().astype(int)), "int64", id="integers"),
        pytest.param(lambda: Image.from_array(pixels() / 2), "0–1", id="floats above 1"),
        pytest.param(lambda: Image.from_array(pixels() * np.nan), "0–1", id="NaN"),
    ],
)
def test_a_wrong_source_is_refused_when_the_image_is_made(make: Any, piece: str) -> None:
    """The error comes where the mistake is, is typed, and names what was wrong in short."""
    with pytest.raises(InvalidImageError) as caught:
        make()

    assert piece in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_huge_bad_value_is_shown_in_short() -> None:
    """A message never echoes a whole image."""
    with pytest.raises(InvalidImageError) as caught:
        Image.from_base64("!" * 1_000_000)

    assert len(str(caught.value)) < 300


def test_an_image_is_not_opened_before_it_is_needed(tmp_path: Path) -> None:
    """Naming a file or a URL does no I/O; reading a missing file is then a typed error."""
    missing = Image.from_path(tmp_path / "missing.png")

    with pytest.raises(InvalidImageError, match=r"cannot be read.*missing\.png"):
        missing.encoded()


def test_an_empty_file_is_no_image(tmp_path: Path) -> None:
    """Zero bytes are reported as such, with the file's name."""
    file = tmp_path / "empty.png"
    file.touch()

    with pytest.raises(InvalidImageError, match=r"0 bytes.*empty\.png"):
        Image.from_path(file).digest()


def test_urls_are_not_fetched() -> None:
    """An image URL is refused when it would have to be read, without its query."""
    image = Image.from_url("https://example.org/cat.png?token=s3cret")

    with pytest.raises(InvalidImageError) as caught:
        image.digest()

    assert "s3cret" not in str(caught.value)
    assert "s3cret" not in repr(image)


def test_pixels_do_not_change_under_our_hands() -> None:
    """An array is copied: what the caller does to it later has no effect."""
    array = pixels()
    image = Image.from_array(array)
    before = image.digest()
    array[:] = 0

    assert image.digest() == before


@pytest.mark.parametrize(
    "others",
    [
        pytest.param([pixels(), pixels(8)], id="values"),
        pytest.param([pixels(shape=(2, 6)), pixels(shape=(6, 2)), pixels(shape=(3, 4))], id="size"),
        pytest.param([pixels(0, (2, 2)), np.zeros((2, 2), np.float64)], id="type"),
        pytest.param([pixels(0, (2, 3)), pixels(0, (2, 3, 1))], id="channels"),
    ],
)
def test_different_pixels_have_different_digests(others: list[Any]) -> None:
    """Size, channels and type are part of the content: 30×150 is not 150×30."""
    digests = {Image.from_array(array).digest() for array in others}

    assert len(digests) == len(others)


def test_pil_images_differ_by_mode_size_and_pixels() -> None:
    """The same bytes in another mode or size are another image."""
    pil = pytest.importorskip("PIL.Image")
    images = [
        pil.frombytes("L", (2, 6), bytes(12)),
        pil.frombytes("L", (6, 2), bytes(12)),
        pil.frombytes("RGB", (2, 2), bytes(12)),
        pil.frombytes("RGB", (2, 2), bytes(range(12))),
    ]

    assert len({Image.from_pil(image).digest() for image in images}) == len(images)


def test_palette_images_differ_by_their_palette() -> None:
    """The pixels of a palette image are only numbers of colours: the colours count too."""
    pil = pytest.importorskip("PIL.Image")
    red, blue = (pil.new("P", (2, 2)) for _ in range(2))
    red.putpalette([255, 0, 0])
    blue.putpalette([0, 0, 255])

    assert Image.from_pil(red).digest() != Image.from_pil(blue).digest()


@pytest.mark.parametrize("mode", ["P", "L"])
def test_the_transparent_colour_is_part_of_an_image(mode: str) -> None:
    """Which colour is transparent changes what the image shows."""
    pil = pytest.importorskip("PIL.Image")
    plain, clear = (pil.new(mode, (2, 2)) for _ in range(2))
    clear.info["transparency"] = 0

    assert Image.from_pil(plain).digest() != Image.from_pil(clear).digest()


def test_a_truncated_pil_image_is_a_typed_error() -> None:
    """Pillow decodes late; its `OSError` becomes ours."""
    pil = pytest.importorskip("PIL.Image")
    image = Image.from_pil(pil.open(io.BytesIO(tiny_png(size=64)[:-30])))

    with pytest.raises(InvalidImageError):
        image.digest()


def test_images_of_one_source_are_equal(tmp_path: Path) -> None:
    """Equal sources are one image for the engine; the same pixels twice in memory are two."""
    array = pixels()
    assert Image.from_bytes(PNG) == Image.from_bytes(bytes(PNG))
    assert len({Image.from_path(tmp_path), Image.from_path(str(tmp_path))}) == 1
    assert Image.from_array(array) != Image.from_array(array)
    assert Image.from_bytes(PNG) != Image.from_url("https://example.org/")


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
    assert Mixed("a", image).digest() != Mixed(image, "a").digest()


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


def test_no_two_kinds_of_content_have_one_digest() -> None:
    """A text, the same text in a mixed input, and an image of those bytes all differ."""
    contents: list[Any] = [
        "a",
        "",
        Mixed("a"),
        Mixed(""),
        Mixed("a", ""),
        Mixed("", "a"),
        Mixed("a", "a"),
        Image.from_bytes(b"a"),
        Mixed(Image.from_bytes(b"a")),
        Image.from_array(pixels(97, (1, 1))),
    ]

    assert len({content_digest(content) for content in contents}) == len(contents)


def test_any_text_has_a_digest() -> None:
    """Lone surrogates, too, and each its own."""
    assert content_digest("\ud800") != content_digest("\udfff")


def test_are_inputs_knows_what_can_be_embedded() -> None:
    """A list with anything else in it is not taken for inputs."""
    assert are_inputs(["a", Text("b"), Image.from_bytes(PNG), Mixed("c")])
    assert not are_inputs(["a", None])
