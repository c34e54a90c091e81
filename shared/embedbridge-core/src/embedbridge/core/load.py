"""`load_embedder`: one string and keyword options to an embedder.

Importing it is light: NumPy, pydantic and the engine come with the first call.
"""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from typing import TYPE_CHECKING, Any

from embedbridge.contract.errors import ConfigurationError, InvalidOptionError

if TYPE_CHECKING:
    from embedbridge.contract.model import EmbeddingModel
    from embedbridge.core.cache.base import VectorCache
    from embedbridge.core.embedder import Embedder
    from embedbridge.core.remote.limit import Limiter


def load_embedder(
    model: str | EmbeddingModel,
    *,
    cache: VectorCache | str | PathLike[str] | bool | None = None,
    limiter: Limiter | None = None,
    listeners: Iterable[object] = (),
    **options: Any,
) -> Embedder:
    """An embedder for a model, ready to use.

    Example:
        embedder = load_embedder("huggingface:BAAI/bge-small-en-v1.5", device="cpu")
        vectors = embedder.embed_documents(["one text", "another"])  # float32, shape (2, 384)

    Args:
        model: `"provider:model"`, or a model object.
        cache: Where to keep vectors: `True` for the user's own file, a path, or a cache object.
        limiter: How fast requests may go out.
        listeners: Who hears the events, see `embedbridge.contract.hooks`.
        options: Fields of the model's `Options` and of `Settings`, in one list. `max_retries=n`
            is another way to say `max_attempts=n + 1`.

    Raises:
        UnknownProviderError: No installed package announces the provider.
        InvalidOptionError: Neither the model nor the engine takes an option of that name.
        MissingDependencyError: The provider needs a package that is not installed.
    """
    from embedbridge.contract.model import EmbeddingModel
    from embedbridge.contract.options import parse_options, unknown_option
    from embedbridge.core.discovery.resolve import resolve
    from embedbridge.core.embedder import Embedder
    from embedbridge.core.settings import Settings

    general = {name: options.pop(name) for name in list(options) if name in Settings.model_fields}
    if "max_retries" in options:  # as LlamaIndex, LangChain and the vendors' SDKs call it
        general["max_attempts"] = _attempts(options.pop("max_retries"))
    if isinstance(model, EmbeddingModel):
        if options:
            raise ConfigurationError(
                f"Options {sorted(options)} belong to the model, which exists already.",
                hint="Give them to the model's class.",
            )
    else:
        model_class, name = resolve(model)
        known = {*model_class.Options.model_fields, *Settings.model_fields}
        for option in options:
            if option not in known:
                raise unknown_option(option, known, owner=f"Model '{model}'")
        model = model_class(name, **options)
    settings = parse_options(Settings, general, owner="embedbridge")
    return Embedder(model, settings=settings, cache=cache, limiter=limiter, listeners=listeners)


def _attempts(retries: object) -> int:
    """The requests that so many retries allow."""
    if not isinstance(retries, int) or isinstance(retries, bool) or retries < 0:
        raise InvalidOptionError("Option 'max_retries': a whole number of at least 0 is expected.")
    return retries + 1
