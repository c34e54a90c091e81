"""Environment and resources of a run: model, versions, processor threads and peak memory."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from typing import TYPE_CHECKING

from embedbridge.contract.local import usable_processors

if TYPE_CHECKING:
    from embedbridge.core import Embedder

LIBRARIES = ("embedbridge-core", "llama-index-core", "langchain-core", "numpy")
"""Packages with a part in every demo."""
ENGINES = {"clip": "torch", "huggingface": "torch", "onnx": "onnxruntime"}
"""By provider: what computes its vectors."""


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
    """Python and the packages that took part, each with its version."""
    names = (*LIBRARIES, *filter(None, [ENGINES.get(provider)]))
    found = [f"Python {platform.python_version()}"]
    return found + [f"{name} {importlib.metadata.version(name)}" for name in names]


def memory() -> str:
    """The most that this process has had in memory so far."""
    if sys.platform == "win32":
        return "not measured on Windows"
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return f"{peak * unit / 1e6:.0f} MB at most, of this process"
