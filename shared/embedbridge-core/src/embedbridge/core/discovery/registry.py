"""Plugin registry: which providers are installed. Listing reads metadata and imports nothing.

A plugin that fails costs itself only: each is imported in its own `try`, and its reason is kept.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import Distribution, EntryPoint
from typing import TYPE_CHECKING, Literal

from embedbridge.contract import hooks
from embedbridge.contract.errors import ConfigurationError, UnknownProviderError, short_repr
from embedbridge.core.discovery.entry_points import Package, installed_entry_points, package_of
from embedbridge.core.discovery.own_providers import (
    DISTRIBUTIONS,
    OBJECTS,
    OTHER_NAMES,
    install_hint,
)
from embedbridge.core.discovery.plugin_hooks import ask, checked, one_line, read_spec
from embedbridge.core.discovery.providers_file import (
    LIKE,
    ProvidersFile,
    Row,
    own_providers_file,
)

if TYPE_CHECKING:
    from embedbridge.contract.hooks import ProviderSpec

ALLOW_LIST_VARIABLE = "EMBEDBRIDGE_PROVIDERS"
"""Environment variable: comma-separated provider names that may be loaded; unset means all."""

logger = logging.getLogger(__name__)

MOST_LISTED = 12
"""Providers that a message lists; of more it says how many there are."""
NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderInfo:
    """One announced provider, as its package's metadata describes it."""

    name: str
    """What users type before the colon."""
    distribution: str
    """The package that announces it, or the path of the user's own file."""
    version: str
    """That package's version; empty for a file."""
    status: Literal["installed", "refused", "broken"] = "installed"
    """`refused` is never imported; `broken` is known only after an import was tried."""
    reason: str | None = None
    """Why it is refused or broken, and what to do."""
    summary: str | None = None
    """What it is, in a line: the package's description, after an import the plugin's own."""


class Registry:
    """The providers that a set of entry points announces, and those of the user's own file.

    A row of the file goes before an installed provider of the same name: a package that comes to
    know that name must not change what the user's code means.

    Args:
        points: Entry points of the group `embedbridge`; the installed ones if left out.
        allowed: Names that may be loaded; from `EMBEDBRIDGE_PROVIDERS` if left out.
        file: The user's own providers; if left out, the user's file where `points` is left out too,
            else none.
    """

    def __init__(
        self,
        points: Iterable[EntryPoint] | None = None,
        *,
        allowed: Iterable[str] | None = None,
        file: ProvidersFile | None = None,
    ) -> None:
        if file is None:
            file = own_providers_file() if points is None else ProvidersFile(None)
        self._file = file
        if points is None:
            points = installed_entry_points(hooks.ENTRY_POINT_GROUP)
        self._packages: dict[Distribution, Package] = {}
        self._points: dict[str, list[EntryPoint]] = defaultdict(list)
        for point in points:
            self._points[point.name].append(point)
        self._allowed = _allow_list() if allowed is None else frozenset(allowed)

    def providers(self) -> list[ProviderInfo]:
        """Every announced provider by name, without importing any."""
        rows = self._rows
        listed = [self._describe_row(name, rows[name]) for name in rows]
        for name in self._points:
            listed += [self._describe(point) for point in self._points[name]]
        return sorted(listed, key=lambda info: info.name)

    def check(self) -> list[ProviderInfo]:
        """The same after importing each plugin, the broken ones with their reason."""
        return [
            self._try(info) if info.status == "installed" else info for info in self.providers()
        ]

    def spec(self, name: str) -> ProviderSpec:
        """Import one provider's plugin, and no other.

        Raises:
            UnknownProviderError: No installed package announces that name.
            ConfigurationError: It is announced twice, not allowed, or its plugin or row is broken.
        """
        rows = self._rows if name in self._points else self._file.rows
        if name in rows:
            return self._spec_of_row(name, rows[name])
        plugin, info = self._plugin(name)
        culprit = f"Provider {name!r} of {info.distribution} {info.version}"
        return read_spec(plugin, culprit, info.distribution)

    def _plugin(self, name: str) -> tuple[object, ProviderInfo]:
        """Import a provider's plugin."""
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
            return point.load(), info
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a stranger's import may do anything, even sys.exit()
            raise ConfigurationError(
                f"Provider {name!r} of {info.distribution} {info.version} fails to import: "
                f"{one_line(error)}",
                hint=f"Reinstall or remove {info.distribution}.",
            ) from error

    @cached_property
    def _rows(self) -> Mapping[str, Row]:
        """The user's own rows; none where their file cannot be read, which is told."""
        try:
            return self._file.rows
        except ConfigurationError as error:
            logger.warning("%s", error)
            return {}

    def _spec_of_row(self, name: str, row: Row) -> ProviderSpec:
        """Ask the plugin of the kind that a row names what becomes of it."""
        info = self._describe_row(name, row)
        place = f"The providers file {self._file.place}, [{name}]"
        if info.status == "refused":
            raise ConfigurationError(f"{place}: {info.reason}.")
        like = row.get(LIKE)
        if not isinstance(like, str):
            raise ConfigurationError(
                f'{place}: the line {LIKE} = "PROVIDER" is missing.',
                hint=f'A server with OpenAI\'s API needs {LIKE} = "openai-compatible".',
            )
        values = {field: value for field, value in row.items() if field != LIKE}
        try:
            plugin, _ = self._plugin(like)
            specs = ask(plugin, "embedbridge_variant", place, name=name, row=values)
        except ConfigurationError as error:
            raise ConfigurationError(f"{place}: {error.message}", hint=error.hint) from error
        if not specs:
            raise ConfigurationError(f"{place}: the provider {like!r} has no further kinds.")
        return checked(specs, place, self._file.place)

    def _describe(self, point: EntryPoint) -> ProviderInfo:
        distribution, version, summary = self._package(point)
        info = ProviderInfo(
            name=point.name, distribution=distribution, version=version, summary=summary
        )
        reason = self._objection(point, info)
        return replace(info, status="refused", reason=reason) if reason else info

    def _describe_row(self, name: str, row: Row) -> ProviderInfo:
        info = ProviderInfo(
            name=name, distribution=self._file.place, version="", summary=f"Like {row.get(LIKE)}."
        )
        reason = self._objection_to_name(name)
        return replace(info, status="refused", reason=reason) if reason else info

    def _objection(self, point: EntryPoint, info: ProviderInfo) -> str | None:
        """Why this entry point must not be imported, if there is a reason."""
        if reason := self._objection_to_name(point.name):
            return reason
        if point.name in self._rows:
            return f"replaced by [{point.name}] in {self._file.place}"
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
        return None

    def _objection_to_name(self, name: str) -> str | None:
        if not NAME.fullmatch(name):
            return f"{short_repr(name)} is not a provider name (lower case, digits, . _ -)"
        if self._allowed is not None and name not in self._allowed:
            return f"not in the allow-list {ALLOW_LIST_VARIABLE}"
        return None

    def _package(self, point: EntryPoint) -> Package:
        """The package that announces a provider, as far as its metadata describes it."""
        if point.dist is None:
            return Package()
        if point.dist not in self._packages:  # one may announce dozens
            self._packages[point.dist] = package_of(point.dist)
        return self._packages[point.dist]

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
            names = {*installed, *DISTRIBUTIONS}
            near = difflib.get_close_matches(OTHER_NAMES.get(name, name), names, n=1, cutoff=0.7)
            hint = f"Did you mean {near[0]!r}?" if near else "See `embedbridge providers`."
        return UnknownProviderError(
            f"No installed package announces the provider {short_repr(name)}. "
            f"Installed: {_few(installed)}.",
            hint=hint,
        )


def list_providers() -> list[ProviderInfo]:
    """Every provider that an installed package announces, by name; imports no plugin."""
    return Registry().providers()


def _few(names: list[str]) -> str:
    more = len(names) - MOST_LISTED
    return ", ".join(names[:MOST_LISTED]) + (f" and {more} more" if more > 0 else "") or "none"


def _allow_list() -> frozenset[str] | None:
    text = os.environ.get(ALLOW_LIST_VARIABLE)
    if text is None:
        return None
    return frozenset(sys.intern(name.strip()) for name in text.split(",") if name.strip())
