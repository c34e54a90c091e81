"""What a model's name stands for: a folder on this disk, or a repository on the Hub."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from embedbridge.contract.errors import UnknownModelError, shown

if TYPE_CHECKING:
    from embedbridge.providers.huggingface.options import HuggingFaceOptions


@dataclass(frozen=True, slots=True)
class Source:
    """Where a model comes from."""

    address: str
    """What sentence-transformers is asked for: a path, or a Hub id as the user wrote it."""
    folder: Path | None = None
    """The folder, if it is one."""


def find_source(name: str) -> Source:
    """Tell a folder from a Hub id, without asking the Hub.

    Raises:
        UnknownModelError: The name is a path, and no folder is there.
    """
    folder = Path(os.path.expanduser(name))  # noqa: PTH111  # Path's own fails for unknown users
    if folder.is_dir():
        return Source(str(folder), folder)
    if _is_path(name):
        raise UnknownModelError(
            f"There is no folder {shown(str(folder))}.",
            hint="Check the path; it is relative to the folder in which Python runs.",
        )
    return Source(name)


def cache_folder(options: HuggingFaceOptions) -> str | None:
    """Where downloads lie, as sentence-transformers decides it; `None` is the Hub's own place."""
    return options.cache_folder or os.environ.get("SENTENCE_TRANSFORMERS_HOME")


def _is_path(name: str) -> bool:
    """Whether a name cannot be a Hub id, which is `model` or `owner/model`."""
    return (
        name.startswith((".", "~"))
        or Path(name).is_absolute()
        or "\\" in name
        or name.count("/") > 1
        or Path(name).is_file()
    )
