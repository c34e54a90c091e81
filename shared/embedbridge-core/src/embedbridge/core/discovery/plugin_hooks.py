"""Plugin hooks: what a plugin returns, checked before anything relies on it."""

from __future__ import annotations

import re

import pluggy

from embedbridge.contract import hooks
from embedbridge.contract.errors import ConfigurationError, short_repr
from embedbridge.contract.hooks import ProviderSpec

FACTORY = re.compile(r"[^:]+:[^:]+")


def read_spec(plugin: object, culprit: str, distribution: str) -> ProviderSpec:
    """Ask a plugin what it brings, and check the answer before anything relies on it.

    Args:
        plugin: What the entry point names.
        culprit: Provider and package, for messages.
        distribution: The package.

    Raises:
        ConfigurationError: It brings nothing that can be used.
    """
    specs = ask(plugin, "embedbridge_provider", culprit)
    if not specs:
        raise ConfigurationError(
            f"{culprit} has no hook that returns a ProviderSpec.",
            hint="Its plugin module needs one `@hookimpl def embedbridge_provider()`.",
        )
    return checked(specs, culprit, distribution)


def ask(plugin: object, hook: str, culprit: str, **arguments: object) -> list[object]:
    """What a plugin's hook returns; a plugin without the hook returns nothing."""
    manager = pluggy.PluginManager(hooks.ENTRY_POINT_GROUP)
    manager.add_hookspecs(hooks)
    try:
        manager.register(plugin)
        returned: list[object] = getattr(manager.hook, hook)(**arguments)
    except (KeyboardInterrupt, ConfigurationError):
        raise
    except BaseException as error:  # as above: the hook is a stranger's code
        raise ConfigurationError(f"{culprit} fails: {one_line(error)}") from error
    return returned


def checked(specs: list[object], culprit: str, distribution: str) -> ProviderSpec:
    """The one spec that a hook returned, if it can be used."""
    if len(specs) != 1 or not isinstance(spec := specs[0], ProviderSpec):
        found = f"{len(specs)} hooks that return" if len(specs) > 1 else "no hook that returns"
        raise ConfigurationError(
            f"{culprit} has {found} a ProviderSpec.",
            hint="Its plugin module needs one `@hookimpl def embedbridge_provider()`.",
        )
    if spec.contract_version != hooks.CONTRACT_VERSION:
        raise ConfigurationError(
            f"{culprit} was written for contract {spec.contract_version}, "
            f"this is contract {hooks.CONTRACT_VERSION}.",
            hint=f"Install a version of {distribution} that fits embedbridge-core.",
        )
    if not isinstance(spec.factory, str) or not FACTORY.fullmatch(spec.factory):
        raise ConfigurationError(
            f"{culprit}: factory {short_repr(spec.factory)} is not 'module:Class'."
        )
    return spec


def one_line(error: BaseException) -> str:
    """A stranger's exception in one line; even its `str` may fail."""
    try:
        return f"{type(error).__name__}: {short_repr(str(error))}"
    except Exception:  # noqa: BLE001  # as above
        return type(error).__name__
