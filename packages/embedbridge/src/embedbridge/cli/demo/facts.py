"""Environment and resources of a run: model, versions, processor threads and peak memory."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from embedbridge.contract.local import usable_processors

if TYPE_CHECKING:
    from embedbridge.core import Embedder

LIBRARIES = ("embedbridge-core", "llama-index-core", "langchain-core", "numpy")
"""Packages with a part in every demo."""
ENGINES = {"clip": "torch", "huggingface": "torch", "onnx": "onnxruntime"}
"""By provider: the module that computes its vectors; its package may be called `onnxruntime-gpu`."""


def facts_of(embedder: Embedder) -> dict[str, str]:
    """Model, versions, processor and memory, by what stands before each in the output."""
    provider = embedder.model.provider
    return {
        "Model": f"{provider}:{embedder.model.name}",
        "Versions": ", ".join(versions(provider)),
        "Processor": f"{platform.machine()}, {usable_processors()} threads for this process",
        "Memory": memory(),
    }


def versions(provider: str) -> list[str]:
    """Python and the packages that took part, each with its version, as far as it is known."""
    names = [*LIBRARIES, *_packages_of(ENGINES.get(provider))]
    found = [f"Python {platform.python_version()}"]
    for name in names:
        with suppress(importlib.metadata.PackageNotFoundError):
            found.append(f"{name} {importlib.metadata.version(name)}")
    return found


def _packages_of(module: str | None) -> list[str]:
    """The installed packages that bring a module; most are called as it is."""
    if module is None:
        return []
    try:
        importlib.metadata.version(module)
    except importlib.metadata.PackageNotFoundError:
        return sorted(set(importlib.metadata.packages_distributions().get(module, [])))
    return [module]


def memory() -> str:
    """The most that this process has had in memory so far."""
    if sys.platform == "win32":
        return "not measured on Windows"
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return f"{peak * unit / 1e6:.0f} MB at most, of this process"
