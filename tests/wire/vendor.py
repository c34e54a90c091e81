"""What a file in `vendors/` says: the SDK and its pin, the cases of both sides, the differences with reasons.

It is read in two environments: the SDK's own, which has nothing of ours, and the tests', which has no
SDK. So each side is imported inside the functions that use it, and here is the standard library only.
"""

from __future__ import annotations

import base64
import importlib
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import EllipsisType
from typing import TYPE_CHECKING, Any, TypeAlias

from .short import Json

if TYPE_CHECKING:
    from embedbridge.contract import Image, Mixed
    from embedbridge.core import Embedder

FOLDER = Path(__file__).parent
KEY = "key-for-the-recording"
TEXTS = ["A cat sleeps.", "Two dogs run."]
"""Of equal length, so that a plan by length keeps their order."""
QUERY = "Who sleeps?"

Load: TypeAlias = "Callable[..., Embedder]"


class Absent:
    """The value of a field that one side does not send."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = Absent()


@dataclass(frozen=True, kw_only=True)
class Case:
    """One call, through the SDK and through our provider."""

    theirs: Callable[[Any], Any]
    """The SDK's call, from its client to the vectors that its users get."""
    ours: Callable[[Load], Any]
    """The same with us: `load` is `load_embedder` with the vendor's `options`."""
    answer: Json
    """What the server says to both. Vectors are in short: `floats(2, 1024)`."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A field of the request in which we differ on purpose."""

    field: str
    """For example `body.truncate`, `headers.accept`, `path`; `[]` stands for each place of a list."""
    theirs: Json | Absent | EllipsisType
    """What the SDK sends; `...` for any value."""
    ours: Json | Absent | EllipsisType
    """What we send; `...` for any value."""
    because: str
    """Why it is right."""


@dataclass(frozen=True, kw_only=True)
class Vendor:
    """The vendor's SDK beside our provider."""

    sdk: str
    """For pip, pinned: `"cohere==7.3.1"`. What else its environment needs follows after a space."""
    client: Callable[[str], Any]
    """The SDK's client for the recording server at this URL, which ends in no slash."""
    cases: Mapping[str, Case]
    """By name: `documents`, `query`, `dimensions`, `image`, `mixed`, an output type …"""
    options: Callable[[str], Mapping[str, Any]] = field(
        default=lambda url: {"base_url": url, "api_key": KEY}
    )
    """How `load_embedder` is pointed to the same server."""
    differences: Sequence[Difference] = ()
    """All of them, over all cases. One that is not met any more fails."""
    asked_before: Mapping[str, Json] = field(default_factory=dict)
    """Answers by path to what our provider asks beside, for example `/info`; they are not compared."""

    @property
    def pins(self) -> list[str]:
        """What pip installs for the SDK."""
        return self.sdk.split()


def names() -> list[str]:
    """All vendors: the names of the files in `vendors/`."""
    return sorted(path.stem for path in (FOLDER / "vendors").glob("*.py"))


def vendor_named(name: str) -> Vendor:
    """What its file says."""
    vendor: Vendor = importlib.import_module(f"{__package__}.vendors.{name}").VENDOR
    return vendor


def recording_of(name: str) -> Path:
    """Where the requests of its SDK are stored."""
    return FOLDER / "recordings" / f"{name}.json"


def _png(size: int = 32) -> bytes:
    """A file with a dark half and a light half, which a lossy codec keeps about as they are."""
    row = b"\0" + bytes((40, 60, 80)) * (size // 2) + bytes((220, 200, 180)) * (size // 2)
    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(row * size)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


PICTURE = _png()
"""The bytes of a PNG file."""
DATA_URL = f"data:image/png;base64,{base64.b64encode(PICTURE).decode()}"


def our_image() -> Image:
    """The picture, as our users have it."""
    from embedbridge.contract import Image

    return Image.from_bytes(PICTURE)


def our_mixed() -> Mixed:
    """A text and the picture in one input."""
    from embedbridge.contract import Mixed

    return Mixed(QUERY, our_image())
