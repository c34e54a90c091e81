"""Model identity: exactly which weights a model has, and what its vectors may be compared with."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from embedbridge.contract.local import (
    TowerManifest,
    export_digest,
    folder_digest,
    folder_identity,
    hub_identity,
    pooled_space,
)
from embedbridge.providers.onnx import bundled
from embedbridge.providers.onnx._source import Source


def identify(
    source: Source, export: Path, transformer: Path, pooling: str, *, is_own: bool
) -> tuple[str, dict[str, object]]:
    """The space of a model's vectors, and what identifies its weights.

    A folder that also holds the weights from which the export was made shares their space: the
    vectors of `huggingface:FOLDER` may be compared with those of `onnx:FOLDER`.

    Args:
        source: Where the model comes from.
        export: Its ONNX file.
        transformer: Where the weights lie from which it was made, if they are there.
        pooling: How token vectors become one, in the word of sentence-transformers.
        is_own: Whether that is the model's own pooling.
    """
    other = "" if is_own else pooling
    if source.bundled:
        space = pooled_space(bundled.SPACE, other)
        return space, {"model": bundled.NAME, "files": bundled.check_files()}
    where = export.relative_to(source.folder).as_posix()
    if source.hub_id is not None:
        # The Hub's cache keeps a snapshot in a folder named like its commit.
        space, weights = hub_identity(source.hub_id, source.folder.name, other)
        return space, {**weights, "export": where}
    space, weights = folder_identity(source.folder, pooling)
    exported = export_digest(export, source.folder)
    if not (any(transformer.glob("*.safetensors")) or any(transformer.glob("*.bin"))):
        # The layers around the transformer, if there are any, lie beside its export.
        layers = folder_digest(source.folder).weights
        digest = hashlib.sha256(f"{exported} {layers} {pooling}".encode()).hexdigest()
        space = f"weights:{digest[:16]}"
    return space, {**weights, "export": exported}


def identify_towers(
    source: Source, manifest: TowerManifest, files: Iterable[str]
) -> dict[str, object]:
    """What decides the vectors of two towers: their files, and how inputs reach them.

    Args:
        source: Where they come from.
        manifest: What was exported; the digests in it are compared when a tower is loaded.
        files: Names of the other files that are read. What else lies in the folder decides nothing.
    """
    if source.hub_id is not None:
        return hub_identity(source.hub_id, source.folder.name)[1]
    digests = [hashlib.sha256((source.folder / name).read_bytes()).hexdigest() for name in files]
    towers = {"texts": manifest.texts.model_dump(), "images": manifest.images.model_dump()}
    return {"model": "towers", "files": digests, **towers}
