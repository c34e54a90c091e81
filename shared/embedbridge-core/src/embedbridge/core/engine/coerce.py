"""Coercion and validation of inputs: each becomes a content, or an error with its position."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from embedbridge.contract.errors import InvalidInputError, UnsupportedModalityError, twin_of
from embedbridge.contract.image import Image
from embedbridge.contract.inputs import Content, Mixed, Text, parts_of, plain_text, refuse_single
from embedbridge.core.images.rules import urls_are_off

if TYPE_CHECKING:
    from embedbridge.contract.card import ModelCard
    from embedbridge.contract.vocabulary import Modality
    from embedbridge.core.settings import OnEmpty


@dataclass(slots=True)
class Coerced:
    """The inputs of a job: what to embed, what gets no vector of the model, and what is wrong."""

    total: int
    """How many inputs the caller handed over."""
    contents: list[Content]
    """What to embed, in order."""
    positions: list[int] | None = None
    """Where each content stood; `None` if nothing was left out."""
    zeros: list[int] = field(default_factory=list)
    """Empty texts that become zero vectors."""
    skipped: list[int] = field(default_factory=list)
    """Empty texts that get no vector."""
    errors: dict[int, InvalidInputError] = field(default_factory=dict)
    """What cannot be embedded."""

    def position(self, content: int) -> int:
        """Where a content stood in what the caller handed over."""
        return content if self.positions is None else self.positions[content]


def coerce(
    inputs: Iterable[object],
    card: ModelCard,
    on_empty: OnEmpty,
    *,
    allow_urls: bool = False,
) -> Coerced:
    """Check all inputs before anything is sent.

    Raises:
        InvalidInputError: There is no list of inputs at all.
    """
    refuse_single(inputs)
    values: list[object] = list(inputs)
    if "text" in card.modalities and _are_plain_texts(values, on_empty):
        return Coerced(len(values), values)  # type: ignore[arg-type]  # every value is a str
    coerced = Coerced(len(values), [], [])
    positions: list[int] = []
    for index, value in enumerate(values):
        try:
            content = _coerce_one(value, index, card, allow_urls=allow_urls)
        except InvalidInputError as error:
            coerced.errors[index] = error
            continue
        if on_empty != "embed" and is_empty(content):
            if on_empty == "zero":
                coerced.zeros.append(index)
            elif on_empty == "skip":
                coerced.skipped.append(index)
            else:
                coerced.errors[index] = _empty(index)
            continue
        coerced.contents.append(content)
        positions.append(index)
    coerced.positions = positions
    return coerced


def modality_of(content: Content) -> Modality:
    """Text, image or mixed."""
    if isinstance(content, str):
        return "text"
    return "image" if isinstance(content, Image) else "mixed"


def _are_plain_texts(values: list[object], on_empty: OnEmpty) -> bool:
    """Whether all values are texts to embed as they are; runs at C speed, for jobs of millions."""
    if not set(map(type, values)) <= {str}:
        return False
    if on_empty != "embed" and ("" in values or any(map(str.isspace, values))):  # type: ignore[arg-type]  # every value is a str
        return False
    return all(map(_is_encodable, values))  # type: ignore[arg-type]


def _is_encodable(text: str) -> bool:
    """Whether a text is valid Unicode: tokenizers and JSON cannot carry a lone surrogate."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _remedy(value: object) -> str:
    """The hint for a value that is not an input."""
    if type(value).__module__.startswith("PIL."):
        # Its class is called Image, as ours is.
        return "It is Pillow's: wrap it in embedbridge.contract.Image.from_pil(…)."
    if type(value).__module__ == "pyarrow.lib":
        return "An array of Arrow is embedded as array.to_pylist()."
    return {
        "bytes": "Decode text with .decode(), wrap an image in Image.from_bytes(…).",
        "NoneType": "Remove it, or put a text in its place.",
        "PosixPath": "Write Image.from_path(…) for an image, or read the text first.",
        "WindowsPath": "Write Image.from_path(…) for an image, or read the text first.",
        "BytesIO": "Write Image.from_file(…) for an image, or read the text first.",
        "ndarray": "Write Image.from_array(…) for an image; vectors are not embedded again.",
    }.get(type(value).__name__, "Pass a str, Text, Image or Mixed.")


def _coerce_one(value: object, index: int, card: ModelCard, *, allow_urls: bool) -> Content:
    if isinstance(value, InvalidInputError):  # an adapter could make no input of what it got
        known = value if value.index in (None, index) else twin_of(value)
        known.index = index
        raise known
    content = value.text if isinstance(value, Text) else value
    if not isinstance(content, str | Image | Mixed):
        raise InvalidInputError(
            f"{type(content).__name__} cannot be embedded.", index=index, hint=_remedy(content)
        )
    if isinstance(content, str):
        content = plain_text(content)
    modality = modality_of(content)
    if modality not in card.modalities:
        raise UnsupportedModalityError(
            f"{card.name} embeds {' and '.join(card.modalities)}, not {modality}.",
            index=index,
            source=content.described if isinstance(content, Image) else None,
            hint="Use a model whose card lists that modality.",
        )
    for part in parts_of(content):
        if isinstance(part, str) and not _is_encodable(part):
            raise InvalidInputError(
                "The text has a lone surrogate, which is half of a character.",
                index=index,
                hint="Repair it with text.encode('utf-16', 'surrogatepass').decode('utf-16'), "
                "or drop it with text.encode(errors='ignore').decode().",
            )
        if isinstance(part, Image) and part.kind == "url" and not allow_urls:
            error = urls_are_off()
            error.index, error.source = index, part.described
            raise error
    return content


def is_empty(content: Content) -> bool:
    """Whether there is nothing to embed: no image, and no character but white space."""
    return all(isinstance(part, str) and (not part or part.isspace()) for part in parts_of(content))


def _empty(index: int) -> InvalidInputError:
    return InvalidInputError(
        "The text is empty or only white space.",
        index=index,
        hint='Remove it, or set on_empty="embed" to embed it all the same.',
    )
