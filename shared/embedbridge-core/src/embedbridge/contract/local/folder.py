"""Model source: whether a name is a folder on this disk or an id on the Hub; and what kind of folder."""

from __future__ import annotations

from pathlib import Path

from embedbridge.contract.errors import UnknownModelError, short_path
from embedbridge.contract.paths import expanded


def find_folder(name: str, *, bare_ids: bool = True) -> Path | None:
    """The folder of that name; `None` if the name is a Hub id. The Hub is not asked.

    Args:
        name: What the user wrote.
        bare_ids: Whether an id may stand without its owner: `model` beside `owner/model`.

    Raises:
        UnknownModelError: The name is a path, and no folder is there.
    """
    folder = expanded(name)
    if folder.is_dir():
        return folder
    if _is_path(name, bare_ids=bare_ids):
        raise UnknownModelError(
            f"There is no folder {short_path(folder)}.",
            hint="Check the path; it is relative to the folder in which Python runs.",
        )
    return None


def manifest_path(folder: Path) -> Path:
    """Where the manifest lies of a folder with two towers, see `tower_manifest.py`."""
    return folder / "onnx" / "towers.json"


def _is_path(name: str, *, bare_ids: bool) -> bool:
    """Whether a name cannot be a Hub id."""
    slashes = name.count("/")
    return (
        name.startswith((".", "~"))
        or Path(name).is_absolute()
        or "\\" in name
        or slashes > 1
        or (slashes == 0 and not bare_ids)
        or Path(name).is_file()
    )
