"""Model resolution: from what users type, `provider:model`, to the class that implements it."""

from __future__ import annotations

import importlib
from typing import Any

from embedbridge.contract.errors import (
    ConfigurationError,
    MissingDependencyError,
    UnknownProviderError,
    short_repr,
)
from embedbridge.contract.hooks import ProviderSpec
from embedbridge.contract.model import EmbeddingModel
from embedbridge.core.discovery.own_providers import install_hint
from embedbridge.core.discovery.plugin_hooks import one_line
from embedbridge.core.discovery.registry import Registry

BUNDLED = frozenset({"default", "local"})
"""Bare names of the model that ships with us: no key, no network, no cost."""


def resolve(text: str, registry: Registry | None = None) -> tuple[type[EmbeddingModel], str]:
    """The class of a model and the name to give it.

    Args:
        text: `"provider:model"`, or a bare provider that has a model of its own.
        registry: Which providers there are; the installed ones if left out.

    Raises:
        UnknownProviderError: No installed package announces the provider.
        MissingDependencyError: The provider needs a package that is not installed.
        ConfigurationError: The text or the provider is malformed.
    """
    if not isinstance(text, str) or not text.strip():
        raise ConfigurationError(
            f"Expected 'provider:model', got {short_repr(text)}.",
            hint="For example 'huggingface:BAAI/bge-small-en-v1.5'.",
        )
    provider, colon, name = text.strip().partition(":")
    if not colon and provider in BUNDLED:
        provider = "default"
    elif not colon and ("/" in provider or "\\" in provider):
        raise UnknownProviderError(
            f"{short_repr(text)} names no provider.", hint=f"Did you mean 'huggingface:{text}'?"
        )
    registry = registry or Registry()
    spec = registry.spec(provider)
    if not name:
        if spec.default_model is None:
            known = [card.name for card in spec.cards]
            raise ConfigurationError(
                f"{short_repr(text)} names no model.",
                hint=f"Write '{provider}:MODEL'"
                + (f", for example '{provider}:{known[0]}'." if known else "."),
            )
        name = spec.default_model
    return _import_factory(spec, provider), name


def _import_factory(spec: ProviderSpec, provider: str) -> type[EmbeddingModel]:
    name, _, attribute = spec.factory.partition(":")
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        raise MissingDependencyError(
            f"Provider {provider!r} needs a package that cannot be imported: "
            f"{error.name or short_repr(str(error))}.",
            hint=install_hint(provider) or "Install the provider's dependencies.",
            provider=provider,
        ) from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a stranger's import may do anything, even sys.exit()
        raise ConfigurationError(
            f"Provider {provider!r}: {name} fails: {one_line(error)}"
        ) from error
    found: Any = getattr(module, attribute, None)
    if found is None:
        raise ConfigurationError(f"Provider {provider!r}: {name} has no {attribute!r}.")
    if spec.variant is not None and not isinstance(found, type) and callable(found):
        found = found(spec)
    if not (isinstance(found, type) and issubclass(found, EmbeddingModel)):
        raise ConfigurationError(
            f"Provider {provider!r}: {spec.factory} is not a subclass of EmbeddingModel."
        )
    return found
