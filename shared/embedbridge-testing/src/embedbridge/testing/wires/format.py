"""Wire format: how a vendor's requests and answers are spelled, so that one fault server can play many."""

from __future__ import annotations

import base64
import io
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic_core import to_json

from embedbridge.contract import Vectors
from embedbridge.contract.loaded import Loaded, LoadedImage
from embedbridge.testing._http_server import HttpRequest

Encoding: TypeAlias = Literal["float", "base64", "int8", "uint8", "binary", "ubinary"]
"""How a vector is written: as JSON numbers, as base64 of little-endian float32, or as a vendor's
whole numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a request asks for, in no vendor's words."""

    model: str
    """Name of the model."""
    inputs: Sequence[Any]
    """In order: texts, decoded images (`LoadedImage`), both together (`LoadedMixed`)."""
    role: str = ""
    """What the vendor calls the role, where it makes other vectors; empty where it does not."""
    dimensions: int | None = None
    """Width of the vectors; `None` means the model's own."""
    encoding: Encoding = "float"
    """How vectors are to be written."""
    packed: bool = False
    """Whether whole numbers are to be written as base64 of their bytes."""


@dataclass(slots=True, kw_only=True)
class Row:
    """One entry of an answer; faults change it before it is written."""

    index: int
    """Which input it says that it belongs to."""
    vector: Vectors
    """Shape (dimensions,)."""
    encoding: Encoding
    """How it is written."""
    spoil: Callable[[Any], object] | None = None
    """Changes what is written: a list of floats, or a string in base64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeRefusal:
    """A refusal for size, word for word as the vendor says it."""

    says: str
    """The sentence; `{most}` is what the server takes, `{size}` what it got, `{index}` which input."""
    status: int = 400
    """The HTTP status that goes with it."""
    most: int | None = None
    """What the vendor's documentation promises; `None` where that differs from model to model."""
    code: str | None = None
    """The vendor's code for it, which `WireFormat.error` gets."""


class WireFormat(ABC):
    """One vendor's spelling."""

    endpoint: str
    """How the path of an embedding request ends."""
    base: str = ""
    """How the path of the base URL ends, as the vendor's clients take it."""
    too_many: SizeRefusal | None = None
    """How more inputs are refused than one request may hold; `most` counts inputs."""
    too_long: SizeRefusal | None = None
    """How one text is refused that is too long; `most` counts tokens."""
    out_of_quota: str | None = (
        "You exceeded your current quota, please check your plan and billing details."
    )
    """What a 429 says that no waiting helps; `None` for a server of the user's own, without quotas."""

    @abstractmethod
    def read(self, request: HttpRequest) -> Asked:
        """What a request asks for.

        Raises:
            ValueError: It is not a request for embeddings.
        """

    @abstractmethod
    def answer(self, rows: Sequence[Row] | None, asked: Asked) -> bytes:
        """The body of an answer; `None` stands for a list that is not there."""

    def headers(self, asked: Asked) -> Mapping[str, str]:
        """Further headers of an answer, for example with the tokens that were counted."""
        return {}

    def error_headers(self, status: int, code: str | None) -> Mapping[str, str]:
        """Further headers of a refusal, for a vendor that says the code there."""
        return {}

    def beside(self, request: HttpRequest) -> tuple[int, bytes] | None:
        """Status and body for a request that is not for embeddings, such as one for limits.

        The fault server answers it without a fault and without recording it. `None` for all others.
        """
        return None

    @abstractmethod
    def error(self, message: str, *, code: str | None = None, kind: str | None = None) -> bytes:
        """The body that goes with a status of 400 or more."""

    def error_at(self, index: int, message: str, *, code: str | None = None) -> bytes:
        """The same about one input; override it for a vendor that has a field for the position."""
        return self.error(message, code=code)

    @abstractmethod
    def credential(self, request: HttpRequest) -> str:
        """The key in a request, without what stands around it; empty if there is none."""


# For every format.


def written(row: Row, *, packed: bool = False) -> object:
    """The vector of a row as JSON numbers or base64, spoiled if need be.

    Args:
        row: Says whether it is base64 of floats.
        packed: Write whole numbers as base64 of their bytes.
    """
    values: object
    if row.encoding == "base64":
        values = base64.b64encode(row.vector.astype("<f4").tobytes()).decode()
    elif row.encoding == "float":
        values = row.vector.tolist()
    else:
        whole = whole_numbers(row.vector, row.encoding)
        # The last byte of a number is the number, signed or not.
        data = whole.astype(np.uint8).tobytes()
        values = base64.b64encode(data).decode() if packed else whole.tolist()
    return values if row.spoil is None else row.spoil(values)


def values_of(row: Row) -> Vectors:
    """The vector of a row as float32 of the values that are written: whole numbers where it is so."""
    if row.encoding in ("float", "base64"):
        return row.vector
    return whole_numbers(row.vector, row.encoding).astype(np.float32)


def whole_numbers(vector: Vectors, encoding: Encoding) -> NDArray[np.int64]:
    """A vector as the whole numbers of an output type, made as simply as can be.

    Args:
        vector: Floats from -1 to 1, shape (dimensions,).
        encoding: `"int8"`, `"uint8"`, or one that holds eight dimensions in each value.
    """
    values = np.clip(np.rint(vector * 127), -128, 127).astype(np.int64)
    if encoding == "uint8":
        values += 128
    elif encoding in ("binary", "ubinary"):
        values = np.packbits(vector > 0).astype(np.int64)
        values -= 128 if encoding == "binary" else 0
    return values


def image_in(data_url: str, where: str) -> LoadedImage:
    """The picture in a data URL.

    Args:
        data_url: `data:image/png;base64,…`; the type must be the file's own.
        where: Begins the refusal, for example `"image at index 3"`.

    Raises:
        ValueError: It cannot be decoded, or is of another type than it says.
    """
    head, _, data = data_url.partition(",")
    kind, image = _decoded(data, where)
    require(head == f"data:image/{kind};base64", f"{where} is not what it says")
    return image


def image_in_base64(data: str, where: str) -> LoadedImage:
    """The picture in base64 without a type in front.

    Raises:
        ValueError: It cannot be decoded.
    """
    return _decoded(data, where)[1]


def _decoded(data: str, where: str) -> tuple[str, LoadedImage]:
    """The format, as media types call it, and the picture."""
    import PIL.Image

    try:
        picture = PIL.Image.open(io.BytesIO(base64.b64decode(data, validate=True)))
        pixels = picture.convert("RGB")
    except (ValueError, OSError):
        raise ValueError(f"{where} cannot be decoded") from None
    return (picture.format or "").lower(), LoadedImage(pixels=pixels, described="base64")


def require(holds: bool, message: str) -> None:  # noqa: FBT001  # a claim
    """Refuse a request whose claim does not hold.

    Raises:
        ValueError: It does not.
    """
    if not holds:
        raise ValueError(message)


def words_in(content: Loaded) -> int:
    """Words of a text or of the texts in a mixed input, one at least: our tokens."""
    parts = (content,) if isinstance(content, str) else getattr(content, "parts", ())
    return sum(len(part.split()) for part in parts if isinstance(part, str)) or 1


def bearer(request: HttpRequest) -> str:
    """The key in `Authorization: Bearer …`; empty if there is none."""
    return request.headers.get("authorization", "").removeprefix("Bearer ")


def as_json(value: object) -> bytes:
    """The body of an answer. Most of a fault server's time went into numbers as JSON."""
    return to_json(value)  # ten times as fast as Python's own
