"""Model identity: the commit of a model of the Hub that was loaded."""

from __future__ import annotations

from pathlib import Path


def hub_commit(hub_id: str, revision: str | None, cache_folder: str | None) -> str | None:
    """The commit of a model that has just been loaded, as the Hub's cache knows it."""
    folder = hub_folder(hub_id, revision, cache_folder)
    return revision if folder is None else folder.name  # …/snapshots/<commit>


def hub_folder(hub_id: str, revision: str | None, cache_folder: str | None) -> Path | None:
    """Where the Hub's cache keeps the files of a model that has just been loaded."""
    from huggingface_hub import try_to_load_from_cache

    for file in ("modules.json", "config.json"):
        found = try_to_load_from_cache(hub_id, file, cache_dir=cache_folder, revision=revision)
        if isinstance(found, str):
            return Path(found).parent
    return None
