"""Path expansion and directory walk: `~` in paths as users write them, and the files below a folder."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from pathlib import Path

from embedbridge.contract.errors import ConfigurationError, short_path

_URI = re.compile(r"[a-z][a-z0-9+.-]+:[/\\]", re.IGNORECASE)
"""`s3://bucket`, and `s3:/bucket`, which pathlib makes of it; a drive of Windows has one letter."""


def is_uri(path: str | os.PathLike[str]) -> bool:
    """Whether a path was meant as a URI, also where pathlib has taken a slash of it."""
    return _URI.match(os.fspath(path)) is not None


def expanded(path: str | os.PathLike[str]) -> Path:
    """A path with `~` and `~user` replaced; a user who is not known stays, where pathlib fails.

    Nothing is there then, and whoever opens it says so. What makes its own folders takes
    `expanded_for_writing` instead.
    """
    return Path(os.path.expanduser(path))  # noqa: PTH111


def expanded_for_writing(
    path: str | os.PathLike[str], hint: str = "Pass an absolute path."
) -> Path:
    """The same for a place whose folders are made: none must be named `~user`, or `s3:`.

    Args:
        path: As users write it.
        hint: The remedy for a user who is not known, and for a URI.

    Raises:
        ConfigurationError: The path is a URI, or begins with a home directory that does not exist.
    """
    if is_uri(path):
        raise ConfigurationError(f"{short_path(path)} is no path of this machine.", hint=hint)
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise ConfigurationError(
            f"{short_path(path)} begins with a home directory that does not exist.",
            hint=hint,
        ) from error


def files_below(folder: Path, endings: Collection[str] | None = None) -> list[Path]:
    """The files in a folder and the folders in it, in order; none of hidden folders or environments.

    Args:
        folder: Where to look.
        endings: Such as `{".md"}`, in lower case; `None` for all files.
    """
    found: list[Path] = []
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not _is_foreign(Path(root, name)))
        paths = (Path(root, name) for name in sorted(files) if not name.startswith("."))
        found += (path for path in paths if endings is None or path.suffix.lower() in endings)
    return found


def _is_foreign(folder: Path) -> bool:
    """Whether a folder holds what its owner did not write."""
    hidden = folder.name.startswith(".") or folder.name == "node_modules"
    return hidden or (folder / "pyvenv.cfg").exists()
