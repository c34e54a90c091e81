"""Vector files: safetensors with the vectors' space, fingerprint and a checksum.

Also reads and writes LlamaIndex's one-vector text files.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from embedbridge.contract.batch import Vectors
from embedbridge.contract.errors import (
    ConfigurationError,
    InvalidInputError,
    MissingDependencyError,
    SpaceMismatchError,
)
from embedbridge.contract.paths import expanded
from embedbridge.core.storable import ids_tensor, matrix_of_floats, names_of

if TYPE_CHECKING:
    from embedbridge.core.embedder import Embedder
    from embedbridge.core.result import EmbeddingResult

TENSOR = "vectors"
IDS = "ids"
FORMAT = "embedbridge-vectors-1"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StoredVectors:
    """What a file of vectors holds."""

    vectors: Vectors
    """Shape (n, dimensions), float32."""
    space: str
    """Which vectors they may be compared with."""
    fingerprint: str
    """Exactly how they were made."""
    ids: list[str] | None
    """A name per vector, if some were saved."""


def save_vectors(
    path: str | os.PathLike[str],
    vectors: EmbeddingResult | StoredVectors | Vectors,
    *,
    embedder: Embedder | None = None,
    ids: Iterable[str] | None = None,
) -> None:
    """Write vectors to a safetensors file; the file appears whole or not at all.

    Args:
        path: The file, replaced if it exists.
        vectors: What `Embedder.embed` or `load_vectors` returned, or an array of shape (n, d).
        embedder: The embedder that made the vectors; needed for a plain array. What knows its space
            is compared with it.
        ids: A name per vector.

    Raises:
        InvalidInputError: These are no vectors of floats, for example codes of `quantize`; shape or
            number of names is wrong, a name is no text, or some vectors are missing.
        SpaceMismatchError: The vectors are of another space than the embedder's, or of another width.
        MissingDependencyError: safetensors is not installed.
    """
    source: Any = vectors if hasattr(vectors, "space") else embedder
    if source is None:
        raise InvalidInputError(
            "A plain array does not know its space.",
            hint="Pass embedder=, or save the result of Embedder.embed.",
        )
    if embedder is not None:
        _known(embedder)
        if source is vectors:
            embedder.check_compatible(vectors)
    array = matrix_of_floats(getattr(vectors, "vectors", vectors))
    ids = names_of(getattr(vectors, "ids", None) if ids is None else ids)
    if ids is not None and len(ids) != len(array):
        raise InvalidInputError(f"{len(array)} vectors have {len(ids)} ids.")
    dimensions = embedder.dimensions if embedder is not None else None
    if dimensions is not None and array.shape[1] != dimensions:
        raise SpaceMismatchError(
            f"Vectors of {array.shape[1]} dimensions are not of space {source.space!r}, "
            f"which has {dimensions}."
        )
    metadata = {
        "format": FORMAT,
        "space": source.space,
        "fingerprint": source.fingerprint,
    }
    tensors: dict[str, NDArray[Any]] = {TENSOR: array}
    if ids is not None:
        tensors[IDS] = ids_tensor(ids)
    metadata["sha256"] = _checksum(array, metadata, tensors.get(IDS))
    _write_whole(expanded(path), _safetensors("safetensors.numpy").save(tensors, metadata))


def load_vectors(
    path: str | os.PathLike[str], *, embedder: Embedder | str | None = None
) -> StoredVectors:
    """Read vectors, and refuse those of another space.

    Args:
        path: A file that `save_vectors` wrote.
        embedder: What the vectors are to be compared with: an embedder or a space's name.

    Raises:
        SpaceMismatchError: They are of another space than the embedder's.
        ConfigurationError: The file is damaged, or no file of ours.
        FileNotFoundError: There is no such file.
        OSError: It cannot be opened: it may not be read (`PermissionError`), or is a folder
            (`IsADirectoryError`).
        MissingDependencyError: safetensors is not installed.
    """
    safetensors = _safetensors("safetensors")
    path = expanded(path)
    if not path.exists():
        raise FileNotFoundError(f"No file of vectors at {os.fspath(path)!r}.")
    with path.open("rb"):  # the system's own words; safetensors has one error for all that is wrong
        pass
    try:
        with safetensors.safe_open(os.fspath(path), framework="numpy") as file:
            metadata: dict[str, str] = file.metadata() or {}
            if "precision" in metadata:  # of `embedbridge embed --precision`
                raise ConfigurationError(
                    f"{os.fspath(path)!r} holds {metadata['precision']} codes, not vectors.",
                    hint="Read them with safetensors.numpy.load_file, or embed without --precision.",
                )
            array: NDArray[np.float32] = file.get_tensor(TENSOR)
            packed = file.get_tensor(IDS) if IDS in file.keys() else None  # noqa: SIM118
        checksum = metadata.pop("sha256")
        space, fingerprint = metadata["space"], metadata["fingerprint"]
        # Older files have the ids in their metadata, which holds no more than 100 MB.
        listed = metadata.get(IDS) if packed is None else packed.tobytes()
        ids = None if listed is None else json.loads(listed)
    except (safetensors.SafetensorError, KeyError, ValueError, OSError) as error:
        raise ConfigurationError(
            f"{os.fspath(path)!r} is damaged or was not written by save_vectors: "
            f"{type(error).__name__}."
        ) from error
    if checksum != _checksum(array, metadata, packed):
        raise ConfigurationError(
            f"{os.fspath(path)!r} is damaged: its content does not have its checksum.",
            hint="Restore it from a copy, or embed again.",
        )
    stored = StoredVectors(vectors=array, space=space, fingerprint=fingerprint, ids=ids)
    if isinstance(embedder, str) and embedder != space:
        raise SpaceMismatchError(f"The vectors are of space {space!r}, not {embedder!r}.")
    if embedder is not None and not isinstance(embedder, str):
        _known(embedder)
        embedder.check_compatible(stored)
    return stored


def _known(embedder: object) -> None:
    """Make sure that it can tell its space."""
    if not hasattr(embedder, "fingerprint"):
        raise InvalidInputError(
            f"The embedder is {type(embedder).__name__}, not an Embedder.",
            hint="Pass what load_embedder returned.",
        )


def save_embedding(embedding: Sequence[float] | Vectors, file_path: str) -> None:
    """Write one vector as LlamaIndex's text file: numbers with commas between them.

    Raises:
        InvalidInputError: It is not one vector of finite numbers; an older file stays.
    """
    try:
        given = np.asarray(embedding)
        # Bits and complex ones are numbers to NumPy, and not to who reads the text.
        numbers = np.empty(0) if given.dtype.kind in "bc" else given.astype(np.float64)
    except (TypeError, ValueError):
        numbers = np.empty(0)
    if numbers.ndim != 1 or not len(numbers) or not np.isfinite(numbers).all():
        raise InvalidInputError(
            "This is not one vector of finite numbers.",
            hint="Pass embedder.embed_query(…), or one row of embed_documents(…).",
        )
    text = ",".join(map(str, np.asarray(embedding).tolist()))
    _write_whole(expanded(file_path), text.encode())


def load_embedding(file_path: str) -> list[float]:
    """Read the first vector of a LlamaIndex text file.

    Raises:
        InvalidInputError: The file holds no vector.
    """
    try:
        with expanded(file_path).open(encoding="utf-8") as lines:
            first = next(lines, "").strip()
        return [float(number) for number in first.split(",")]
    except ValueError as error:
        raise InvalidInputError(
            f"No embedding in the first line of {file_path!r}.",
            hint="It holds numbers with commas between them.",
        ) from error


def _checksum(
    array: Vectors, metadata: Mapping[str, str], ids: NDArray[np.uint8] | None = None
) -> str:
    """Over everything that a flipped byte could change: numbers, type, shape, metadata and names."""
    head = json.dumps([array.dtype.str, array.shape, sorted(metadata.items())])
    found = hashlib.sha256(head.encode() + b"\0")
    found.update(np.ascontiguousarray(array).data)
    if ids is not None:
        found.update(np.ascontiguousarray(ids).data)
    return found.hexdigest()


def _safetensors(module: str) -> Any:
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingDependencyError(
            "Files of vectors take safetensors.", hint="pip install 'embedbridge-core[storage]'"
        ) from error


def _write_whole(path: Path, data: bytes) -> None:
    """Atomic write (temporary file and rename): a crash leaves the old file or the new one.

    A link stays one, and who may read the old file may read the new one, nobody else.
    """
    path = path.resolve()
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"There is no folder {str(path.parent)!r} to write {path.name!r} to."
        )
    # Not `tempfile`: only their owner can read its files, and this one becomes the real one.
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with temporary.open("xb") as file:
            with suppress(FileNotFoundError):
                temporary.chmod(stat.S_IMODE(path.stat().st_mode))
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
