"""Files that are broken, forbidden or traps are refused early, cheaply, and with their reason."""

from __future__ import annotations

import io
import os
import pickle
import random
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageFile
import PIL.PngImagePlugin
import pytest

from embedbridge.contract import Image, InvalidImageError, MissingDependencyError
from embedbridge.core.images.decode import open_image
from embedbridge.core.images.rules import ImageRules
from embedbridge.testing.image_files import (
    bomb,
    encoded,
    held,
    png,
    png_chunk,
    the_picture,
    variants,
)

FILES = variants()
RULES = ImageRules()
PICTURE = PIL.Image.fromarray(the_picture())
MANY = {name for name in FILES if "animated" in name or "several" in name or "two pages" in name}
CUTS = [
    (name, part)
    for name in FILES
    for part in (0.02, 0.3, 0.6, 0.95)
    if part < 0.5 or name not in MANY  # where the first of several pictures may be whole
]


def decode(data: bytes, rules: ImageRules = RULES) -> PIL.Image.Image:
    return open_image(Image.from_bytes(data), rules).decode().pixels


def refused(data: bytes, rules: ImageRules = RULES) -> InvalidImageError:
    with pytest.raises(InvalidImageError) as caught:
        decode(data, rules)
    assert len(str(caught.value)) <= 200
    assert " at 0x" not in str(caught.value)
    return caught.value


# Formats.


@pytest.mark.parametrize(
    ("data", "name"),
    [
        pytest.param(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "EPS", id="EPS"),
        pytest.param(b"\xc5\xd0\xd3\xc6" + bytes(40), "EPS", id="EPS with a preview"),
        pytest.param(b"%PDF-1.7\n", "PDF", id="PDF"),
        pytest.param(b"8BPS\0\1" + bytes(40), "PSD", id="PSD"),
        pytest.param(b'<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG", id="SVG"),
        pytest.param(b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- x -->\n<SVG>', "SVG", id="SVG, XML"),
        pytest.param(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC", id="HEIC"),
        pytest.param(b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "HEIC", id="HEIF"),
        pytest.param(b"\0\0\0\x18ftypisom\0\0\0\0isommp42", "film", id="MP4"),
        pytest.param(b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(40), "JPEG 2000", id="JPEG 2000"),
        pytest.param(b"\xff\x0a" + bytes(40), "JPEG XL", id="JPEG XL"),
        pytest.param(b"\0\0\1\0\1\0" + bytes(40), "ICO", id="ICO"),
        pytest.param(b"P6\n1 1\n255\nabc", "PNM", id="PPM"),
        pytest.param(b"RIFF\4\0\0\0WAVE", "unknown data", id="WAV"),
        pytest.param(b"<!DOCTYPE html><html>Please log in", "HTML", id="a captive portal"),
        pytest.param(b'{"error": "not found"}', "JSON", id="an API's error"),
        pytest.param("Kein Bild, nur ein Text mit Ü.".encode(), "text", id="text"),
        pytest.param(b"\x1f\x8b\x08", "gzip", id="gzip"),
        pytest.param(bytes(100), "unknown data", id="zeros"),
        pytest.param(b"a", "text", id="one byte"),
        pytest.param(b"GIF88a" + bytes(99), "unknown data", id="almost a GIF"),
    ],
)
def test_other_formats_are_refused_by_name(data: bytes, name: str, tmp_path: Path) -> None:
    """By their content: no other program, no other decoder of Pillow is ever started."""
    file = tmp_path / "picture.png"
    file.write_bytes(data)

    assert name in str(refused(data))
    with pytest.raises(InvalidImageError, match=r"not supported.*picture\.png"):
        open_image(Image.from_path(file), RULES)


def test_an_unloaded_pillow_image_of_another_format_is_refused() -> None:
    """Loading an EPS would start Ghostscript; a program that wants that loads it itself."""
    eps = PIL.Image.open(io.BytesIO(encoded(PICTURE, "EPS")))
    ppm = PIL.Image.open(io.BytesIO(encoded(PICTURE, "PPM")))

    with pytest.raises(InvalidImageError, match="EPS"):
        open_image(Image.from_pil(eps), RULES)
    with pytest.raises(InvalidImageError, match="PPM"):
        open_image(Image.from_pil(ppm), RULES)
    ppm.load()
    assert open_image(Image.from_pil(ppm), RULES).decode().size == (60, 40)


# Broken files.


@pytest.mark.parametrize(("name", "part"), CUTS)
def test_a_truncated_file_is_an_error(name: str, part: float) -> None:
    """No grey is made up for what is missing."""
    data = FILES[name]
    cut = data[: int(len(data) * part)]

    error = refused(cut)

    assert error.source == f"{len(cut)} bytes"


def pixels_that_end_early() -> dict[str, bytes]:
    """Files whose structure is complete, and whose pixels are not."""
    lines = zlib.compress(b"".join(b"\0" + line.tobytes() for line in the_picture()))
    header, end = FILES["png"][:33], png_chunk(b"IEND", b"")
    short_png = header + png_chunk(b"IDAT", lines[: len(lines) // 2]) + end
    short_jpeg = FILES["jpeg"][:-40]
    bmp = FILES["bmp"][:-200]
    tiff = bytearray(FILES["tiff"])
    place = tiff.index(struct.pack("<HH", 257, 4))
    tiff[place + 8 : place + 12] = struct.pack("<I", 4000)  # the height

    return {"png": short_png, "jpeg": short_jpeg, "bmp": bmp, "tiff": bytes(tiff)}


@pytest.mark.parametrize("name", ["png", "jpeg", "bmp", "tiff"])
def test_pixels_that_end_early_are_an_error(name: str) -> None:
    """Also where the file's own structure is whole."""
    refused(pixels_that_end_early()[name])


def test_a_program_may_want_truncated_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who sets Pillow's own global gets what Pillow then does, and it stays set."""
    monkeypatch.setattr(PIL.ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    short = pixels_that_end_early()["bmp"]

    assert decode(short).size == (60, 40)
    assert open_image(Image.from_pil(PIL.Image.open(io.BytesIO(short))), RULES).size == (60, 40)
    assert PIL.ImageFile.LOAD_TRUNCATED_IMAGES is True


def test_filled_pixels_are_not_for_strict_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """They may share a cache, where the vector of a truncated file would pass for one of its picture."""
    short = Image.from_bytes(pixels_that_end_early()["png"])
    strict = open_image(short, RULES).digest()
    monkeypatch.setattr(PIL.ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    filled = open_image(short, RULES).digest()

    assert filled != strict
    assert filled == open_image(short, RULES).digest()


def within_with(file: Path) -> PIL.Image.Image:
    with PIL.Image.open(file) as picture:
        return picture


def closed_itself(file: Path) -> PIL.Image.Image:
    picture = PIL.Image.open(file)
    picture.close()
    return picture


def closed_beneath(file: Path) -> PIL.Image.Image:
    with file.open("rb") as stream:
        return PIL.Image.open(stream)


def closed_in_memory(file: Path) -> PIL.Image.Image:
    picture = PIL.Image.open(file)
    picture.load()
    picture.close()
    return picture


CLOSED = [within_with, closed_itself, closed_beneath, closed_in_memory]


@pytest.mark.parametrize("close", CLOSED)
def test_a_closed_pillow_image_is_named(
    close: Callable[[Path], PIL.Image.Image], tmp_path: Path
) -> None:
    """Its file is whole; what is to be done is to read it in time."""
    file = tmp_path / "a.png"
    file.write_bytes(FILES["png"])

    with pytest.raises(InvalidImageError, match=r"was closed before.* load\(\) or copy\(\)"):
        open_image(Image.from_pil(close(file)), RULES)


def test_a_loaded_pillow_image_outlives_its_file(tmp_path: Path) -> None:
    """Truncated is not closed, and a closed file is nothing to a picture that was read."""
    file = tmp_path / "a.png"
    file.write_bytes(FILES["png"])
    with PIL.Image.open(file) as picture:
        picture.load()
    short = io.BytesIO(pixels_that_end_early()["png"])

    assert open_image(Image.from_pil(picture), RULES).size == picture.size
    with pytest.raises(InvalidImageError, match="Check that it is complete"):
        open_image(Image.from_pil(PIL.Image.open(short)), RULES)


JPEGS: dict[str, tuple[PIL.Image.Image, dict[str, Any]]] = {
    "three colours": (PICTURE, {"quality": 90}),
    "half the colours": (PICTURE, {"subsampling": 2}),
    "restart markers": (PICTURE, {"restart_marker_blocks": 1}),
    "grey": (PICTURE.convert("L"), {}),
    "four colours": (PICTURE.convert("CMYK"), {}),
    "optimised": (PICTURE, {"optimize": True}),
    "progressive": (PICTURE, {"progressive": True}),
}


@pytest.mark.parametrize("name", JPEGS)
def test_a_cut_jpeg_is_the_whole_picture_or_an_error(name: str) -> None:
    """Wherever it ends, also between its last pixel and its end marker: never another picture."""
    picture, options = JPEGS[name]
    data = encoded(picture, "JPEG", **options)
    whole = np.asarray(decode(data))
    for end in [*range(2, len(data) - 60, 37), *range(len(data) - 60, len(data))]:
        try:
            pixels = decode(data[:end])
        except InvalidImageError:
            continue
        assert np.array_equal(np.asarray(pixels), whole)


@pytest.mark.parametrize(
    "behind",
    [
        pytest.param(bytes(64), id="zeros"),
        pytest.param(b"dhav\x59\x19\x01\x00", id="a maker's trailer"),
        pytest.param(b"\xff\x00\xff\xd0", id="what is no marker of an end"),
    ],
)
@pytest.mark.parametrize("name", ["three colours", "restart markers", "grey"])
def test_a_jpeg_without_its_end_marker_is_taken(name: str, behind: bytes) -> None:
    """Cameras write zeros or their own bytes there: the decoder finds all pixels, so it is the picture."""
    picture, options = JPEGS[name]
    data = encoded(picture, "JPEG", **options)
    opened = open_image(Image.from_bytes(data[:-2] + behind), RULES)
    loaded = opened.decode()

    assert np.array_equal(loaded.to_array(), np.asarray(decode(data)))
    assert loaded.encoded(("image/jpeg",))[1] == "image/png"  # a server gets a whole file


def test_a_truncated_pillow_image_is_an_error() -> None:
    """Pillow decodes late; its `OSError` becomes ours."""
    picture = PIL.Image.open(io.BytesIO(FILES["png"][:-60]))

    with pytest.raises(InvalidImageError, match="PIL image"):
        open_image(Image.from_pil(picture), RULES)


def test_a_pixel_that_was_changed_on_the_way_is_an_error() -> None:
    """PNG has checksums, and they are looked at."""
    data = bytearray(FILES["png"])
    data[data.index(b"IDAT") + 40] ^= 1

    assert "checksum" in str(refused(bytes(data)))


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("magic", ["png", "jpeg", "gif", "webp", "bmp", "tiff", "tiff big", "avif"])
def test_noise_behind_a_good_beginning_is_an_error(magic: str, seed: int) -> None:
    """Nothing but our own error comes out of any header."""
    noise = random.Random(seed).randbytes(3000)

    refused(FILES.get(magic, FILES["png"])[: random.Random(seed).choice([8, 12, 16])] + noise)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["jpeg", "webp", "png", "tiff", "avif"])
def test_broken_metadata_does_not_matter(name: str) -> None:
    """It is left out before Pillow could warn about it, or fail."""
    if name not in FILES:
        pytest.skip("this Pillow has no AVIF")
    broken = b"II*\0\x08\0\0\0" + struct.pack("<H", 200) + bytes(range(1, 255)) * 4
    options: dict[str, Any] = {"exif": b"Exif\0\0" + broken, "icc_profile": b"no profile at all"}
    if name == "tiff":
        options = {"tiffinfo": {34675: b"no profile", 33723: b"\xff" * 99}}
    if name == "avif":  # Pillow would not write it
        exif = held(1)
        exif[0x010F] = "a" * 900
        options = {"exif": exif}
    data = encoded(PICTURE, name.upper(), **options)
    if name == "avif":
        head = b"MM\0*\0\0\0\x08"
        assert head in data
        data = data.replace(head, head[:4] + b"\xff" * 4)
    plain = encoded(PICTURE, name.upper())

    assert len(data) > len(plain)
    assert decode(data).tobytes() == decode(plain).tobytes()


@pytest.mark.filterwarnings("error")
def test_a_tag_that_points_outside_the_file_does_not_matter() -> None:
    """Pillow alone would warn about each; only the tags that make pixels are left in a TIFF."""
    data = bytearray(encoded(PICTURE, "TIFF", tiffinfo={65000: "a" * 99}))
    entry = data.index(struct.pack("<HHI", 65000, 2, 100))
    struct.pack_into("<I", data, entry + 4, 1_000_000)

    assert decode(bytes(data)).tobytes() == decode(FILES["tiff"]).tobytes()


def test_broken_exif_of_a_pillow_image_does_not_matter() -> None:
    """Only its orientation is looked for."""
    picture = PICTURE.copy()
    picture.info["exif"] = b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\x01\x12\0\x09" * 9

    assert open_image(Image.from_pil(picture), RULES).decode().size == (60, 40)


def test_a_warning_that_is_an_error_is_our_error(recwarn: pytest.WarningsRecorder) -> None:
    """Nothing here makes Pillow warn."""
    for data in FILES.values():
        decode(data)

    assert not recwarn.list


def test_errors_pickle() -> None:
    """They come back from worker processes."""
    error = pickle.loads(pickle.dumps(refused(FILES["png"][:50])))

    assert "truncated" in str(error)


# Traps.


def two_sizes() -> dict[str, bytes]:
    """Files whose header says one thing and means another."""
    jpeg = FILES["jpeg"]
    frame = jpeg.index(b"\xff\xc0")
    end = frame + 2 + int.from_bytes(jpeg[frame + 2 : frame + 4])
    large = jpeg[frame : frame + 5] + b"\xff\xff\xff\xff" + jpeg[frame + 9 : end]
    gif = bytearray(FILES["gif"])
    gif[6:10] = b"\1\0\1\0"
    webp = bytearray(FILES["webp alpha"])
    webp[24:30] = b"\0\0\0\0\0\0"  # the canvas
    return {
        "jpeg": jpeg[:end] + large + jpeg[end:],
        "gif": bytes(gif),
        "webp": bytes(webp),
    }


def test_a_picture_is_as_large_as_it_says() -> None:
    """A second header is refused; a frame beyond the screen counts."""
    files = two_sizes()

    assert "two headers" in str(refused(files["jpeg"]))
    assert open_image(Image.from_bytes(files["gif"]), RULES).size == (60, 40)
    refused(files["webp"])


@pytest.mark.parametrize(
    ("tag", "value", "piece"),
    [
        pytest.param(256, 0, "0 × 40", id="no width"),
        pytest.param(277, 9, "9 samples", id="many samples"),
        pytest.param(278, 0, "no size", id="strips without rows"),
        pytest.param(278, 1, "truncated", id="too few strips"),
        pytest.param(273, 2**31, "cannot be decoded", id="strips elsewhere"),
    ],
)
def test_a_tiff_has_pieces_for_all_of_it(tag: int, value: int, piece: str) -> None:
    """Else Pillow would leave the rest black."""
    data = bytearray(FILES["tiff"])
    (start,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    for place in range(start + 2, start + 2 + 12 * count, 12):
        if struct.unpack_from("<H", data, place) == (tag,):
            (kind,) = struct.unpack_from("<H", data, place + 2)
            struct.pack_into("<H" if kind == 3 else "<I", data, place + 8, value)

    assert piece in str(refused(bytes(data)))


def text_bomb(name: bytes) -> bytes:
    """A PNG with 64 chunks that unpack to a megabyte each."""
    text = zlib.compress(bytes(1_000_000), 9)
    chunk = png_chunk(name, b"Comment\0\0" + (b"\0\0\0\0" if name == b"iTXt" else b"") + text)
    return png(the_picture(), chunks=chunk * 64)


def tiff_with_many_large_tags() -> bytes:
    """A grey page, and 2,000 tags that all point to the same megabyte."""
    page = {256: 60, 257: 40, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 40, 279: 2400}
    entries = [(tag, 4, 1, value) for tag, value in page.items()]
    entries += [(tag, 1, 1_000_000, 8) for tag in range(40_000, 42_000)]
    body = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    start = 8 + 1_000_000
    directory = struct.pack("<H", len(entries)) + body + bytes(4)
    return b"II*\0" + struct.pack("<I", start) + bytes(1_000_000) + directory


TRAPS = {
    "50k": bomb(50_000, 50_000, lines=100),
    "88M": bomb(9_400, 9_400),
    "169M": bomb(13_000, 13_000),
    "zTXt": text_bomb(b"zTXt"),
    "iTXt": text_bomb(b"iTXt"),
    "iCCP": png(the_picture(), chunks=png_chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(9_000_000)))),
    "tiff": tiff_with_many_large_tags(),
    "gif": FILES["gif"][:6] + b"\xff\xff\xff\xff" + FILES["gif"][10:],
    "gif comments": FILES["gif"][:13 + 192] + b"!\xfe\1a\0" * 400_000 + FILES["gif"][13 + 192 :],
    "webp": b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff",
}  # fmt: skip
REFUSED_TRAPS = {"50k", "88M", "169M", "gif", "gif comments", "webp"}

MEASURE = """
import resource, sys, tracemalloc
from pathlib import Path
from embedbridge.contract import Image, InvalidImageError
from embedbridge.core.images.decode import open_image
from embedbridge.core.images.rules import ImageRules

good, trap = map(Path, sys.argv[1:])
open_image(Image.from_path(good), ImageRules()).decode()  # everything is imported
tracemalloc.start()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    print(open_image(Image.from_path(trap), ImageRules()).decode().size)
except InvalidImageError as error:
    print(error)
python = tracemalloc.get_traced_memory()[1]
print(python, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


@pytest.mark.heavy
@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss counts in other units elsewhere")
@pytest.mark.parametrize("name", TRAPS)
def test_a_bomb_costs_almost_no_memory(name: str, tmp_path: Path) -> None:
    """It is refused on its header, or what would blow up is left out: 10 MB at most."""
    good, trap = tmp_path / "good", tmp_path / "trap"
    good.write_bytes(FILES["tiff" if name == "tiff" else "webp" if name == "webp" else "png"])
    trap.write_bytes(TRAPS[name])
    found = subprocess.run(
        [sys.executable, "-c", MEASURE, good, trap], capture_output=True, text=True, check=True
    )
    outcome, memory = found.stdout.rsplit("\n", 2)[:2]
    python, resident = map(int, memory.split())

    assert python <= 10_000_000
    assert resident <= 10_000_000
    assert (outcome != "(60, 40)") is (name in REFUSED_TRAPS)


def test_a_jpeg_of_a_thousand_scans_is_refused() -> None:
    """Each scan goes over the whole picture, so a few bytes more cost another pass."""
    data = FILES["jpeg progressive"]
    scan = data.rindex(b"\xff\xda")
    many = data[:scan] + data[scan:-2] * 1000 + data[-2:]

    assert "scans" in str(refused(many))


def test_run_lengths_are_few() -> None:
    """Pillow decodes them in Python, pair by pair."""
    header = struct.pack("<IiiHHIIiiII", 40, 2000, 2000, 1, 8, 1, 0, 0, 0, 256, 0)
    pairs = bytes([1, 7]) * 1_000_000
    data = b"BM" + struct.pack("<IHHI", 54 + 1024 + len(pairs), 0, 0, 1078) + header
    data += bytes(1024) + pairs

    assert "run lengths" in str(refused(data))


@pytest.mark.parametrize(
    ("data", "piece"),
    [
        pytest.param(FILES["png"][:8] + png_chunk(b"juNk", b"") * 110_000, "chunks", id="png"),
        pytest.param(b"\xff\xd8" + b"\xff\xfe\0\2" * 11_000, "segments", id="jpeg"),
        pytest.param(FILES["gif"][:13 + 192] + b"!\xfe\0" * 11_000, "extensions", id="gif"),
        pytest.param(
            b"RIFF" + struct.pack("<I", 22 + 88_000) + b"WEBP" + FILES["webp alpha"][12:30]
            + b"junk\0\0\0\0" * 11_000, "chunks", id="webp",
        ),
    ],
)  # fmt: skip
def test_the_parts_of_a_file_are_counted(data: bytes, piece: str) -> None:
    """Millions of empty ones would take longer to look at than any picture."""
    assert piece in str(refused(data))


# Pillow itself.


def test_without_pillow_the_error_says_what_to_install() -> None:
    """In a process that cannot import it."""
    code = """
import sys
sys.modules["PIL"] = None
from embedbridge.contract import Image, MissingDependencyError
from embedbridge.core.images.decode import open_image
from embedbridge.core.images.rules import ImageRules
try:
    open_image(Image.from_bytes(b"abc"), ImageRules())
except MissingDependencyError as error:
    print(error)
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert 'pip install "embedbridge-core[images]"' in found.stdout
    assert issubclass(MissingDependencyError, ImportError)


def test_pillows_settings_are_left_alone() -> None:
    """They belong to the program."""
    before = {name: value for name, value in vars(PIL.ImageFile).items() if name.isupper()}
    limit, opened = PIL.Image.MAX_IMAGE_PIXELS, list(PIL.Image.ID)
    for data in FILES.values():
        decode(data)

    assert {name: value for name, value in vars(PIL.ImageFile).items() if name.isupper()} == before
    assert limit == PIL.Image.MAX_IMAGE_PIXELS
    assert [name for name in opened if name not in PIL.Image.ID] == []


def test_arrays_obey_the_same_rules() -> None:
    """As for files, and before anything is converted."""
    with pytest.raises(InvalidImageError, match=r"8000 × 8000.*array of shape"):
        open_image(Image.from_array(np.zeros((8000, 8000), np.uint8)), RULES)


@pytest.mark.skipif(os.name == "nt", reason="there is no umask")
def test_nothing_is_written(tmp_path: Path) -> None:
    """Decoding leaves no file behind."""
    for name, data in FILES.items():
        (tmp_path / name).write_bytes(data)
        open_image(Image.from_path(tmp_path / name), RULES).decode()

    assert {file.name for file in tmp_path.iterdir()} == set(FILES)
