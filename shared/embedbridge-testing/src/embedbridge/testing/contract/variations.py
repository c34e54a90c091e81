"""Variations: the embedder under test with one option changed, once for each value that can be tried."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from weakref import WeakKeyDictionary

from pydantic import SecretBytes, SecretStr
from pydantic.fields import FieldInfo

from embedbridge.contract import EmbedBridgeError, EmbeddingModel, ModelCard, ModelOptions
from embedbridge.contract.remote import RemoteOptions
from embedbridge.core import Embedder
from embedbridge.testing.contract.comparing import twin
from embedbridge.testing.contract.material import TEXTS
from embedbridge.testing.contract.vectors import other_widths

Samples = Mapping[str, Sequence[Any]]
OF_EVERY_MODEL: Samples = {
    "query_prompt": ["Asked: "],
    "document_prompt": ["Found: "],
    "normalize": [True, False],
}
"""Values to try for options that every model has."""
TEXT = TEXTS[4]


@dataclass(frozen=True, slots=True, kw_only=True)
class Variation:
    """What an embedder with one other option has said."""

    name: str
    """The option."""
    value: object
    """What it was set to."""
    own: bool
    """Whether it is the provider's own, and not one of every model."""
    card: ModelCard | None = None
    """What the model then promises."""
    vectors: Any = None
    """Of one text, as a document and as a query."""
    fingerprint: str = ""
    space: str = ""
    error: EmbedBridgeError | None = None
    """Why there are no vectors."""

    def __str__(self) -> str:
        return f"{self.name}={self.value!r}"


_known: WeakKeyDictionary[EmbeddingModel, list[Variation]] = WeakKeyDictionary()
"""By model: several checks look at the same ones, and a local model is loaded for each."""


def variations(embedder: Embedder, samples: Samples) -> list[Variation]:
    """The embedder with each value of each option, one at a time.

    Args:
        embedder: The usual one.
        samples: Values for options whose type does not tell any.
    """
    model = embedder.model
    if model not in _known:
        _known[model] = [
            _varied(embedder, name, value)
            for name in type(model.options).model_fields
            for value in values_of(embedder, name, samples)
        ]
    return _known[model]


def own_options(embedder: Embedder) -> list[str]:
    """Options of the provider's own that may be written down: no keys, no clients."""
    fields = type(embedder.model.options).model_fields
    usual = {*ModelOptions.model_fields, *RemoteOptions.model_fields, "base_url"}
    return [name for name, field in fields.items() if name not in usual and not field.exclude]


def values_of(embedder: Embedder, name: str, samples: Samples) -> list[Any]:
    """Values to try for one option, other than the present one; none where nothing tells any."""
    options = embedder.model.options
    field, current = type(options).model_fields[name], getattr(options, name)
    if name == "space" or field.exclude:
        return []
    known: Samples = {**OF_EVERY_MODEL, "dimensions": other_widths(embedder), **samples}
    found = known.get(name) or _of_type(field, current)
    return [value for value in found if value != current]


def both_roles(embedder: Embedder) -> Any:
    """The vectors of one text, as a document and as a query."""
    return [embedder.embed_documents([TEXT])[0], embedder.embed_query(TEXT)]


def _varied(embedder: Embedder, name: str, value: object) -> Variation:
    own = name in own_options(embedder)
    try:
        with twin(embedder, **{name: value}) as other:
            return Variation(
                name=name,
                value=value,
                own=own,
                vectors=both_roles(other),
                card=other.card,
                fingerprint=other.fingerprint,
                space=other.space,
            )
    except EmbedBridgeError as error:
        return Variation(name=name, value=value, own=own, error=error.with_traceback(None))


def _of_type(field: FieldInfo, current: object) -> list[object]:
    """Values that an option of this type can have."""
    found: list[object] = []
    for kind in _kinds(field.annotation):
        if get_origin(kind) is Literal:
            found += get_args(kind)
        elif kind is bool:
            found += [True, False]
        elif kind is int:
            found.append(current + 1 if isinstance(current, int) else 8)
        elif kind is float:
            found.append(current + 1.0 if isinstance(current, int | float) else 1.0)
        elif kind in (SecretStr, SecretBytes):
            return []
    return found


def _kinds(annotation: Any) -> Iterator[Any]:
    """The members of a union, without what annotates them."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _kinds(get_args(annotation)[0])
    elif origin in (Union, types.UnionType):
        for member in get_args(annotation):
            yield from _kinds(member)
    else:
        yield annotation
