"""The manifest of two towers exported as ONNX: `onnx/towers.json`, written by `embedbridge export`.

It says what only the exporter knew: which weights were exported, and how texts and pictures reach the
towers. The file of a tower is compared with its digest when that tower is loaded, so that the space
of the original weights is claimed by nothing else than what was exported from them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from embedbridge.contract.errors import ConfigurationError, short_path
from embedbridge.contract.local.folder import manifest_path
from embedbridge.contract.local.json_files import damaged, read_object
from embedbridge.contract.local.weights import export_digest

Count = Annotated[int, Field(gt=0)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ExportedTower(_Part):
    """One ONNX file."""

    file: Annotated[str, Field(pattern=r"^[\w-]+\.onnx$")]
    """Its name, beside the manifest."""
    sha256: str
    """Over the file, and the weights beside it if there are any."""


class TextTower(ExportedTower):
    """The tower for texts."""

    max_length: Count
    """Tokens that it reads, special ones included."""
    padding: Literal["longest", "max_length"]
    """To which length the texts of a batch are filled up."""
    padding_token: Annotated[int, Field(ge=0)]
    """The number of the token that fills them up."""
    padding_side: Literal["left", "right"]
    """Where it is added."""


class ImageTower(ExportedTower):
    """The tower for images."""

    patches: Count
    """Vectors that go through it for one picture."""


class TowerManifest(_Part):
    """What is known of two towers without loading them."""

    space: str
    """The space of the weights that were exported."""
    dimensions: Count
    """Width of a vector."""
    texts: TextTower
    """The one for texts."""
    images: ImageTower
    """The one for images."""


def read_manifest(folder: Path) -> TowerManifest:
    """What was exported.

    Raises:
        ConfigurationError: The manifest is damaged, or of a later version.
    """
    path = manifest_path(folder)
    try:
        return TowerManifest.model_validate(read_object(path))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise damaged(path, f"{where}: {first['msg']}") from error


def check_tower(tower: ExportedTower, folder: Path) -> Path:
    """The file of a tower, which is the one that was exported.

    Raises:
        ConfigurationError: It is missing, or another one.
    """
    path = manifest_path(folder).parent / tower.file
    if not path.is_file() or export_digest(path, folder) != tower.sha256:
        raise ConfigurationError(
            f"{short_path(path)} is not the file that was exported.",
            hint="Export the model again, or copy the whole folder again.",
        )
    return path
