"""An image by its source, which is named explicitly and never guessed."""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, TypeAlias
from urllib.parse import unquote

from embedbridge.contract.errors import InvalidImageError, short_path, short_repr
from embedbridge.contract.signals import let_handlers_raise

if TYPE_CHECKING:
    import PIL.Image
    from numpy.typing import ArrayLike


ImageKind: TypeAlias = Literal["path", "bytes", "pil", "array", "url"]

DATA_URLS = ("data:image/", "data:application/octet-stream;", "data:;")
"""How a data URL begins that may hold an image: what it really is, its bytes tell."""
MAX_STREAM_BYTES = 100_000_000
"""What is read of a file object at most, which might never end; the engine's own limit is lower."""


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """An image by its source, which is named explicitly and not opened before it is needed.

    Make one with a `from_…` constructor:

        Image.from_path("cat.png")
        Image.from_bytes(data)
    """

    kind: ImageKind
    """Which constructor made it."""
    source: Any
    """The path (`Path`), the encoded bytes, the PIL image, the array, or the URL (`str`)."""

    @classmethod
    def from_path(cls, path: str | PathLike[str]) -> Image:
        """An image file. It is read when it is embedded."""
        name = fspath(path) if isinstance(path, PathLike) else path
        if not isinstance(name, str):
            raise InvalidImageError(
                f"Expected a path, got {type(path).__name__}.",
                hint="Use from_bytes, from_file or from_pil for other sources.",
            )
        return cls("path", Path(name))

    @classmethod
    def from_bytes(cls, data: bytes | bytearray | memoryview) -> Image:
        """An encoded image: the bytes of a PNG, JPEG, … file."""
        if not isinstance(data, bytes | bytearray | memoryview):
            raise InvalidImageError(
                f"Expected bytes, got {type(data).__name__}.",
                hint="Use from_path, from_base64 or from_pil for other sources.",
            )
        if not data:
            raise InvalidImageError("The image has 0 bytes.", hint="Pass the bytes of a file.")
        return cls("bytes", bytes(data))

    @classmethod
    def from_file(cls, file: IO[bytes]) -> Image:
        """A binary file object with an encoded image.

        It is read now, from where it stands to its end: it may be closed before the image is used.
        """
        pieces: list[bytes | bytearray] = []
        size = 0
        while size <= MAX_STREAM_BYTES:
            piece = ask_file(file, "read", MAX_STREAM_BYTES + 1 - size)
            if not piece:
                return cls.from_bytes(b"".join(pieces))
            if not isinstance(piece, bytes | bytearray):
                raise InvalidImageError(
                    f"The file object gives {type(piece).__name__}, not bytes.",
                    hint="Open the file with mode 'rb'.",
                )
            pieces.append(piece)
            size += len(piece)
        raise InvalidImageError(f"The file object has more than {MAX_STREAM_BYTES} bytes.")

    @classmethod
    def from_pil(cls, image: PIL.Image.Image) -> Image:
        """A Pillow image; leave it unchanged until it is embedded."""
        if not (hasattr(image, "mode") and hasattr(image, "tobytes")):
            raise InvalidImageError(
                f"Expected a PIL image, got {type(image).__name__}.",
                hint="Use from_path, from_bytes or from_array for other sources.",
            )
        return cls("pil", image)

    @classmethod
    def from_array(cls, array: ArrayLike) -> Image:
        """Pixels: shape (height, width) or (height, width, 1 | 3 | 4), uint8 or float 0–1.

        Also with the channels first, integers of 0–255, booleans, and tensors, which may have a
        gradient or lie on another device.
        """
        from embedbridge.contract.pixels import as_pixels

        return cls("array", as_pixels(array))

    @classmethod
    def from_base64(cls, text: str | bytes) -> Image:
        """An encoded image in base64, as JSON interfaces carry it.

        Line breaks, the URL-safe alphabet and missing padding are taken; nothing else is skipped.
        """
        from embedbridge.contract.base64_text import decode_base64

        return cls.from_bytes(decode_base64(text))

    @classmethod
    def from_data_url(cls, url: str) -> Image:
        """An image in a `data:image/…;base64,…` URL (RFC 2397)."""
        head, comma, data = _text(url).partition(",")
        kind = head.lower().replace(" ", "")
        if not (comma and kind.startswith(DATA_URLS) and kind.endswith(";base64")):
            raise InvalidImageError(
                f"Not a data URL of an image: {short_repr(url)}.",
                hint="It starts with data:image/<type>;base64,",
            )
        return cls.from_base64(unquote(data) if "%" in data else data)

    @classmethod
    def from_url(cls, url: str) -> Image:
        """An image on the web. Nothing is fetched unless the embedder allows URLs."""
        if not _text(url).lower().startswith(("http://", "https://")):
            raise InvalidImageError(
                f"Not an http(s) URL: {short_repr(_without_secrets(url))}.",
                hint="Use Image.from_path for files and Image.from_data_url for data URLs.",
            )
        return cls("url", url)

    @property
    def described(self) -> str:
        """Where it comes from, short enough for an error message."""
        if self.kind == "path":
            return f"file {short_path(self.source)}"
        if self.kind == "url":
            return f"URL {short_repr(_without_secrets(self.source))}"
        if self.kind == "bytes":
            return f"{len(self.source)} bytes"
        return "PIL image" if self.kind == "pil" else f"array of shape {self.source.shape}"

    def _identity(self) -> tuple[object, ...]:
        in_memory = self.kind in ("pil", "array")
        return (self.kind, id(self.source) if in_memory else self.source)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Image) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def __repr__(self) -> str:
        return f"Image({self.described})"


def ask_file(file: object, method: str, *arguments: object) -> Any:
    """What a method of a user's file object gives.

    Raises:
        InvalidImageError: It fails, in whatever way: behind it may be an archive or a network. Or it
            is async.
    """
    try:
        given = getattr(file, method)(*arguments)
    except Exception as error:
        let_handlers_raise(error)
        raise InvalidImageError(
            f"The file object cannot be read: {type(error).__name__}({short_repr(str(error))}).",
            hint="Open it in binary mode and close it later, or pass its bytes.",
        ) from error
    if isinstance(given, Awaitable):
        if isinstance(given, Coroutine):
            given.close()  # Python warns of one that nobody awaits
        raise InvalidImageError(
            f"The file object ({type(file).__name__}) is async.",
            hint="Await its read() and pass the bytes.",
        )
    return given


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise InvalidImageError(f"Expected a URL as str, got {type(value).__name__}.")
    return value


def _without_secrets(url: str) -> str:
    """The URL without user name, query and fragment, any of which may hold a token."""
    plain = url.partition("?")[0].partition("#")[0]
    scheme, separator, rest = plain.partition("://")
    if not separator:
        return plain
    authority, slash, path = rest.partition("/")
    return f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}"
