"""Model source: what a name stands for, the bundled model, a folder on this disk, or one of the Hub."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

from embedbridge.contract.errors import (
    InvalidOptionError,
    UnknownModelError,
    short_path,
    short_repr,
)
from embedbridge.contract.local import fetch_files, find_folder
from embedbridge.providers.onnx import bundled

if TYPE_CHECKING:
    from embedbridge.providers.onnx.options import OnnxOptions

EXPORTS = ("onnx/model.onnx", "model.onnx")
"""Where an export lies, the usual place first."""
BESIDE = ("_data*", ".data*")
"""What the name of a file has at its end that holds the weights of an export beside it: `_data_1` is a
further part of many gigabytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a model comes from."""

    folder: Path
    """Where its files lie."""
    hub_id: str | None = None
    """Its id, if it comes from the Hub."""
    bundled: bool = False
    """Whether it came with this package."""

    def export(self, file_name: str | None) -> Path:
        """The ONNX file.

        Raises:
            InvalidOptionError: The name leads out of the folder.
            UnknownModelError: There is none.
        """
        if file_name and _leads_out(file_name):
            raise InvalidOptionError(
                f"file_name={short_repr(file_name)} leads out of the model's folder.",
                hint="Name a file in it, as in file_name='onnx/model_fp16.onnx'.",
            )
        for name in (file_name,) if file_name else EXPORTS:
            if (self.folder / name).is_file():
                return self.folder / name
        wanted = file_name or " or ".join(EXPORTS)
        raise UnknownModelError(
            f"{short_repr(self.hub_id) if self.hub_id else short_path(self.folder)} has no {wanted}.",
            hint="Name the export with file_name, or make one: "
            "embedbridge export huggingface:MODEL FOLDER",
        )


def _leads_out(name: str) -> bool:
    """Whether a name is no path below a folder, on this system or another."""
    parts = PurePosixPath(name.replace("\\", "/"))
    return parts.is_absolute() or ".." in parts.parts or bool(PureWindowsPath(name).drive)


def find_source(name: str, place: Path, options: OnnxOptions) -> Source:
    """Find a model's files; only those of the Hub may have to be fetched.

    Raises:
        UnknownModelError: The name is a path and no folder is there, or the Hub has no such model.
        AuthenticationError: It is gated, and the terms were not accepted.
    """
    if name == bundled.NAME:
        return Source(folder=bundled.FOLDER, bundled=True)
    folder = find_folder(name, place, bare_ids=False)
    if folder is not None:
        return Source(folder=folder)
    exports = (options.file_name,) if options.file_name else EXPORTS
    patterns = [
        "*.json",
        "onnx/*_model.onnx*",
        "*_Dense/*.safetensors",
        "*_LayerNorm/*.safetensors",
        *exports,
        *(f"{export}{ending}" for export in exports for ending in BESIDE),
    ]
    fetched = fetch_files(name, options, patterns, package="embedbridge-onnx[hub]")
    return Source(folder=fetched, hub_id=name)
