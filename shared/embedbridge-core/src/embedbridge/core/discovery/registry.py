"""Plugin registry: which providers are installed. Listing reads metadata and imports nothing.

A plugin that fails costs itself only: each is imported in its own `try`, and its reason is kept.
"""

from __future__ import annotations

import os
import re
import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Literal

import pluggy

from embedbridge.contract import hooks
from embedbridge.contract.errors import ConfigurationError, UnknownProviderError, short_repr
from embedbridge.core.discovery.entry_points import Package, installed_entry_points, package_of
from embedbridge.core.discovery.own_providers import DISTRIBUTIONS, OBJECTS, install_hint

if TYPE_CHECKING:
    from embedbridge.contract.hooks import ProviderSpec

ALLOW_LIST_VARIABLE = "EMBEDBRIDGE_PROVIDERS"
"""Environment variable: comma-separated provider names that may be loaded; unset means all."""

NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
FACTORY = re.compile(r"[^:]+:[^:]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderInfo:
    """One announced provider, as its package's metadata describes it."""

    name: str
    """What users type before the colon."""
    distribution: str
    """The package that announces it."""
    version: str
    """That package's version."""
    status: Literal["installed", "refused", "broken"] = "installed"
    """`refused` is never imported; `broken` is known only after an import was tried."""
    reason: str | None = None
    """Why it is refused or broken, and what to do."""
    summary: str | None = None
    """What it is, in a line: the package's description, after an import the plugin's own."""


class Registry:
    """The providers that a set of entry points announces.

    Args:
        points: Entry points of the group `embedbridge`; the installed ones if left out.
        allowed: Names that may be loaded; from `EMBEDBRIDGE_PROVIDERS` if left out.
    """

    def __init__(
        self, points: Iterable[EntryPoint] | None = None, *, allowed: Iterable[str] | None = None
    ) -> None:
        if points is None:
            points = installed_entry_points(hooks.ENTRY_POINT_GROUP)
        self._points: dict[str, list[EntryPoint]] = defaultdict(list)
        for point in points:
            self._points[point.name].append(point)
        self._allowed = _allow_list() if allowed is None else frozenset(allowed)

    def providers(self) -> list[ProviderInfo]:
        """Every announced provider by name, without importing any."""
        return [
            self._describe(point) for name in sorted(self._points) for point in self._points[name]
        ]

    def check(self) -> list[ProviderInfo]:
        """The same after importing each plugin, the broken ones with their reason."""
        return [
            self._try(info) if info.status == "installed" else info for info in self.providers()
        ]

    def spec(self, name: str) -> ProviderSpec:
        """Import one provider's plugin, and no other.

        Raises:
            UnknownProviderError: No installed package announces that name.
            ConfigurationError: It is announced twice, not allowed, or its plugin is broken.
        """
        points = self._points.get(name, [])
        if not points:
            raise self._unknown(name)
        described = [(point, self._describe(point)) for point in points]
        # A squatter on a reserved name may stand before its owner.
        accepted = [both for both in described if both[1].status != "refused"]
        point, info = (accepted or described)[0]
        if info.status == "refused":
            raise ConfigurationError(f"Provider {name!r}: {info.reason}")
        try:
            module = point.load()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a stranger's import may do anything, even sys.exit()
            raise ConfigurationError(
                f"Provider {name!r} of {info.distribution} {info.version} fails to import: "
                f"{one_line(error)}",
                hint=f"Reinstall or remove {info.distribution}.",
            ) from error
        return _read_spec(module, info)

    def _describe(self, point: EntryPoint) -> ProviderInfo:
        distribution, version, summary = self._package(point)
        info = ProviderInfo(
            name=point.name, distribution=distribution, version=version, summary=summary
        )
        reason = self._objection(point, info)
        return replace(info, status="refused", reason=reason) if reason else info

    def _objection(self, point: EntryPoint, info: ProviderInfo) -> str | None:
        """Why this entry point must not be imported, if there is a reason."""
        if not NAME.fullmatch(point.name):
            return f"{short_repr(point.name)} is not a provider name (lower case, digits, . _ -)"
        owner = DISTRIBUTIONS.get(point.name)
        if owner is not None and owner != info.distribution:
            return f"the name is reserved for {owner}; {info.distribution} may not announce it"
        rivals = self._points[point.name]
        if len(rivals) > 1:
            # A squatter on a reserved name is refused above and must not block its owner.
            packages = [self._package(rival)[:2] for rival in rivals]
            if owner is None or [name for name, _ in packages].count(owner) > 1:
                names = " and ".join(map(" ".join, packages))
                return f"announced twice, by {names}; uninstall one of them"
        if self._allowed is not None and point.name not in self._allowed:
            return f"not in the allow-list {ALLOW_LIST_VARIABLE}"
        return None

    def _package(self, point: EntryPoint) -> Package:
        """The package that announces a provider, as far as its metadata describes it."""
        return Package() if point.dist is None else package_of(point.dist)

    def _try(self, info: ProviderInfo) -> ProviderInfo:
        try:
            return replace(info, summary=self.spec(info.name).summary or info.summary)
        except ConfigurationError as error:
            return replace(info, status="broken", reason=str(error))

    def _unknown(self, name: str) -> UnknownProviderError:
        import difflib

        if name in OBJECTS:
            return UnknownProviderError(
                f"An embedder of {short_repr(name)} was made from an object of that framework, "
                "which neither a name nor a configuration can hold.",
                hint=f"Make the embedder again with {OBJECTS[name]}.",
            )
        installed = sorted({info.name for info in self.providers() if info.status == "installed"})
        hint = install_hint(name)
        if hint is None:
            near = difflib.get_close_matches(name, {*installed, *DISTRIBUTIONS}, n=1, cutoff=0.7)
            hint = f"Did you mean {near[0]!r}?" if near else "See `embedbridge providers`."
        return UnknownProviderError(
            f"No installed package announces the provider {short_repr(name)}. "
            f"Installed: {', '.join(installed) or 'none'}.",
            hint=hint,
        )


def list_providers() -> list[ProviderInfo]:
    """Every provider that an installed package announces, by name; imports no plugin."""
    return Registry().providers()


def _read_spec(module: object, info: ProviderInfo) -> ProviderSpec:
    """Ask a plugin what it brings, and check the answer before anything relies on it."""
    culprit = f"Provider {info.name!r} of {info.distribution} {info.version}"
    manager = pluggy.PluginManager(hooks.ENTRY_POINT_GROUP)
    manager.add_hookspecs(hooks)
    try:
        manager.register(module)
        specs = manager.hook.embedbridge_provider()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # as above: the hook is a stranger's code
        raise ConfigurationError(f"{culprit} fails: {one_line(error)}") from error
    if len(specs) != 1 or not isinstance(specs[0], hooks.ProviderSpec):
        found = f"{len(specs)} hooks that return" if len(specs) > 1 else "no hook that returns"
        raise ConfigurationError(
            f"{culprit} has {found} a ProviderSpec.",
            hint="Its plugin module needs one `@hookimpl def embedbridge_provider()`.",
        )
    spec: ProviderSpec = specs[0]
    if spec.contract_version != hooks.CONTRACT_VERSION:
        raise ConfigurationError(
            f"{culprit} was written for contract {spec.contract_version}, "
            f"this is contract {hooks.CONTRACT_VERSION}.",
            hint=f"Install a version of {info.distribution} that fits embedbridge-core.",
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


def _allow_list() -> frozenset[str] | None:
    text = os.environ.get(ALLOW_LIST_VARIABLE)
    if text is None:
        return None
    return frozenset(sys.intern(name.strip()) for name in text.split(",") if name.strip())
