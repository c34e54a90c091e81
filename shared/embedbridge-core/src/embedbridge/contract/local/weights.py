"""Content hashes of weights: the identity of a local model, and the space of its vectors."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

IGNORED_ENDINGS = (".md", ".h5", ".msgpack", ".onnx", ".onnx.data", ".onnx_data", ".ot")
"""Documentation, and weights for other frameworks: they decide no vector of ours."""
IGNORED_FOLDERS = frozenset({"onnx", "openvino", "__pycache__"})


@dataclass(frozen=True, slots=True)
class FolderDigest:
    """What is in a model's folder, wherever it lies."""

    files: str
    """SHA-256 over the names and contents of all files that can decide a vector."""
    weights: str
    """SHA-256 over the weights alone, which decide what vectors can be compared with."""

    def space(self, pooling: str = "") -> str:
        """The name of the vector space: the mean of tokens is no neighbour of the first one."""
        digest = hashlib.sha256(f"{self.weights} {pooling}".encode()).hexdigest()
        return f"weights:{digest[:16]}"


def hub_identity(
    hub_id: str, commit: str | None, pooling: str = ""
) -> tuple[str, dict[str, object]]:
    """Space and identity of a model of the Hub: its id, and the commit that was loaded.

    The provider is not part of them: another one that runs the same weights makes the same vectors.

    Args:
        hub_id: Its id.
        commit: What was loaded.
        pooling: Set where it is not the model's own.
    """
    return pooled_space(hub_id.lower(), pooling), {"commit": commit}


def pooled_space(space: str, pooling: str) -> str:
    """A space, where a model's vectors are pooled in another way than its own."""
    return f"{space}:{pooling}" if pooling else space


def folder_identity(folder: Path, pooling: str = "") -> tuple[str, dict[str, object]]:
    """Space and identity of a model in a folder: what its files hold, wherever it lies."""
    digest = folder_digest(folder)
    return digest.space(pooling), {"model": "folder", "files": digest.files}


def folder_digest(folder: Path) -> FolderDigest:
    """Read every file of a model once; a file that has not changed is not read again."""
    digests = {path: _file_digest(folder / path) for path in sorted(_relevant_files(folder))}
    safe = [digest for path, digest in digests.items() if path.endswith(".safetensors")]
    other = [digest for path, digest in digests.items() if path.endswith((".bin", ".pt", ".pth"))]
    return FolderDigest(
        files=_combine(f"{path}\0{digest}" for path, digest in digests.items()),
        weights=_combine(safe or other),  # where both are there, safetensors are what is loaded
    )


def export_digest(export: Path, folder: Path | None = None) -> str:
    """SHA-256 over an ONNX file and the files that may hold its weights.

    Args:
        export: The file.
        folder: That of the model, so that an export somewhere below a folder of exports is known as
            such, as in `onnx/fp32/model.onnx`; `None` looks at the export's own folder only.
    """
    whole = hashlib.sha256()
    for path in sorted({export, *_weights_of(export, folder or export.parent.parent)}):
        with path.open("rb") as file:
            whole.update(hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()


def _weights_of(export: Path, folder: Path) -> Iterator[Path]:
    """Files in which an export may keep weights (`TensorProto.external_data`).

    Exporters call them `model.onnx_data` or `model.onnx.data`, and older ones by the name of a tensor,
    beside the export or in a folder below.
    """
    for path in export.parent.iterdir():
        if path.name.startswith((f"{export.name}_", f"{export.name}.")) and path.is_file():
            yield path
    # Elsewhere than in a folder of exports, `folder_digest` reads every file.
    if IGNORED_FOLDERS.intersection(export.parent.relative_to(folder).parts):
        no_weights = (*IGNORED_ENDINGS, ".json", ".txt")
        for path in export.parent.rglob("*"):
            if not path.name.lower().endswith(no_weights) and path.is_file():
                yield path


def _relevant_files(folder: Path) -> Iterator[str]:
    """Paths relative to the folder, with forward slashes."""
    seen: set[str] = set()
    for here, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(here)
        if real in seen:  # a link that leads back up
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [f for f in folders if f not in IGNORED_FOLDERS and not f.startswith(".")]
        for file in files:
            path = Path(here, file)
            if not file.startswith(".") and not file.lower().endswith(IGNORED_ENDINGS):
                yield path.relative_to(folder).as_posix()


def _file_digest(path: Path) -> str:
    stat = path.stat()
    return _read_digest(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=4096)
def _read_digest(path: Path, _size: int, _modified_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _combine(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
