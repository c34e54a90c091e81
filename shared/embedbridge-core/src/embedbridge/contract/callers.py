"""Whose line a warning names: the caller's, however deep below it the warning is found.

Python shows a warning once per line: one that names a line of ours is shown to the first caller alone.
"""

from __future__ import annotations

import inspect
from types import FrameType

BETWEEN = (
    "embedbridge",
    "langchain_embedbridge",
    "llama_index.embeddings.embedbridge",
    "llama_index.core.base.embeddings",  # the base class, whose methods call ours
    "llama_index.core.schema",  # its base class
    "llama_index_instrumentation",  # around each of these methods
    "pydantic",
    "contextlib",
    "functools",
)
"""Packages and modules that stand between a caller and what warns."""


def level_of_caller() -> int:
    """The `stacklevel` of the first line that is not ours, for a warning in the function that asks."""
    level, frame = 0, inspect.currentframe()
    while frame is not None and frame.f_back is not None and _is_between(frame):
        level, frame = level + 1, frame.f_back
    return level


def _is_between(frame: FrameType) -> bool:
    module = str(frame.f_globals.get("__name__"))
    return any(module == name or module.startswith(f"{name}.") for name in BETWEEN)
