"""Model resolution: from a name to a folder on this disk, a local one or a snapshot of the Hub's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from embedbridge.contract.errors import UnknownModelError, short_repr
from embedbridge.contract.local import (
    Saved,
    find_folder,
    list_modules,
    read_saved,
    without_hub,
)
from embedbridge.providers.clip.names import HUB_IDS, SAFE_REVISIONS, hub_id_of

if TYPE_CHECKING:
    from embedbridge.providers.clip.options import CLIPOptions

SAFE_WEIGHTS = ("model.safetensors", "model-*-of-*.safetensors")
PICKLED_WEIGHTS = ("pytorch_model.bin", "pytorch_model-*-of-*.bin")
SETTINGS = ("*.json", "*.txt", "*.model")
"""Configurations and the files of tokenizers."""
TOWERS = ("CLIPModel", "Transformer")
"""Modules of sentence-transformers that hold a whole CLIP."""
HARMLESS = ("Normalize",)
"""Modules of sentence-transformers that change nothing but the length of a vector."""


@dataclass(frozen=True, slots=True)
class Source:
    """A model on this disk."""

    address: str
    """Its folder, or its id on the Hub."""
    folder: Path
    """Everything about it, which identifies it."""
    inner: Path
    """What transformers loads; sentence-transformers puts it into a folder below."""
    saved: Saved
    """Prompts, and dimensions that are kept, where sentence-transformers saved it."""
    commit: str | None = None
    """The commit, if it comes from the Hub."""


def address_of(name: str, place: Path) -> str:
    """What a name stands for: a folder's path, or an id on the Hub.

    Raises:
        UnknownModelError: It names a model that transformers cannot run.
    """
    address = hub_id_of(name)
    return str(place) if address == name and place.is_dir() else address


def find_source(name: str, place: Path, options: CLIPOptions) -> Source:
    """Find a model, and download it where it must be.

    Raises:
        UnknownModelError: It is not there, or is nothing that transformers could load.
        Exception: Whatever the Hub's library raises; see `_loader`.
    """
    address = address_of(name, place)
    # OpenAI's short names are no folders; of the id behind one there may be a folder.
    local = find_folder(address, None if name in HUB_IDS else place)
    if local is not None:
        return _source(address, local)
    snapshot = _download(address, options)
    return _source(address, snapshot, snapshot.name)  # the Hub's cache: …/snapshots/<commit>


def check_weights(source: Source, options: CLIPOptions) -> None:
    """Make sure that there are weights, and that reading them runs no code.

    Raises:
        UnknownModelError: There are none, or only pickled ones.
    """
    if _has(source.inner, SAFE_WEIGHTS):
        return
    if not _has(source.inner, PICKLED_WEIGHTS) and source.commit is None:
        raise UnknownModelError(
            f"The folder {short_repr(str(source.inner))} holds no weights.",
            hint="It needs model.safetensors, as `save_pretrained` writes it.",
        )
    if options.safetensors_only:
        raise UnknownModelError(
            f"{short_repr(source.address)} has no weights as safetensors.",
            hint="Set revision to a commit that has them, such as that of the Hub's converter in "
            "the repository's pull requests; or set safetensors_only=False if you trust it.",
        )


def _download(hub_id: str, options: CLIPOptions) -> Path:
    from huggingface_hub import snapshot_download

    weights = SAFE_WEIGHTS if options.safetensors_only else (*SAFE_WEIGHTS, *PICKLED_WEIGHTS)
    below = [f"0_*/{pattern}" for pattern in weights]  # as sentence-transformers stores a CLIP
    return Path(
        snapshot_download(
            hub_id,
            revision=options.revision or SAFE_REVISIONS.get(hub_id.lower()),
            cache_dir=options.cache_folder,
            local_files_only=without_hub(offline=options.offline),
            allow_patterns=[*SETTINGS, *weights, *below],
        )
    )


def _source(address: str, folder: Path, commit: str | None = None) -> Source:
    """What lies in a folder: of sentence-transformers' modules, the towers are the first one."""
    modules = list_modules(folder)
    if modules is None:
        return Source(address, folder, folder, Saved(), commit)
    kinds = [module.kind for module in modules]
    if not kinds or kinds[0] not in TOWERS or any(kind not in HARMLESS for kind in kinds[1:]):
        raise UnknownModelError(
            f"{short_repr(address)} has modules beside its towers: {', '.join(kinds)}.",
            hint="Load it with the provider huggingface, which runs all of them.",
        )
    return Source(address, folder, modules[0].path, read_saved(folder), commit)


def _has(folder: Path, patterns: tuple[str, ...]) -> bool:
    return any(True for pattern in patterns for _ in folder.glob(pattern))
