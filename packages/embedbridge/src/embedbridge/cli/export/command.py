"""`embedbridge export`: arguments, stages, and messages."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from embedbridge.cli.export.proof import TEXTS, compare, expected_vectors
from embedbridge.cli.export.quiet import quiet, stage_bar
from embedbridge.contract.errors import (
    ConfigurationError,
    EmbedBridgeError,
    MissingDependencyError,
    short_path,
    short_repr,
)
from embedbridge.contract.local import (
    SentenceFolder,
    disable_telemetry,
    first_line,
    read_sentence_folder,
)

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

PREFIX = "huggingface:"
LEAST = 0.9999
"""Cosine between the two vectors of a text, below which an export is not the same model."""
INSTEAD = "Use it through huggingface:MODEL instead."


def export(
    model: Annotated[str, typer.Argument(help="huggingface:MODEL, an id of the Hub or a folder.")],
    folder: Annotated[Path, typer.Argument(help="Where to write; must not exist yet.")],
    progress: Annotated[
        bool | None,
        typer.Option(
            "--progress/--no-progress",
            help="A progress bar on stderr; if left out, where stderr is a terminal.",
        ),
    ] = None,
) -> None:
    """Write a model with an ONNX file, for the provider onnx, which needs no torch.

    The vectors of both are compared; an export that differs is not kept.
    """
    name = model.removeprefix(PREFIX)
    if name == model or not name:
        raise ConfigurationError(
            f"{short_repr(model)} cannot be exported.",
            hint=f"Write {PREFIX}MODEL, from the Hub or disk.",
        )
    if folder.exists():
        raise ConfigurationError(
            f"{short_path(folder)} exists already.", hint="Name a folder that does not."
        )
    _require_libraries()
    folder.parent.mkdir(parents=True, exist_ok=True)
    shown = sys.stderr.isatty() if progress is None else progress
    # Beside its place, so that it appears there whole or not at all.
    with tempfile.TemporaryDirectory(prefix=".export-", dir=folder.parent) as where:
        built = Path(where, "model")
        with stage_bar(shown=shown) as begin, quiet():
            mean, least = _build(name, built, begin)
        if least < LEAST:
            raise EmbedBridgeError(
                f"The export of {short_repr(name)} makes other vectors than the model itself: least "
                f"cosine {least:.5f}.",
                hint=INSTEAD,
            )
        shutil.move(built, folder)
    typer.echo(f"Cosine to torch on {TEXTS} texts: mean {mean:.7f}, least {least:.7f}")
    typer.echo(f"Wrote {folder}. Use it as onnx:{folder}")


def _build(name: str, folder: Path, begin: Callable[[str], None]) -> tuple[float, float]:
    """Save a model with its export.

    Args:
        name: An id of the Hub, or a folder.
        folder: Where to write.
        begin: Called with the name of each stage.

    Returns:
        The mean and the least cosine between its vectors and those of the export.
    """
    from embedbridge.cli.export.graph import write_graph

    begin("Loading")
    if Path(name).is_dir():
        read_sentence_folder(Path(name))  # what is not supported is known before it is loaded
    model = _load(name)
    begin("Saving")
    model.save(str(folder))
    recipe = _check(name, folder)
    (folder / "onnx").mkdir()
    model.eval().float()
    theirs = expected_vectors(model)
    begin("Exporting")
    try:
        write_graph(model, folder / "onnx/model.onnx", weighs_layers=recipe.weighs_layers)
    except Exception as error:  # torch's exporter raises what its many parts raise
        raise EmbedBridgeError(
            f"torch cannot export {short_repr(name)}: {type(error).__name__}: {first_line(error)}",
            hint=INSTEAD,
        ) from error
    begin("Comparing")
    return compare(theirs, folder)


def _check(name: str, saved: Path) -> SentenceFolder:
    """Refuse what the provider onnx could not use, before the long part begins."""
    recipe = read_sentence_folder(saved)
    if not (recipe.transformer / "tokenizer.json").is_file():
        raise ConfigurationError(
            f"{short_repr(name)} has a tokenizer that only transformers can run (no tokenizer.json).",
            hint=INSTEAD,
        )
    return recipe


def _load(name: str) -> SentenceTransformer:
    from sentence_transformers import SentenceTransformer

    try:
        return SentenceTransformer(name, device="cpu")
    except Exception as error:  # it raises OSError, ValueError and others for nearly everything
        raise ConfigurationError(
            f"{short_repr(name)} cannot be loaded: {first_line(error)}",
            hint=f"Try it first: embedbridge embed text --model {PREFIX}MODEL",
        ) from error


def _require_libraries() -> None:
    disable_telemetry()
    try:
        import onnx  # noqa: F401  # only whether it can be imported counts
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
        import sentence_transformers  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            f"Exporting takes torch and its exporter; {error.name} is missing.",
            hint='pip install "embedbridge[export]"',
        ) from error
