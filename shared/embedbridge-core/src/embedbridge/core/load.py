"""The one door to an `Embedder`: from a name, a model, an embedder or a configuration.

Importing it is light: NumPy, pydantic and the engine come with the first call.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any

from embedbridge.contract.errors import ConfigurationError, InvalidOptionError, short_repr

if TYPE_CHECKING:
    from embedbridge.contract.model import EmbeddingModel
    from embedbridge.core.cache.base import VectorCache
    from embedbridge.core.embedder import Embedder
    from embedbridge.core.remote.limit import Limiter


def load_embedder(
    model: str | EmbeddingModel | Embedder | Mapping[str, Any],
    *,
    cache: VectorCache | str | PathLike[str] | bool | None = None,
    limiter: Limiter | None = None,
    listeners: Iterable[object] | None = None,
    **options: Any,
) -> Embedder:
    """An embedder, ready to use, from whatever stands for a model.

    Example:
        embedder = load_embedder("huggingface:BAAI/bge-small-en-v1.5", device="cpu")
        vectors = embedder.embed_documents(["one text", "another"])  # float32, shape (2, 384)

    Args:
        model: `"provider:model"`; a model object; an embedder, which is given back as it is or
            with the changes; or a configuration, which is what `Embedder.to_config` returned.
        cache: Where to keep vectors: `True` for the user's own file, a path, or a cache object.
            `None` means none, or that of the embedder or configuration which was passed; `False` means none.
        limiter: How fast requests may go out. `requests_per_minute` and `tokens_per_minute` hold
            beside it.
        listeners: Who hears the events, see `embedbridge.contract.hooks`.
        options: Fields of `Settings` and, where the model is made here, fields of its `Options`,
            in one list. `max_retries=n` is another way to say `max_attempts=n + 1`.

    Raises:
        UnknownProviderError: No installed package announces the provider.
        InvalidOptionError: Neither the model nor the engine takes an option of that name.
        MissingDependencyError: The provider needs a package that is not installed.
        ConfigurationError: This names or is no model.
    """
    from embedbridge.contract.model import EmbeddingModel
    from embedbridge.core.embedder import Embedder
    from embedbridge.core.settings import SETTING_NAMES, parse_settings, refuse_options

    general = {name: options.pop(name) for name in list(options) if name in SETTING_NAMES}
    if isinstance(model, Embedder):
        parts = {"cache": cache, "limiter": limiter, "listeners": listeners}
        given = {name: part for name, part in parts.items() if part is not None}
        changes: dict[str, Any] = {**given, **general, **options}
        return model.using(**changes) if changes else model
    saved: Mapping[str, Any] = {}
    if isinstance(model, Mapping):
        model, saved_options, saved, saved_cache = _read_config(model)
        options = {**saved_options, **options}
        cache = saved_cache if cache is None else cache
    if isinstance(model, EmbeddingModel):
        refuse_options(options, model)
    elif isinstance(model, str):
        model = _make_model(model, options)
    else:
        raise ConfigurationError(
            f"{short_repr(model)} is no model.",
            hint="Pass 'provider:model', a model, an Embedder, or what to_config() returned.",
        )
    return Embedder(
        model,
        settings=parse_settings(saved, general),
        cache=cache,
        limiter=limiter,
        listeners=listeners or (),
    )


def _read_config(
    config: Mapping[str, Any],
) -> tuple[str, Mapping[str, Any], Mapping[str, Any], VectorCache | None]:
    """The model's name, its options, the settings and the cache of a configuration."""
    from embedbridge.core.cache.base import as_cache

    unknown = set(config) - {"model", "options", "settings", "cache"}
    if unknown or "model" not in config:
        raise InvalidOptionError(
            f"Not a configuration of an embedder: keys {sorted(config)}.",
            hint="Pass what to_config() returned.",
        )
    options, settings = (config.get(name) or {} for name in ("options", "settings"))
    if not (isinstance(options, Mapping) and isinstance(settings, Mapping)):
        raise InvalidOptionError(
            "In a configuration of an embedder, options and settings are mappings.",
            hint="Pass what to_config() returned.",
        )
    return config["model"], options, settings, as_cache(config.get("cache"))


def _make_model(name: str, options: Mapping[str, Any]) -> EmbeddingModel:
    """The model of this name; a misspelt option is compared with the settings as well."""
    from embedbridge.contract.options import unknown_option
    from embedbridge.core.discovery.resolve import resolve
    from embedbridge.core.settings import SETTING_NAMES

    model_class, model_name = resolve(name)
    known = {*model_class.Options.model_fields, *SETTING_NAMES}
    for option in options:
        if option not in known:
            raise unknown_option(option, known, owner=f"Model '{name}'")
    return model_class(model_name, **options)
