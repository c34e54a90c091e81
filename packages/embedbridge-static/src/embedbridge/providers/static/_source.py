"""What a model's name stands for: a folder on this disk, or one of the Hub."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from embedbridge.contract.local import fetch_files, find_folder

if TYPE_CHECKING:
    from embedbridge.providers.static.options import StaticOptions

FILES = ("*.json", "*model.safetensors")
"""What a static model consists of."""


class Source(NamedTuple):
    """Where a model comes from."""

    folder: Path
    """Where its files lie."""
    hub_id: str | None
    """Its id, if it comes from the Hub."""


def find_source(name: str, place: Path, options: StaticOptions) -> Source:
    """Find a model's files; only those of the Hub may have to be fetched.

    Raises:
        UnknownModelError: The name is a path and no folder is there, or the Hub has no such model.
        AuthenticationError: It is gated, and the terms were not accepted.
    """
    folder = find_folder(name, place, bare_ids=False)
    if folder is not None:
        return Source(folder, None)
    return Source(fetch_files(name, options, FILES, package="embedbridge-static[hub]"), name)
