"""Column mapping: which columns of a table are embedded, name a row, and are kept."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from embedbridge.contract.errors import InvalidOptionError
from embedbridge.contract.paths import expanded

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from embedbridge.contract.vocabulary import Modality

OUTPUT = ("vector", "embedding_error", "truncated", "content_digest")
"""Columns that the stage adds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Which columns of a table are embedded, name a row, and are kept.

    With `text` and an image column together, each row is one mixed input: the text, then the image.

    Example:
        Columns(id="sku", text="title", keep=["price"])

    Raises:
        InvalidOptionError: There is nothing to embed, or too much.
    """

    id: str | None = None
    """Names a row in messages; the number of the row if left out."""
    text: str | None = None
    """Texts."""
    image: str | None = None
    """Images: encoded bytes, paths, or structs `{bytes, path}` as in data sets of Hugging Face."""
    image_url: str | None = None
    """URLs of images; nothing is fetched unless the setting `allow_urls` says so."""
    image_root: str | None = None
    """The folder that relative paths start from."""
    keep: Sequence[str] | None = None
    """Columns that the output has, beside `id`; `None` for all."""

    def __post_init__(self) -> None:
        if self.image is not None and self.image_url is not None:
            raise InvalidOptionError("A row has one image: name either image or image_url.")
        if not self.embedded:
            raise InvalidOptionError(
                "No column to embed is named.",
                hint="Name text=, image= or image_url=; on a command line --text-column or --image-column.",
            )
        if isinstance(self.keep, str):
            raise InvalidOptionError(f"keep is a list of columns: write [{self.keep!r}].")

    @property
    def root(self) -> Path:
        """`image_root`, with `~` replaced; the current folder if it was left out."""
        return expanded(self.image_root or "")

    @property
    def embedded(self) -> tuple[str, ...]:
        """The columns that are embedded."""
        return tuple(name for name in (self.text, self.image, self.image_url) if name is not None)

    @property
    def modality(self) -> Modality:
        """What a row is to the model."""
        if self.text is None:
            return "image"
        return "text" if len(self.embedded) == 1 else "mixed"

    def kept(self, schema: pa.Schema) -> list[str]:
        """The columns of the output that come from the source, in its order."""
        if self.keep is None:
            return list(schema.names)
        return [name for name in schema.names if name in self.keep or name == self.id]

    def read(self, schema: pa.Schema) -> list[str]:
        """The columns that are needed: what is kept, and what is embedded.

        Raises:
            InvalidOptionError: As `check` does.
        """
        self.check(schema)
        needed = {*self.kept(schema), *self.embedded}
        return [name for name in schema.names if name in needed]

    def check(self, schema: pa.Schema) -> None:
        """Make sure that a table has these columns, and room for those that the stage adds.

        Raises:
            InvalidOptionError: One is missing, is there twice, or is of a type that is not embedded.
        """
        wanted = [*self.embedded, *(self.keep or ()), *([self.id] if self.id is not None else [])]
        for name in wanted:
            if schema.get_field_index(name) < 0:
                raise _missing(name, schema.names)
        doubled = [name for name in self.kept(schema) if schema.names.count(name) > 1]
        if doubled:
            raise _missing(doubled[0], schema.names)
        taken = sorted(set(self.kept(schema)) & set(OUTPUT))
        if taken:
            raise InvalidOptionError(
                f"The source has columns {taken}, which the output needs for itself.",
                hint="Rename them, or keep others: keep=[…].",
            )
        for texts in (self.text, self.image_url):
            if texts is not None and not _is_text(schema.field(texts).type):
                raise _wrong_type(texts, schema, "texts", "Cast it to a string, or name another.")
        if self.image is not None and not _is_image(schema.field(self.image).type):
            hint = "It holds encoded bytes, paths, or structs of both."
            raise _wrong_type(self.image, schema, "images", hint)


def _missing(name: str, names: list[str]) -> InvalidOptionError:
    number = names.count(name)
    if number > 1:
        return InvalidOptionError(f"The source has {number} columns {name!r}.", hint="Rename one.")
    near = difflib.get_close_matches(name, names, 1)
    return InvalidOptionError(
        f"The source has no column {name!r}.",
        hint=f"Did you mean {near[0]!r}?" if near else f"It has: {', '.join(names) or 'none'}.",
    )


def _wrong_type(name: str, schema: pa.Schema, what: str, hint: str) -> InvalidOptionError:
    kind = schema.field(name).type
    return InvalidOptionError(f"Column {name!r} holds {kind}, not {what}.", hint=hint)


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow.types as t

    from embedbridge.bulk.plain import plain_type

    kind = plain_type(kind)
    # A column without any value has the type null.
    return bool(t.is_string(kind) or t.is_large_string(kind) or t.is_null(kind))


def _is_image(kind: pa.DataType) -> bool:
    import pyarrow.types as t

    from embedbridge.bulk.plain import plain_type

    if t.is_struct(kind):
        fields = {field.name: plain_type(field.type) for field in kind.fields}
        found = [
            is_kind(fields[name])
            for name, is_kind in {"bytes": _is_bytes, "path": _is_text}.items()
            if name in fields
        ]
        return bool(found) and all(found)
    plain = plain_type(kind)
    return _is_bytes(plain) or _is_text(plain)


def _is_bytes(kind: pa.DataType) -> bool:
    import pyarrow.types as t

    return bool(t.is_binary(kind) or t.is_large_binary(kind) or t.is_null(kind))
