"""Variations: the embedder under test with one option changed, once for each value that can be tried.

Several checks look at the same variations, so they are made once for each suite.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import SecretBytes, SecretStr
from pydantic.fields import FieldInfo

from embedbridge.contract import EmbedBridgeError, ModelCard, ModelOptions
from embedbridge.contract.remote import RemoteOptions
from embedbridge.core import Embedder
from embedbridge.testing.contract.base import ContractBase
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
    """What an embedder has said, as it is or with one other option."""

    name: str = ""
    """The option."""
    value: object = None
    """What it was set to."""
    own: bool = False
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


@dataclass(frozen=True, slots=True)
class Variations:
    """All of one embedder, made at one server: another server is another fingerprint."""

    usual: Variation
    """The embedder as it is."""
    others: Sequence[Variation]
    """One option changed, one at a time."""


_known: dict[tuple[object, ...], Variations] = {}
"""By suite and model: most checks make a model of their own, and it varies as the last one did."""


def variations(suite: type[ContractBase], embedder: Embedder) -> Variations:
    """The embedder with each value of each option, one at a time.

    Args:
        suite: The class; its `option_samples` name values for options whose type does not tell any.
        embedder: The usual one.
    """
    model = embedder.model
    told = {name: getattr(model.options, name) for name in sorted(model.options.model_fields_set)}
    told.pop("base_url", None)  # each check has a server of its own
    key = (suite, type(model), model.name, repr(told))
    if key not in _known:
        _known[key] = Variations(
            usual=_seen(embedder),
            others=[
                _varied(embedder, name, value)
                for name in type(model.options).model_fields
                for value in values_of(embedder, name, suite.option_samples)
            ],
        )
    return _known[key]


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
    told: dict[str, Any] = {"name": name, "value": value, "own": name in own_options(embedder)}
    try:
        with twin(embedder, **{name: value}) as other:
            return _seen(other, **told)
    except EmbedBridgeError as error:
        return Variation(**told, error=error.with_traceback(None))


def _seen(embedder: Embedder, **told: Any) -> Variation:
    return Variation(
        **told,
        vectors=both_roles(embedder),
        card=embedder.card,
        fingerprint=embedder.fingerprint,
        space=embedder.space,
    )


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
