"""Model options: strict, and without secrets in anything that is written down."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretBytes, SecretStr, ValidationError

from embedbridge.contract.errors import InvalidOptionError


class ModelOptions(BaseModel):
    """The options of every model. A provider adds its own in a subclass.

    Secrets are `SecretStr` (or `SecretBytes`). A field that holds one, also inside a list or a
    mapping, and every field with `exclude=True` stays out of configurations, pickles and
    fingerprints.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,  # neither JSON nor a fingerprint has them
        validate_default=True,
        protected_namespaces=(),
        hide_input_in_errors=True,
        arbitrary_types_allowed=True,
    )

    not_in_identity: ClassVar[frozenset[str]] = frozenset({"space"})
    """Options that do not change a vector. Every other one enters the fingerprint."""

    dimensions: int | None = Field(default=None, gt=0)
    """Width of the vectors; `None` means the model's own. Shortened ones are normalised anew."""
    normalize: bool | None = None
    """Scale vectors to length 1; `None` means as the model makes them."""
    query_prompt: str | None = None
    """Text in front of every query; `None` means the model's own, `""` means none."""
    document_prompt: str | None = None
    """Text in front of every document; `None` means the model's own, `""` means none."""
    space: str | None = Field(default=None, min_length=1)
    """Name of the vector space, for servers whose model we cannot know."""

    def public(self) -> dict[str, Any]:
        """The options that were set, without secrets: enough to make the model again."""
        dumped = self.model_dump(exclude_unset=True)
        return {
            name: value for name, value in dumped.items() if not _holds_secret(getattr(self, name))
        }

    def identity(self) -> dict[str, Any]:
        """The options that change a vector, for the fingerprint."""
        dumped = self.model_dump(mode="json", exclude_defaults=True)
        return {
            name: value
            for name, value in dumped.items()
            if name not in self.not_in_identity and not _holds_secret(getattr(self, name))
        }

    def __reduce__(self) -> tuple[object, ...]:
        return (_restore, (type(self), self.public()))  # without secrets, like the model itself


def _holds_secret(value: object) -> bool:
    if isinstance(value, BaseModel):
        value = dict(value)
    if isinstance(value, Mapping):
        value = value.values()
    elif not isinstance(value, list | tuple | set | frozenset):
        return isinstance(value, SecretStr | SecretBytes)
    return any(map(_holds_secret, value))


def _restore(kind: type[ModelOptions], values: dict[str, Any]) -> ModelOptions:
    return kind(**values)


OptionsT = TypeVar("OptionsT", bound=BaseModel)


def parse_options(
    kind: type[OptionsT],
    values: Mapping[str, Any],
    *,
    owner: str,
    also: Iterable[str] = (),
    hint: Callable[[str], str] | None = None,
) -> OptionsT:
    """Validate options, with errors that name the nearest one and never show a value.

    Args:
        kind: The options' class.
        values: What the user wrote.
        owner: Who takes the options, for the message.
        also: Further names that the user could have meant.
        hint: Makes the remedy for a wrong value from the option's name.

    Raises:
        InvalidOptionError: An option is unknown or has a value that cannot be; or what a validator
            of all options raised itself.
    """
    known = {*kind.model_fields, *also}
    for name in values:
        if name not in kind.model_fields:
            raise unknown_option(name, known, owner=owner)
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"]) or "options"
        raised = first.get("ctx", {}).get("error")
    # Outside the handler: pydantic's own error would show the value, which may be a secret.
    if not first["loc"] and isinstance(raised, InvalidOptionError):
        raise raised
    problem = first["msg"].removeprefix("Value error, ")
    raise InvalidOptionError(
        f"Option {name!r} of {owner}: {problem}.",
        hint=hint(name) if hint else "See the provider's README.",
    )


def unknown_option(name: str, known: Iterable[str], *, owner: str) -> InvalidOptionError:
    """The error for an unknown option, with the nearest known one."""
    near = difflib.get_close_matches(name, list(known), n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"It takes: {', '.join(sorted(known))}."
    return InvalidOptionError(f"{owner} has no option {name!r}.", hint=hint)
