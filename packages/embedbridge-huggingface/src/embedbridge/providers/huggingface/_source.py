"""Model resolution: a name is a folder on this disk, or a repository on the Hub."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from embedbridge.contract.local import find_folder

if TYPE_CHECKING:
    from embedbridge.providers.huggingface.options import HuggingFaceOptions


@dataclass(frozen=True, slots=True)
class Source:
    """Where a model comes from."""

    address: str
    """What sentence-transformers is asked for: a path, or a Hub id as the user wrote it."""
    folder: Path | None = None
    """The folder, if it is one."""


def find_source(name: str, place: Path) -> Source:
    """Tell a folder from a Hub id, without asking the Hub.

    Raises:
        UnknownModelError: The name is a path, and no folder is there.
    """
    folder = find_folder(name, place)
    return Source(name) if folder is None else Source(str(folder), folder)


def cache_folder(options: HuggingFaceOptions) -> str | None:
    """Where downloads lie, as sentence-transformers decides it; `None` is the Hub's own place."""
    return options.cache_folder or os.environ.get("SENTENCE_TRANSFORMERS_HOME")
