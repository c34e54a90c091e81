"""The same picture has the same pixels by every route, whatever is special about its file."""

from __future__ import annotations

import base64
import io
import os
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import PIL.Image
import PIL.ImageFile
import pytest

from embedbridge.contract import Image, InvalidImageError
from embedbridge.core.images.decode import open_image
from embedbridge.core.images.rules import ImageRules
from embedbridge.testing.image_files import encoded, held, png, png_chunk, the_picture, variants

FILES = variants()
RULES = ImageRules()
Serve: TypeAlias = Callable[[bytes], tuple[str, ImageRules]]


def pixels_of(image: Image, rules: ImageRules = RULES) -> Any:
    return open_image(image, rules).decode().to_array()


def opened(data: bytes) -> PIL.Image.Image:
    return PIL.Image.open(io.BytesIO(data))


def in_memory(data: bytes) -> PIL.Image.Image:
    """What a program has after it has looked at the file: decoded, upright, no file."""
    from PIL import ImageOps

    return ImageOps.exif_transpose(opened(data))


@pytest.fixture(scope="module")
def serve() -> Iterator[Serve]:
    """Puts a file on a web server; gives its URL, and rules that allow it."""
    files: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = files[self.path]
            self.send_response(200)
            self.send_header("Content-Type", "image/anything")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server: socketserver.TCPServer = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    place = f"127.0.0.1:{server.server_address[1]}"

    def put(data: bytes) -> tuple[str, ImageRules]:
        name = f"/{len(files)}"
        files[name] = data
        return f"http://{place}{name}", ImageRules(allow_urls=(place,))

    yield put
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("name", FILES)
def test_the_routes_of_one_picture_do_not_differ(name: str, tmp_path: Path, serve: Serve) -> None:
    """Path, bytes, file object, Pillow, array, base64, data URL and URL: difference 0."""
    data = FILES[name]
    file = tmp_path / "image"  # its name tells nothing
    file.write_bytes(data)
    text = base64.b64encode(data).decode()
    url, rules = serve(data)
    here = pixels_of(Image.from_bytes(data))
    with file.open("rb") as stream:
        from_stream = Image.from_file(stream)
    routes = {
        "path": Image.from_path(file),
        "path as text": Image.from_path(str(file)),
        "bytearray": Image.from_bytes(bytearray(data)),
        "file object": from_stream,
        "BytesIO": Image.from_file(io.BytesIO(data)),
        "PIL, opened": Image.from_pil(opened(data)),
        "PIL, in memory": Image.from_pil(in_memory(data)),
        "array": Image.from_array(here),
        "array of floats": Image.from_array(here.astype(np.float32) / 255),
        "base64": Image.from_base64(text),
        "data URL": Image.from_data_url(f"data:image/x;base64,{text}"),
        "URL": Image.from_url(url),
    }
    differing = {
        route: np.abs(pixels_of(image, rules).astype(int) - here).max()
        for route, image in routes.items()
    }

    assert differing == dict.fromkeys(routes, 0)
    assert len(FILES) >= 30


@pytest.mark.parametrize("name", FILES)
def test_the_header_tells_the_size_of_the_decoded_picture(name: str) -> None:
    """Batches are planned by it."""
    image = open_image(Image.from_bytes(FILES[name]), RULES)

    assert image.decode().size == image.size


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_photo_stands_upright(turn: int) -> None:
    """All eight ways to hold a camera, by file and by Pillow image (EXIF 3.0, 4.6.5.1.6)."""
    stored = the_picture()
    upright = {
        1: stored,
        2: stored[:, ::-1],
        3: stored[::-1, ::-1],
        4: stored[::-1],
        5: stored.transpose(1, 0, 2),
        6: np.rot90(stored, -1),
        7: stored[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(stored),
    }[turn]
    picture = PIL.Image.fromarray(stored)
    data = encoded(picture, "PNG", exif=held(turn))
    picture.getexif()[0x0112] = turn

    for image in (Image.from_bytes(data), Image.from_pil(opened(data)), Image.from_pil(picture)):
        assert (pixels_of(image) == upright).all()


def test_only_exif_turns_a_picture() -> None:
    """XMP says it too, but viewers do not ask it: not for a file, and not for its Pillow image."""
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r tiff:Orientation="6"/></x:xmpmeta>'
    data = encoded(PIL.Image.fromarray(the_picture()), "WEBP", lossless=True, xmp=xmp)

    for image in (Image.from_bytes(data), Image.from_pil(opened(data))):
        assert (pixels_of(image) == the_picture()).all()


@pytest.mark.parametrize("kind", [np.uint8, np.float16, np.float32, np.float64])
def test_grey_arrays_are_grey_pictures(kind: Any) -> None:
    """With or without an axis for their one channel."""
    levels = np.array([[0, 51, 102], [153, 204, 255]], np.uint8)
    array = levels if kind is np.uint8 else (levels / 255).astype(kind)

    for shaped in (array, array[:, :, np.newaxis]):
        assert (pixels_of(Image.from_array(shaped)) == levels[:, :, np.newaxis]).all()


def test_a_picture_is_turned_once(tmp_path: Path) -> None:
    """Nothing is left in the pixels that would make somebody turn them again."""
    for data in (FILES["jpeg held 6"], FILES["tiff held on its side"]):
        for image in (Image.from_bytes(data), Image.from_pil(opened(data))):
            picture = open_image(image, RULES).decode().pixels

            assert picture.info == {}
            assert not picture.getexif()


def test_what_is_transparent_is_white() -> None:
    """Colours under alpha 0 are no part of the picture, however it arrives."""
    hidden = np.full((4, 4, 4), 200, np.uint8)
    hidden[:, :, 3] = 0
    picture = PIL.Image.fromarray(hidden)
    indexed = PIL.Image.new("P", (4, 4), 1)
    indexed.putpalette([0, 0, 0, 200, 100, 50])
    ways = [
        Image.from_array(hidden),
        Image.from_array(hidden / 255),
        Image.from_pil(picture),
        Image.from_pil(picture.convert("LA")),
        Image.from_pil(picture.convert("RGBa")),
        Image.from_bytes(encoded(picture, "PNG")),
        Image.from_bytes(encoded(picture, "WEBP", lossless=True, exact=True)),
        Image.from_bytes(encoded(picture, "TIFF")),
        Image.from_bytes(encoded(picture.convert("LA"), "PNG")),
        Image.from_bytes(encoded(indexed, "PNG", transparency=1)),
        Image.from_bytes(encoded(indexed, "GIF", transparency=1)),
        Image.from_bytes(encoded(PIL.Image.new("L", (4, 4), 9), "PNG", transparency=9)),
        Image.from_bytes(encoded(PIL.Image.new("1", (4, 4), 0), "PNG", transparency=0)),
        Image.from_bytes(
            encoded(PIL.Image.new("RGB", (4, 4), "red"), "PNG", transparency=(255, 0, 0))
        ),
        Image.from_bytes(encoded(PIL.Image.new("I;16", (4, 4), 999), "PNG", transparency=999)),
    ]

    assert [pixels_of(image).min() for image in ways] == [255] * len(ways)


def test_half_transparent_is_half_white() -> None:
    """Black with alpha 0–255 is grey, to the last of 256 steps."""
    alpha = np.arange(256, dtype=np.uint8)
    ramp = np.zeros((1, 256, 4), np.uint8)
    ramp[0, :, 3] = alpha

    assert (pixels_of(Image.from_array(ramp))[0, :, 0] == 255 - alpha).all()


def test_a_transparent_grey_of_few_bits_is_white() -> None:
    """PNG counts levels in its own bits, of which Pillow makes 8."""
    header = b"\0\0\0\x04\0\0\0\x01\x02\0\0\0\0"  # 4 × 1 pixels, 2 bits, grey
    import zlib

    data = b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            png_chunk(b"IHDR", header),
            png_chunk(b"tRNS", b"\0\x01"),
            png_chunk(b"IDAT", zlib.compress(b"\0" + bytes([0b00_01_10_11]))),
            png_chunk(b"IEND", b""),
        ]
    )

    assert pixels_of(Image.from_bytes(data))[0, :, 0].tolist() == [0, 255, 170, 255]


def test_a_transparent_colour_of_16_bits_is_refused() -> None:
    """Pillow cannot tell it from its neighbours, and what is hidden is never shown."""
    chunk = png_chunk(b"tRNS", bytes(range(6)))
    data = png(the_picture().astype(np.uint16) * 257, depth=16, chunks=chunk)

    for image in (Image.from_bytes(data), Image.from_pil(opened(data))):
        with pytest.raises(InvalidImageError, match="16 bits"):
            pixels_of(image)


@pytest.mark.parametrize(
    ("mode", "values", "expected"),
    [
        ("I;16", [0, 128, 129, 257, 65535], [0, 0, 1, 1, 255]),
        ("I;16L", [0, 128, 129, 257, 65535], [0, 0, 1, 1, 255]),
        ("I;16B", [0, 128, 129, 257, 65535], [0, 0, 1, 1, 255]),
        ("I", [0, 1, 127, 254, 255], [0, 1, 127, 254, 255]),
        ("I", [0, 257, 65534, 65535, 514], [0, 1, 255, 255, 2]),
        ("I", [-100, 0, 50, 100, 155], [0, 100, 150, 200, 255]),
        ("I", [0, 2**31 - 1, 2**30, 0, 0], [0, 255, 128, 0, 0]),
        ("F", [0.0, 0.5, 1.0, 0.25, 0.002], [0, 128, 255, 64, 1]),
        ("F", [0.0, 0.5, 255.0, 254.4, 1.0], [0, 0, 255, 254, 1]),
        ("F", [0.0, 65535.0, 257.0, 0.0, 0.0], [0, 255, 1, 0, 0]),
        ("F", [-1.0, 0.0, 1.0, 0.5, -0.5], [0, 128, 255, 191, 64]),
    ],
)
def test_deep_greys_are_scaled(mode: str, values: list[float], expected: list[int]) -> None:
    """65535 is white, and so is 1.0; nothing is cut off at 255."""
    picture = PIL.Image.new(mode, (len(values), 1))
    for x, value in enumerate(values):
        picture.putpixel((x, 0), value)

    found = pixels_of(Image.from_pil(picture))

    assert found[0].tolist() == [[level] * 3 for level in expected]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_are_not_finite_are_no_picture(value: float) -> None:
    """They have no place on any scale."""
    picture = PIL.Image.new("F", (2, 2))
    picture.putpixel((0, 0), value)

    with pytest.raises(InvalidImageError, match="finite"):
        pixels_of(Image.from_pil(picture))


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "PA", "RGBA", "RGBX", "RGBa", "La", "CMYK", "YCbCr", "HSV", "LAB"]
)
def test_every_mode_becomes_rgb(mode: str) -> None:
    """White stays white and black stays black, in whatever numbers they are written."""
    picture = PIL.Image.new("RGB", (2, 1), "white")
    picture.putpixel((1, 0), (0, 0, 0))
    if mode in ("La", "RGBa"):
        picture = picture.convert({"La": "LA", "RGBa": "RGBA"}[mode])
    if mode == "LAB":
        picture = PIL.Image.frombytes("LAB", (2, 1), bytes([255, 0, 0, 0, 0, 0]))
    elif picture.mode != mode:
        picture = picture.convert(mode)

    found = pixels_of(Image.from_pil(picture)).astype(int)

    assert np.abs(found - [[[255] * 3, [0] * 3]]).max() <= 2


def test_an_animation_is_its_first_frame() -> None:
    """The frame one sees first, and nothing of those that follow."""
    still, moving = pixels_of(Image.from_bytes(FILES["png"])), FILES["png animated"]

    assert (pixels_of(Image.from_bytes(moving)) == still).all()
    assert opened(moving).n_frames == 2  # type: ignore[attr-defined]  # an APNG has it
    for name in ("gif", "webp"):
        first = opened(FILES[f"{name} animated"]).convert("RGB")
        found = pixels_of(Image.from_bytes(FILES[f"{name} animated"]))
        assert (found == np.asarray(first)).all()


@pytest.mark.parametrize("name", FILES)
def test_a_kept_file_shows_exactly_the_pixels(name: str) -> None:
    """What a server is sent is what a local model sees: else it gets a PNG."""
    loaded = open_image(Image.from_bytes(FILES[name]), RULES).decode()
    types = ("image/png", "image/jpeg", "image/webp", "image/gif", "image/tiff")
    data, media_type = loaded.encoded(types)
    sent = opened(data)

    assert PIL.Image.MIME[str(sent.format)] == media_type
    assert not sent.getexif()
    assert not getattr(sent, "is_animated", False)
    assert sent.mode in ("1", "L", "P", "RGB")
    assert (np.asarray(sent.convert("RGB")) == loaded.to_array()).all()


def test_a_plain_jpeg_is_not_encoded_again() -> None:
    """A photo for a server travels as it is, without what it says about its owner."""
    exif = held(1)
    exif[0x010F] = "A camera's maker"
    data = encoded(PIL.Image.fromarray(the_picture()), "JPEG", exif=exif, comment=b"secret")
    loaded = open_image(Image.from_bytes(data), RULES).decode()

    file, media_type = loaded.encoded(("image/jpeg",))

    assert media_type == "image/jpeg"
    assert b"camera" in data
    assert b"camera" not in file
    assert b"secret" not in file


def test_a_file_for_a_server_has_a_limit() -> None:
    """The original if it fits, else a PNG, else an error that names the image."""
    noise = np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    loaded = open_image(Image.from_array(noise), RULES).decode()

    assert len(loaded.encoded(max_bytes=20_000)[0]) > 10_000
    with pytest.raises(InvalidImageError, match=r"more than 10000.*array of shape"):
        loaded.encoded(max_bytes=10_000)


def test_an_image_is_recognised_before_it_is_decoded() -> None:
    """Equal digests mean equal pixels: metadata does not count, the turn does."""
    names = ["jpeg", "jpeg held 1", "jpeg held 2", "png", "png animated", "webp"]
    digests = [open_image(Image.from_bytes(FILES[name]), RULES).digest() for name in names]

    assert digests[0] == digests[1] != digests[2]
    assert digests[3] == digests[4]
    assert len(set(digests)) == 4


def test_pixels_in_memory_are_known_by_what_they_show() -> None:
    """Mode, palette, transparent colour and EXIF turn all have their part in it."""
    picture = PIL.Image.fromarray(the_picture())
    turned, palette, clear = picture.copy(), picture.quantize(8), picture.quantize(8)
    turned.getexif()[0x0112] = 3
    clear.info["transparency"] = 0
    pictures = [picture, turned, palette, clear, picture.convert("L"), picture.rotate(90)]
    digests = [open_image(Image.from_pil(one), RULES).digest() for one in pictures]

    assert len(set(digests)) == len(pictures)
    assert open_image(Image.from_array(the_picture()), RULES).digest() == digests[0]


def test_the_rules_limit_bytes_pixels_and_sides() -> None:
    """Each limit holds to the last one, for files and for pixels in memory."""
    data = FILES["png"]
    sources = [
        Image.from_bytes(data),
        Image.from_pil(opened(data)),
        Image.from_array(the_picture()),
    ]
    open_image(sources[0], ImageRules(max_bytes=len(data), max_pixels=2400, min_side=40))

    with pytest.raises(InvalidImageError, match="max_image_bytes"):
        open_image(sources[0], ImageRules(max_bytes=len(data) - 1))
    for source in sources:
        with pytest.raises(InvalidImageError, match=r"60 × 40 pixels, more than 2399"):
            open_image(source, ImageRules(max_pixels=2399))
        with pytest.raises(InvalidImageError, match="41 at least"):
            open_image(source, ImageRules(min_side=41))


def test_an_old_bitmap_is_a_picture() -> None:
    """BMP of OS/2, whose header has 12 bytes."""
    rows = the_picture(4, 4)[::-1, :, ::-1].tobytes()  # from the bottom, as blue, green, red
    data = b"BM" + struct.pack("<IHHIIHHHH", 26 + len(rows), 0, 0, 26, 12, 4, 4, 1, 24) + rows

    assert (pixels_of(Image.from_bytes(data)) == the_picture(4, 4)).all()


@pytest.mark.parametrize("size", [(1, 1), (5000, 1), (1, 5000)])
def test_small_and_thin_pictures_are_pictures(size: tuple[int, int]) -> None:
    """What a model makes of them is the model's business."""
    assert open_image(Image.from_pil(PIL.Image.new("RGB", size)), RULES).decode().size == size


def test_a_picture_without_pixels_is_none() -> None:
    """0 × 0 is refused, not divided by."""
    with pytest.raises(InvalidImageError, match="0 × 0"):
        open_image(Image.from_pil(PIL.Image.new("RGB", (0, 0))), RULES)


def test_decoding_runs_in_threads() -> None:
    """The same images at once, also those that share one Pillow image that is not loaded yet."""
    shared = Image.from_pil(opened(FILES["png"]))
    images = [Image.from_bytes(data) for data in FILES.values()] + [shared] * 8
    expected = [pixels_of(image) for image in images[: len(FILES)]]
    expected += [expected[list(FILES).index("png")]] * 8
    with ThreadPoolExecutor(8) as pool:
        for found, wanted in zip(pool.map(pixels_of, images * 3), expected * 3, strict=True):
            assert (found == wanted).all()


def test_the_callers_image_is_left_alone() -> None:
    """Neither its pixels nor what it knows about itself change."""
    picture = opened(FILES["jpeg held 6"])
    pixels_of(Image.from_pil(picture))

    assert picture.size == (60, 40)
    assert "exif" in picture.info


def test_pillow_has_no_opinion_about_size() -> None:
    """Its own limits and warnings belong to the program; ours are the rules."""
    size = (9500, 9500)  # 90 megapixels, where Pillow warns
    data = encoded(PIL.Image.new("1", size, 1), "PNG")

    assert open_image(Image.from_bytes(data), ImageRules(max_pixels=100_000_000)).size == size
    assert PIL.Image.MAX_IMAGE_PIXELS == 89_478_485


@pytest.mark.skipif(os.name == "nt", reason="a path is a path")
def test_a_path_may_be_any_name(tmp_path: Path) -> None:
    """Not even valid UTF-8."""
    file = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff cat"))
    file.write_bytes(FILES["png"])

    assert pixels_of(Image.from_path(str(file))).shape == (40, 60, 3)
