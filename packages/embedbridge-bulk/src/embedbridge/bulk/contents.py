"""Content addressing: the 16-byte digest of what a row embeds, and the input that is made of it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pyarrow as pa

from embedbridge.bulk import plain
from embedbridge.bulk.plain import plain_column, wide_type
from embedbridge.contract.image import Image
from embedbridge.contract.inputs import Mixed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from embedbridge.bulk.columns import Columns
    from embedbridge.contract import Input

DIGEST_BYTES = 16
Digests: TypeAlias = "NDArray[np.uint64]"
"""Shape (n, 2)."""
NONE: Digests = np.zeros((0, 2), np.uint64)
"""Of no rows."""
READ_AT_ONCE = 1 << 20
PIECES_OF = {"image": b"image", "image_url": b"url", "missing": b"missing"}
"""What sets apart the digests of an image's bytes, of a URL, and of the path of a missing file."""


class Contents:
    """The rows of a table as what is embedded. A row of nulls has no content.

    Args:
        table: The rows.
        columns: Which of its columns are embedded.
    """

    def __init__(self, table: pa.Table, columns: Columns) -> None:
        self._columns = columns
        self._root = columns.root
        self._text = None if columns.text is None else _values(table, columns.text)
        image = columns.image or columns.image_url
        self._image = None if image is None else _values(table, image)
        masks = [_has_value(part) for part in (self._text, self._image) if part is not None]
        self.present: NDArray[np.bool_] = np.logical_or.reduce(masks)
        """Which rows have a content."""
        self.unread_at: list[int] = []
        """Where in `digests` those of rows are whose image file could not be read."""

    def digests(self) -> Digests:
        """A digest per row that is present, by content: an image file's is that of its bytes."""
        rows = np.flatnonzero(self.present)
        if self._image is None:
            assert self._text is not None  # noqa: S101  # the columns have one of them
            return _as_array(_plain_digests(_bytes_of(self._text.take(pa.array(rows)))))
        images: list[bytes | None] = []
        self.unread_at = []
        for at, value in enumerate(self._image_values(rows)):
            digest = _image_digest(value)
            if digest is None and isinstance(value, Path):
                self.unread_at.append(at)
                digest = _unread_digest(value)
            images.append(digest)
        return self._with_texts(rows, images)

    def digests_if_unread(self) -> Digests:
        """What `digests` would be if no image file could be read; none is."""
        rows = np.flatnonzero(self.present)
        images = [
            _unread_digest(value) if isinstance(value, Path) else _image_digest(value)
            for value in self._image_values(rows)
        ]
        return self._with_texts(rows, images)

    def _with_texts(self, rows: NDArray[np.intp], images: Sequence[bytes | None]) -> Digests:
        """The digests of rows by those of their images; `None` for a row without one."""
        if self._text is None:
            return _as_array(image for image in images if image is not None)
        texts = _bytes_of(self._text.take(pa.array(rows)))
        return _as_array(map(_combined, texts, images))

    def inputs(self, rows: NDArray[np.intp]) -> list[Input]:
        """What is embedded for some of the rows that are present."""
        texts = None if self._text is None else _texts(self._text.take(pa.array(rows)))
        if self._image is None:
            return texts or []  # type: ignore[return-value]  # rows that are present are no nulls
        images = [self._as_image(value) for value in self._image_values(rows)]
        if texts is None:
            return images  # type: ignore[return-value]
        pairs = zip(texts, images, strict=True)
        return [Mixed(*(part for part in pair if part is not None)) for pair in pairs]

    def is_blank(self) -> NDArray[np.bool_]:
        """Which of the rows that are present hold white space, or an empty text, and no image."""
        rows = np.flatnonzero(self.present)
        if self._text is None:
            return np.zeros(len(rows), np.bool_)
        texts = _texts(self._text.take(pa.array(rows)))
        blank = np.fromiter((not text or text.isspace() for text in texts), np.bool_, len(rows))
        return blank if self._image is None else blank & ~_has_value(self._image)[rows]

    def _image_values(self, rows: NDArray[np.intp]) -> Iterator[object]:
        """Bytes, a `Path` or a URL per row; `None` for a null."""
        assert self._image is not None  # noqa: S101  # only asked for where there is one
        values = self._image.take(pa.array(rows))
        if pa.types.is_struct(values.type):
            names = values.type.names
            bytes_ = values.field("bytes").to_pylist() if "bytes" in names else [None] * len(rows)
            paths = _texts(values.field("path")) if "path" in names else [None] * len(rows)
            # Empty bytes beside no path are no null: they are an error of their row.
            yield from (
                b if b or p is None else self._path(p) for b, p in zip(bytes_, paths, strict=True)
            )
        elif _is_binary(values.type):
            yield from values.to_pylist()
        elif self._columns.image_url is not None:
            yield from _texts(values)
        else:
            yield from map(self._path, _texts(values))

    def _path(self, name: str | None) -> Path | None:
        return None if name is None else self._root / name

    def _as_image(self, value: object) -> Image | None:
        if isinstance(value, bytes):
            # Empty bytes are an error of their row, which the engine finds.
            return Image("bytes", value)
        if isinstance(value, Path):
            return Image.from_path(value)
        return None if value is None else Image("url", str(value))


def _values(table: pa.Table, name: str) -> pa.Array:
    """A column as one array of a plain type: no dictionary and no view."""
    column = plain_column(table.column(name))
    if pa.types.is_null(column.type):
        column = column.cast(pa.string())
    if column.nbytes > plain.MOST_BYTES:
        column = column.cast(wide_type(column.type))
    array = column.combine_chunks()
    return pa.concat_arrays(array.chunks) if isinstance(array, pa.ChunkedArray) else array


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _has_value(values: pa.Array) -> NDArray[np.bool_]:
    """Which are no nulls; a struct of an image needs bytes or a path."""
    if not pa.types.is_struct(values.type):
        return np.asarray(values.is_valid())
    fields = [values.field(name) for name in ("bytes", "path") if name in values.type.names]
    masks = [np.asarray(values.is_valid()) & np.asarray(field.is_valid()) for field in fields]
    return np.asarray(np.logical_or.reduce(masks))


def _bytes_of(texts: pa.Array) -> list[bytes | None]:
    large = pa.types.is_large_string(texts.type)
    raw = texts.cast(pa.large_binary() if large else pa.binary())
    values: list[bytes | None] = raw.to_numpy(zero_copy_only=False).tolist()
    return values


def _texts(texts: pa.Array) -> list[str | None]:
    if pa.types.is_null(texts.type):
        return [None] * len(texts)
    try:
        values: list[str | None] = texts.to_numpy(zero_copy_only=False).tolist()
    except (
        UnicodeDecodeError,
        pa.ArrowException,
    ):  # a file may say that it holds UTF-8 and hold something else
        # Lone surrogates, which the engine refuses: the row has an error, and no other has. In a
        # path they are such bytes, as Python writes them.
        return [
            None if raw is None else raw.decode("utf-8", "surrogateescape")
            for raw in _bytes_of(texts)
        ]
    return values


def _plain_digests(values: Iterable[bytes | None]) -> Iterable[bytes]:
    """Of texts; the loop that every row goes through."""
    return [blake2b(value, digest_size=16).digest() for value in values]  # type: ignore[arg-type]


def _digest(data: bytes, kind: bytes) -> bytes:
    return blake2b(data, digest_size=DIGEST_BYTES, person=kind).digest()


def _image_digest(value: object) -> bytes | None:
    """Of an image's bytes or its URL; `None` for a null, and for a file that cannot be read."""
    if isinstance(value, bytes):
        return _digest(value, PIECES_OF["image"])
    if isinstance(value, Path):
        return _file_digest(value)
    if value is None:
        return None
    return _digest(str(value).encode("utf-8", "surrogatepass"), PIECES_OF["image_url"])


def _unread_digest(path: Path) -> bytes:
    """Of the path of a file that cannot be read, so that it counts as changed later."""
    return _digest(os.fsencode(path), PIECES_OF["missing"])


def _file_digest(path: Path) -> bytes | None:
    """Of a file's bytes; `None` if it cannot be read."""
    digest = blake2b(digest_size=DIGEST_BYTES, person=PIECES_OF["image"])
    try:
        with path.open("rb") as file:
            while piece := file.read(READ_AT_ONCE):
                digest.update(piece)
    except (OSError, ValueError):  # the latter of a NUL, with which no file has a name
        return None
    return digest.digest()


def _combined(text: bytes | None, image: bytes | None) -> bytes:
    """Of a text and an image that become one vector; either may be missing."""
    parts = [
        b"" if text is None else blake2b(text, digest_size=DIGEST_BYTES).digest(),
        image or b"",
    ]
    return _digest(b"%d,%d;" % (len(parts[0]), len(parts[1])) + b"".join(parts), b"mixed")


def _as_array(digests: Iterable[bytes]) -> Digests:
    return np.frombuffer(b"".join(digests), dtype=np.uint64).reshape(-1, 2)
