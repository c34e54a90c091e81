"""`embedbridge export`: arguments, stages, and messages."""

from __future__ import annotations

import tempfile
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from embedbridge.cli.export.quiet import quiet, stage_bar
from embedbridge.cli.options import Progress, shows_progress
from embedbridge.contract.errors import (
    ConfigurationError,
    EmbedBridgeError,
    MissingDependencyError,
    short_path,
    short_repr,
)
from embedbridge.contract.local import disable_telemetry
from embedbridge.contract.paths import expanded_for_writing

KINDS = {"clip": "two_towers", "huggingface": "sentence_model"}
"""By provider: the file that exports its models; it imports NumPy, so it is imported late."""
LEAST = 0.9999
"""Cosine between the two vectors of a text, below which an export is not the same model."""


def export(
    model: Annotated[
        str, typer.Argument(help="huggingface:MODEL or clip:MODEL, of the Hub or a folder.")
    ],
    folder: Annotated[Path, typer.Argument(help="Where to write; must not exist yet.")],
    progress: Progress = None,
) -> None:
    """Write a model as ONNX, for the provider onnx, which needs no torch.

    The vectors of both are compared; an export that differs is not kept.
    """
    provider, _, name = model.partition(":")
    if provider not in KINDS or not name:
        raise ConfigurationError(
            f"{short_repr(model)} cannot be exported.",
            hint="Write huggingface:MODEL or clip:MODEL, from the Hub or disk.",
        )
    folder = expanded_for_writing(folder, "Name a folder here.")
    _check_absent(folder)
    kind = import_module(f"embedbridge.cli.export.{KINDS[provider]}")
    _require_libraries(kind.LIBRARY)
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Beside its place, so that it appears there whole or not at all.
    with tempfile.TemporaryDirectory(prefix=".export-", dir=folder.parent) as where:
        built = Path(where, "model")
        with stage_bar(shown=shows_progress(progress)) as begin, quiet():
            mean, least = kind.build(name, built, begin)
        if not least >= LEAST:  # NaN is not at least anything
            raise EmbedBridgeError(
                f"The export of {short_repr(name)} makes other vectors than the model itself: least "
                f"cosine {least:.5f}.",
                hint=f"Use it through {provider}:MODEL instead.",
            )
        _check_absent(folder)  # minutes have passed
        built.rename(folder)
    typer.echo(f"Cosine to torch on {kind.COMPARED}: mean {mean:.7f}, least {least:.7f}")
    typer.echo(f"Wrote {folder}. Use it as onnx:{folder}")


def _check_absent(folder: Path) -> None:
    if folder.exists():
        raise ConfigurationError(
            f"{short_path(folder)} exists already.", hint="Name a folder that does not."
        )


def _require_libraries(library: str) -> None:
    disable_telemetry()
    try:
        import onnx  # noqa: F401  # only whether it can be imported counts
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
        import torch  # noqa: F401

        import_module(library)
    except ImportError as error:
        raise MissingDependencyError(
            f"Exporting takes torch and its exporter; {error.name} is missing.",
            hint='pip install "embedbridge[export]"',
        ) from error
