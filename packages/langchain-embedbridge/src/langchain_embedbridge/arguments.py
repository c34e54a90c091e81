"""Arguments: how those of the constructor become fields, and fields become arguments again."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import InitErrorDetails

from embedbridge.contract import ConfigurationError, EmbeddingModel, InvalidOptionError
from embedbridge.core import Embedder, load_embedder
from embedbridge.core.adapting import names_of_fields


def as_fields(kind: type[BaseModel], arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """The arguments of a class of embeddings with an embedder in place of the model's options.

    Args:
        kind: The class; its own fields are no options.
        arguments: By name; or all fields, because one of them is assigned, which gives them back.

    Raises:
        ConfigurationError: They stand for no embedder, or for one that LangChain cannot use.
    """
    names = names_of_fields(kind)
    fields = {name: value for name, value in arguments.items() if name in names}
    known = names | kind.model_computed_fields.keys()  # written down with the rest, computed again
    options = {name: value for name, value in arguments.items() if name not in known}
    model, embedder = fields.pop("model", None), fields.pop("embedder", None)
    if isinstance(embedder, Embedder) and model == name_of(embedder) and not options:
        return arguments
    held = load(model, embedder, options)
    return {"model": name_of(held), "embedder": held, **fields}


def load(
    model: str | None,
    embedder: Embedder | EmbeddingModel | Mapping[str, Any] | None,
    options: Mapping[str, Any],
) -> Embedder:
    """The embedder that a name, or what stands for one, and options stand for.

    Raises:
        ConfigurationError: They stand for none, or for one that LangChain cannot use.
    """
    given = [one for one in (model, embedder) if one is not None]
    if len(given) != 1:
        raise ConfigurationError(
            "EmbedBridgeEmbeddings takes a model's name, or an embedder, and not both.",
            hint="Write model='provider:model' or embedder=load_embedder(…).",
        )
    return usable(load_embedder(given[0], **options))


def usable(held: Embedder) -> Embedder:
    """The embedder, if LangChain can use it.

    Raises:
        InvalidOptionError: It leaves out vectors.
    """
    if held.settings.on_empty == "skip":
        raise InvalidOptionError(
            'on_empty="skip" cannot be: LangChain wants a vector for each text.',
            hint='Leave empty documents out before they are added, or set on_empty="embed".',
        )
    return held


def as_arguments(config: Mapping[str, Any]) -> dict[str, Any]:
    """What `Embedder.to_config` gave, as a model's name with its options and settings."""
    cache = {"cache": config["cache"]} if "cache" in config else {}
    return {"model": config["model"], **config["options"], **config["settings"], **cache}


def name_of(embedder: Embedder) -> str:
    """How an embedder's model is named: `"provider:model"`."""
    return f"{embedder.model.provider}:{embedder.model.name}"


def is_wanted(name: str, include: object, exclude: object) -> bool:
    """Whether `model_dump` was asked for a name.

    Args:
        name: Of an argument.
        include: Names, or a mapping of them, as pydantic takes it; `None` for all.
        exclude: The same; `None` for none.
    """
    return (include is None or _holds(include, name)) and not _holds(exclude, name)


def validation_error(kind: type, values: object, error: ConfigurationError) -> ValidationError:
    """Pydantic's error for one of ours. Of what was passed it shows the names: a key may be among it."""
    shown = sorted(map(str, values)) if isinstance(values, Mapping) else type(values).__name__
    line = InitErrorDetails(type="value_error", input=shown, ctx={"error": error})
    return ValidationError.from_exception_data(kind.__name__, [line])


def error_of_ours(error: ConfigurationError | ValidationError) -> ConfigurationError | None:
    """What we raised while pydantic validated the arguments of one object; `None` if it was not us."""
    if isinstance(error, ConfigurationError):
        return error
    first = error.errors(include_url=False, include_input=False)[0]
    raised = first.get("ctx", {}).get("error")
    return raised if isinstance(raised, ConfigurationError) and not first["loc"] else None


def _holds(names: object, name: str) -> bool:
    if isinstance(names, Mapping):
        return names.get(name, False) in (True, ...)
    return isinstance(names, Container) and name in names
