"""Diagnostics: what `embedbridge doctor` finds out, as JSON values. It changes and sends nothing.

Of the environment it tells names and settings, which are numbers and words. The variables of
vendors hold keys: they are only ever said to be set or not.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from embedbridge.cli.doctor.installation import announced, logged_warnings, packages
from embedbridge.cli.doctor.machine import not_asked, processor, python, torch_devices
from embedbridge.cli.doctor.remedies import explained
from embedbridge.cli.doctor.settings import misspelt_variables, settings_of
from embedbridge.contract.errors import ConfigurationError

T = TypeVar("T")


class Findings:
    """What is found out, section by section. One that fails is a problem, and costs no other.

    The doctor is what users run when all else fails: it never ends in a traceback.
    """

    def __init__(self) -> None:
        self.problems: list[str] = []

    def look(self, section: str, look: Callable[[], T], otherwise: Any) -> T:
        """The facts of a section, or `otherwise`, which is of the same type, and a problem."""
        try:
            return look()
        except Exception as error:  # noqa: BLE001  # whatever a broken environment raises
            said = explained(error)
            remedy = f" {said['remedy']}" if said["remedy"] else ""
            self.problems.append(f"{section}: {said['error']}: {said['message']}{remedy}")
            empty: T = otherwise
            return empty


def examine(options: Mapping[str, Any], *, devices: bool) -> dict[str, Any]:
    """Everything but a model.

    Args:
        options: What was given on the command line; fields of `Settings` among it are looked at.
        devices: Whether to import torch and ask it.
    """
    found = Findings()
    settings, wrong = found.look("Settings", lambda: settings_of(options), ([], []))
    with logged_warnings(found.problems):  # of packages that are torn
        providers, read = found.look("Providers", announced, ([], []))
    versions, torn = found.look("Packages", packages, ({}, []))
    facts: dict[str, Any] = {
        "python": found.look("Python", python, {"version": platform.python_version()}),
        "packages": versions,
        "settings": settings,
        "variables": read,
        "cache": found.look("Cache", cache, {"path": None, "exists": False, "problem": None}),
        "processor": found.look("Processor", processor, {}),
        "devices": found.look("Devices", torch_devices if devices else not_asked, {}),
        "providers": providers,
    }
    misspelt = found.look("Variables", lambda: misspelt_variables(one["name"] for one in read), [])
    found.problems += [*wrong, *torn, *misspelt]
    found.problems += [
        f"Provider {one['name']}: {one['reason']}" for one in providers if one["status"] == "broken"
    ]
    if facts["cache"]["problem"]:
        found.problems.append(facts["cache"]["problem"])
    return {**facts, "problems": found.problems}


def cache() -> dict[str, Any]:
    """Where `cache=True` keeps vectors, and whether that works; it is not made by looking."""
    from embedbridge.core import DiskCache
    from embedbridge.core.tooling import default_path

    path = default_path()
    facts: dict[str, Any] = {"path": str(path), "exists": path.exists(), "problem": None}
    folder = next(parent for parent in path.parents if parent.exists())
    if not os.access(path if path.exists() else folder, os.W_OK) or not folder.is_dir():
        facts["problem"] = (
            f"The cache {facts['path']!r} cannot be written: check its permissions, or set "
            "EMBEDBRIDGE_CACHE_DIR to another folder."
        )
    elif path.exists():
        held = DiskCache(path)
        try:
            info = held.info()
            facts |= {"vectors": info.vectors, "bytes": info.bytes_used}
        except ConfigurationError as error:
            facts["problem"] = str(error)
        finally:
            held.close()
    return facts
