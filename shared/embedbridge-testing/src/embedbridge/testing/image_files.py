"""One picture in many files, and files that are traps. Needs Pillow."""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from embedbridge.testing.samples import PNG_SIGNATURE

if TYPE_CHECKING:
    import PIL.Image
    from numpy.typing import NDArray

ORIENTATION = 0x0112
GREY, COLOUR = 0, 2


def the_picture(width: int = 60, height: int = 40) -> NDArray[np.uint8]:
    """A picture that looks different however it is turned: shape (height, width, 3), uint8."""
    y, x = np.mgrid[0:height, 0:width]
    channels = [x * 255 // max(width - 1, 1), y * 255 // max(height - 1, 1), (x + y) * 2 % 256]
    return np.stack(channels, axis=-1).astype(np.uint8)


def variants(width: int = 60, height: int = 40) -> dict[str, bytes]:
    """The picture in more than 30 files, by what is special about each."""
    import PIL.Image

    pixels = the_picture(width, height)
    grey = pixels[:, :, 0]
    rgb = PIL.Image.fromarray(pixels)
    rgba = rgb.copy()
    rgba.putalpha(PIL.Image.fromarray(pixels[:, :, 2]))
    palette = rgb.quantize(64)
    deep = PIL.Image.fromarray(grey.astype(np.uint16) * 257)
    files = {
        "png": encoded(rgb, "PNG"),
        "png interlaced": interlaced_png(pixels),
        "png palette": encoded(palette, "PNG"),
        "png palette, one colour clear": encoded(palette, "PNG", transparency=3),
        "png palette, each with its alpha": encoded(
            palette, "PNG", transparency=bytes(range(0, 256, 4))
        ),
        "png alpha": encoded(rgba, "PNG"),
        "png grey": encoded(rgb.convert("L"), "PNG"),
        "png grey, one level clear": encoded(rgb.convert("L"), "PNG", transparency=100),
        "png grey and alpha": encoded(rgba.convert("LA"), "PNG"),
        "png 1 bit": encoded(rgb.convert("1"), "PNG"),
        "png 16 bits": encoded(deep, "PNG"),
        "png 16 bits of colour": png(pixels.astype(np.uint16) * 257, depth=16),
        "png animated": encoded(rgb, "PNG", **and_turned(rgb)),
        "jpeg": encoded(rgb, "JPEG"),
        "jpeg progressive": encoded(rgb, "JPEG", progressive=True),
        "jpeg cmyk": encoded(rgb.convert("CMYK"), "JPEG"),
        "jpeg grey": encoded(rgb.convert("L"), "JPEG"),
        "jpeg of several pictures": encoded(rgb, "MPO", **and_turned(rgb)),
        "webp": encoded(rgb, "WEBP"),
        "webp lossless": encoded(rgb, "WEBP", lossless=True),
        "webp alpha": encoded(rgba, "WEBP"),
        "webp animated": encoded(rgb, "WEBP", **and_turned(rgb)),
        "gif": encoded(palette, "GIF"),
        "gif, one colour clear": encoded(palette, "GIF", transparency=3),
        "gif animated": encoded(rgb, "GIF", **and_turned(rgb)),
        "bmp": encoded(rgb, "BMP"),
        "bmp palette": encoded(palette, "BMP"),
        "tiff": encoded(rgb, "TIFF"),
        "tiff lzw": encoded(rgb, "TIFF", compression="tiff_lzw"),
        "tiff cmyk": encoded(rgb.convert("CMYK"), "TIFF"),
        "tiff 16 bits": encoded(deep, "TIFF"),
        "tiff 32 bits": encoded(PIL.Image.fromarray(grey.astype(np.int32)), "TIFF"),
        "tiff floats": encoded(PIL.Image.fromarray(grey / np.float32(255)), "TIFF"),
        "tiff of two pages": encoded(rgb, "TIFF", **and_turned(rgb)),
        "tiff big": encoded(rgb, "TIFF", big_tiff=True),
        "tiff held on its side": encoded(rgb, "TIFF", exif=held(6)),
        "png held on its side": encoded(rgb, "PNG", exif=held(8)),
        "webp held on its side": encoded(rgb, "WEBP", exif=held(5)),
    }
    files |= {f"jpeg held {turn}": encoded(rgb, "JPEG", exif=held(turn)) for turn in range(1, 9)}
    if "AVIF" in PIL.Image.registered_extensions().values():
        files["avif"] = encoded(rgb, "AVIF", speed=10)
        files["avif held on its side"] = encoded(rgb, "AVIF", speed=10, exif=held(6))
    return files


def encoded(picture: PIL.Image.Image, format_: str, **options: Any) -> bytes:
    """The file of a picture."""
    buffer = io.BytesIO()
    picture.copy().save(buffer, format_, **options)  # saving leaves settings in the picture
    return buffer.getvalue()


def and_turned(picture: PIL.Image.Image) -> dict[str, Any]:
    """The options that save a second frame or page, which is the picture upside down."""
    return {"save_all": True, "append_images": [picture.rotate(180)]}


def held(turn: int) -> PIL.Image.Exif:
    """EXIF data of a camera that was held in one of eight ways, 1–8."""
    import PIL.Image

    exif = PIL.Image.Exif()
    exif[ORIENTATION] = turn
    return exif


def png_chunk(name: bytes, body: bytes) -> bytes:
    """One chunk of a PNG file."""
    checksum = struct.pack(">I", zlib.crc32(name + body))
    return struct.pack(">I", len(body)) + name + body + checksum


def png(
    pixels: NDArray[Any], *, depth: int = 8, chunks: bytes = b"", passes: tuple[bytes, ...] = ()
) -> bytes:
    """A PNG file as Pillow would not write it.

    Args:
        pixels: Shape (height, width[, 3]), uint8 or uint16.
        depth: Bits per channel, 8 or 16.
        chunks: What stands between the header and the pixels.
        passes: The lines of an interlaced file, in place of those of `pixels`.
    """
    height, width = pixels.shape[:2]
    kind = COLOUR if pixels.ndim == 3 else GREY
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, bool(passes))
    lines = passes or tuple(_lines(pixels.astype(f">u{depth // 8}")))
    body = png_chunk(b"IDAT", zlib.compress(b"".join(lines)))
    return PNG_SIGNATURE + png_chunk(b"IHDR", header) + chunks + body + png_chunk(b"IEND", b"")


def interlaced_png(pixels: NDArray[np.uint8]) -> bytes:
    """The same picture as seven ever finer ones (PNG Specification, section 8.1)."""
    starts = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2)]
    passes: list[bytes] = []
    for top, left, down, right in [*starts, (1, 0, 2, 1)]:
        passes += _lines(pixels[top::down, left::right])
    return png(pixels, passes=tuple(passes))


def bomb(width: int, height: int, *, lines: int | None = None) -> bytes:
    """A PNG file of white pixels, 1 bit each, that is a thousand times smaller than its picture.

    Args:
        width: Pixels, as the header says.
        height: Likewise.
        lines: How many there really are, if the header lies.
    """
    header = struct.pack(">IIBBBBB", width, height, 1, GREY, 0, 0, 0)
    packer = zlib.compressobj(9)
    line = b"\0" + b"\xff" * ((width + 7) // 8)
    body = b"".join(packer.compress(line) for _ in range(lines or height)) + packer.flush()
    return (
        PNG_SIGNATURE
        + png_chunk(b"IHDR", header)
        + png_chunk(b"IDAT", body)
        + png_chunk(b"IEND", b"")
    )


def _lines(pixels: NDArray[Any]) -> list[bytes]:
    # filter type 0: the pixels as they are
    return [b"\0" + line.tobytes() for line in pixels if line.size]
