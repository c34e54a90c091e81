"""Model identity: the commit of a model of the Hub that was loaded, and the base of an adapter."""

from __future__ import annotations

from pathlib import Path

from embedbridge.contract.local import folder_digest, read_object

ADAPTER = "adapter_config.json"
"""The file of an adapter, which changes a model that lies elsewhere (PEFT)."""


def hub_commit(hub_id: str, revision: str | None, cache_folder: str | None) -> str | None:
    """The commit of a model that has just been loaded, as the Hub's cache knows it."""
    folder = hub_folder(hub_id, revision, cache_folder)
    return revision if folder is None else folder.name  # …/snapshots/<commit>


def hub_folder(hub_id: str, revision: str | None, cache_folder: str | None) -> Path | None:
    """Where the Hub's cache keeps the files of a model that has just been loaded."""
    from huggingface_hub import try_to_load_from_cache

    for file in ("modules.json", "config.json", ADAPTER):
        found = try_to_load_from_cache(hub_id, file, cache_dir=cache_folder, revision=revision)
        if isinstance(found, str):
            return Path(found).parent
    return None


def base_of(folder: Path | None, cache_folder: str | None) -> dict[str, object]:
    """What identifies the model that an adapter changes; empty where there is no adapter.

    Args:
        folder: Where the adapter's files lie.
        cache_folder: Where downloaded models lie.
    """
    if folder is None:
        return {}
    for place in (folder, *sorted(path.parent for path in folder.glob(f"*/{ADAPTER}"))):
        name = read_object(place / ADAPTER).get("base_model_name_or_path")
        # With a configuration beside it, its base is in the folder as well.
        if isinstance(name, str) and not (place / "config.json").is_file():
            base = Path(name)
            if base.is_dir():
                return {"base": folder_digest(base).files}
            return {"base": f"{name.lower()} {hub_commit(name, None, cache_folder)}"}
    return {}
