"""Installed packages and providers, for `embedbridge doctor`: versions, and what is torn.

The variables of vendors hold keys: they are only ever said to be set or not.
"""

from __future__ import annotations

import importlib.metadata
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from embedbridge.core import ProviderInfo, Registry

NEIGHBOURS = (
    "botocore",
    "cohere",
    "google-auth",
    "langchain-core",
    "llama-index-core",
    "numpy",
    "onnxruntime",
    "openai",
    "pillow",
    "pydantic",
    "safetensors",
    "sentence-transformers",
    "tokenizers",
    "torch",
    "transformers",
)
"""Packages of others that vectors or errors may depend on."""


@contextmanager
def logged_warnings(problems: list[str]) -> Iterator[None]:
    """What our packages log as a warning meanwhile is a problem too, and is not printed as well."""

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if (said := record.getMessage()) not in problems:
                problems.append(said)

    logger, collector = logging.getLogger("embedbridge"), Collector(logging.WARNING)
    propagated, logger.propagate = logger.propagate, False
    logger.addHandler(collector)
    try:
        yield
    finally:
        logger.removeHandler(collector)
        logger.propagate = propagated


def announced() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The providers, and the variables that they read."""
    from embedbridge.core import Registry

    registry = Registry()
    found = registry.check()
    return [asdict(info) for info in found], variables(registry, found)


def packages() -> tuple[dict[str, str], list[str]]:
    """Ours, and those of others that matter, with their versions; and which of them are torn."""
    found: dict[str, str] = {}
    problems = []
    for distribution in importlib.metadata.distributions():
        name = metadata_field(distribution, "Name").lower()
        if name in NEIGHBOURS or "embedbridge" in name:
            found[name] = metadata_field(distribution, "Version") or "?"
            if found[name] == "?":
                problems.append(f"The package {name} has no version: reinstall it.")
    return dict(sorted(found.items())), problems


def metadata_field(distribution: importlib.metadata.Distribution, name: str) -> str:
    """A field of a package's metadata; an interrupted installation leaves some without."""
    try:
        return distribution.metadata[name] or ""
    except Exception:  # noqa: BLE001  # missing, cut off or no text: each Python raises its own
        return ""


def variables(registry: Registry, found: Iterable[ProviderInfo]) -> list[dict[str, Any]]:
    """Variables that providers read, by name: whether they are set, never to what."""
    return [
        {"name": name, "provider": info.name, "is_set": bool(os.environ.get(name))}
        for info in found
        if info.status == "installed"
        for name in registry.spec(info.name).variables
    ]
