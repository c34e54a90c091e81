"""What can be embedded: `Text`, `Image`, and `Mixed`, a sequence of both that becomes one vector.

A bare `str` is always text. It is never guessed to be a path, a URL or an image, so embedding
texts never touches a file or the network.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, KeysView, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, TypeAlias

from embedbridge.contract.errors import InvalidInputError
from embedbridge.contract.image import Image


@dataclass(frozen=True, slots=True)
class Text:
    """A text; the same as a bare `str`, for where saying so is clearer."""

    text: str
    """What is embedded, after the prompt of its role."""


@dataclass(frozen=True, slots=True)
class Mixed:
    """Texts and images in reading order that become ONE vector: `Mixed("A cat:", image)`."""

    parts: tuple[str | Image, ...]
    """In reading order; a `Text` as its plain `str`."""

    def __init__(self, *parts: str | Text | Image) -> None:
        if not parts:
            raise InvalidInputError("A mixed input has no parts.", hint="Pass texts and images.")
        for part in parts:
            if not isinstance(part, str | Text | Image):
                raise InvalidInputError(
                    f"A part of a mixed input is a text or an image, not {type(part).__name__}.",
                    hint="Write Image.from_path(…) for an image file.",
                )
        bare = (part.text if isinstance(part, Text) else part for part in parts)
        plain = tuple(plain_text(part) if isinstance(part, str) else part for part in bare)
        object.__setattr__(self, "parts", plain)


Content: TypeAlias = str | Image | Mixed
"""An input as it travels inside: a text is a plain `str`."""

Input: TypeAlias = str | Text | Image | Mixed
"""An input as a caller may hand it over."""


def parts_of(content: Content) -> tuple[str | Image, ...]:
    """The texts and images of a content, which is most often one itself."""
    return content.parts if isinstance(content, Mixed) else (content,)


def plain_text(text: str) -> str:
    """The characters of a text, without what a subclass of `str` makes of them.

    Such a class may be a template's `Markup`, which escapes a prompt that is put in front of it.
    """
    return str.__str__(text)


def without_texts(values: Iterable[Any]) -> Iterator[Any]:
    """A job's values where images are due, with an error in place of each text: it may be a path.

    Raises:
        InvalidInputError: There is one value and no list.
    """
    refuse_single(values)
    return (_no_image() if isinstance(value, str | Text) else value for value in values)


def _no_image() -> InvalidInputError:
    return InvalidInputError(
        "A text is no image.",
        hint="Write Image.from_path(…) for a file, Image.from_url(…) for a URL.",
    )


def refuse_single(values: object, *single: type) -> None:
    """Raise if one value stands where a list of inputs is due: it must not be taken apart.

    Args:
        values: What was passed for the list.
        single: Further types whose objects are one input each, although they may be iterable.

    Raises:
        InvalidInputError: It is one input, or nothing that has an order.
    """
    if type(values) is list:  # nearly always
        return
    given = type(values).__name__
    if isinstance(values, (str, Text, Image, Mixed, *single)):
        raise InvalidInputError(
            f"Expected a list of inputs, got a single {given}.", hint="Wrap it in a list."
        )
    if hasattr(values, "columns"):  # a data frame iterates over the names of its columns
        raise InvalidInputError(
            f"Expected a list of inputs, got a table ({given}).",
            hint="Pass one of its columns, such as frame['text'].",
        )
    # Bytes would be embedded number by number, sets have no order to answer in, and of a mapping it
    # is not said whether its keys are meant. Those have its order, although they are a set too.
    if (
        isinstance(values, bytes | bytearray | memoryview | Mapping)
        or (isinstance(values, AbstractSet) and not isinstance(values, KeysView))
        or not isinstance(values, Iterable)
        or getattr(values, "shape", None) == ()  # an array without an axis says that it has one
    ):
        raise InvalidInputError(
            f"Expected a list of inputs, got {given}.",
            hint="Pass a list, a tuple or another iterable that has an order.",
        )
