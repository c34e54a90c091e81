"""Plugin hooks: how a package announces itself. Importing them is light: no NumPy, no pydantic.

A provider's `plugin.py` is an entry point of the group `embedbridge`, named like the provider:

    @hookimpl
    def embedbridge_provider() -> ProviderSpec:
        return ProviderSpec(name="acme", factory="acme_embeddings.model:AcmeModel")
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pluggy

from embedbridge.contract.card import ModelCard

if TYPE_CHECKING:
    from collections.abc import Mapping

    from embedbridge.contract.events import Event

ENTRY_POINT_GROUP = "embedbridge"
"""The group of `importlib.metadata` entry points that providers use."""

CONTRACT_VERSION = 1
"""Counts the breaking changes of this contract; a provider states the one it was written for."""

hookspec = pluggy.HookspecMarker("embedbridge")
hookimpl = pluggy.HookimplMarker("embedbridge")
"""Marks the function or method that a plugin offers: `@hookimpl def embedbridge_provider() …`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSpec:
    """What a provider's plugin tells about itself before anything heavy is imported."""

    name: str
    """What users type before the colon."""
    factory: str
    """`"package.module:Class"`, imported when a model is first asked for. With a `variant` it may also
    be a function that makes the class from this spec."""
    variant: object = None
    """Data for a factory that serves many providers; what it is, is up to the factory."""
    cards: tuple[ModelCard, ...] = ()
    """The models that are known by name; others are allowed."""
    default_model: str | None = None
    """The model that the provider's bare name stands for, where one is free and obvious."""
    summary: str = ""
    """One line for `embedbridge providers`."""
    variables: tuple[str, ...] = ()
    """Environment variables that it reads, keys and addresses; `embedbridge doctor` tells which are
    set, and never to what."""
    contract_version: int = CONTRACT_VERSION
    """The contract it was written for."""


@hookspec
def embedbridge_provider() -> ProviderSpec | None:
    """The provider that this plugin brings."""


@hookspec
def embedbridge_variant(name: str, row: Mapping[str, object]) -> ProviderSpec | None:
    """A further provider of this plugin's kind, from a row of the user's providers file.

    Args:
        name: What users type before the colon.
        row: What the user wrote, without the field `like`.

    Raises:
        ConfigurationError: The row is wrong; the message says which field and what to write.
    """


@hookspec
def embedbridge_event(event: Event) -> None:
    """Something happened in a job: progress bars and tracing listen here.

    It is called where the job runs, for remote models on the event loop that all of them share: a
    listener that blocks holds them all up.
    """


class Announced:
    """A plugin with one provider, for a package with several: an entry point names one object.

    Example:
        acme = Announced(ProviderSpec(name="acme", factory="acme_embeddings.model:AcmeModel"))
        acme_eu = Announced(ProviderSpec(name="acme-eu", factory="acme_embeddings.model:EuModel"))
    """

    def __init__(self, spec: ProviderSpec) -> None:
        self._spec = spec

    @hookimpl
    def embedbridge_provider(self) -> ProviderSpec:
        """What is announced."""
        return self._spec
