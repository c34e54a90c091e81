"""`embedbridge export`: a model of sentence-transformers as an ONNX file, and the proof that it is the same."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from embedbridge.contract.errors import (
    ConfigurationError,
    EmbedBridgeError,
    MissingDependencyError,
    short_path,
    short_repr,
)
from embedbridge.contract.local import disable_telemetry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from sentence_transformers import SentenceTransformer

PREFIX = "huggingface:"
LEAST = 0.9999
"""Cosine between the two vectors of a text, below which an export is not the same model."""
TEXTS = 24
OPSET = 18
NAMES = ("input_ids", "attention_mask")


def export(
    model: Annotated[str, typer.Argument(help="huggingface:MODEL, an id of the Hub or a folder.")],
    folder: Annotated[Path, typer.Argument(help="Where to write; must not exist yet.")],
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
    # Beside its place, so that it appears there whole or not at all.
    with tempfile.TemporaryDirectory(prefix=".export-", dir=folder.parent) as where:
        built = Path(where, "model")
        mean, least = build(_load(name), built)
        typer.echo(f"Cosine to torch on {TEXTS} texts: mean {mean:.7f}, least {least:.7f}")
        if least < LEAST:
            raise EmbedBridgeError(
                f"The export of {short_repr(name)} makes other vectors than the model itself.",
                hint="Use it through huggingface:MODEL instead.",
            )
        shutil.move(built, folder)
    typer.echo(f"Wrote {folder}. Use it as onnx:{folder}")


def build(model: SentenceTransformer, folder: Path) -> tuple[float, float]:
    """Save a model with its export.

    Returns:
        The mean and the least cosine between its vectors and those of the export.
    """
    model.save(str(folder))
    (folder / "onnx").mkdir()
    model.eval().float()
    texts = _texts()
    theirs = model.encode_document(texts, show_progress_bar=False)
    with _silent():
        _export(model, folder / "onnx/model.onnx")
    return _compare(texts, theirs, folder)


def _export(model: SentenceTransformer, path: Path) -> None:
    """Write the transformer alone, for any number of texts and tokens; it is left as exported."""
    import torch

    class TokenVectors(torch.nn.Module):
        """Only what the provider feeds and reads."""

        def __init__(self, inner: Any) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            found = self.inner(input_ids=input_ids, attention_mask=attention_mask)
            return found.last_hidden_state

    transformer: Any = model[0]
    inner = transformer.auto_model
    # Torch's fused attention is exported with a search for NaN in every layer, which no runtime
    # removes: long texts took up to 40 % longer, for the same numbers.
    inner.set_attn_implementation("eager")
    ids = torch.ones((2, 7), dtype=torch.int64)
    mask = ids.clone()
    mask[0, 4:] = 0  # with a mask of ones only, transformers would leave the mask out
    axes = {0: torch.export.Dim("texts"), 1: torch.export.Dim("tokens")}
    with torch.inference_mode():
        # The newer exporter: the older one gets the masks of transformers 5 wrong.
        torch.onnx.export(
            TokenVectors(inner),
            (ids, mask),
            str(path),
            input_names=list(NAMES),
            output_names=["last_hidden_state"],
            dynamic_shapes=(axes, axes),
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )


def _compare(texts: list[str], theirs: NDArray[np.float32], folder: Path) -> tuple[float, float]:
    import numpy as np

    from embedbridge.contract.vectors import normalize
    from embedbridge.core import load_embedder

    with load_embedder(f"onnx:{folder}") as embedder:
        ours = normalize(embedder.embed_documents(texts))
    cosines = np.sum(ours * normalize(theirs), axis=1)
    return float(cosines.mean()), float(cosines.min())


def _texts() -> list[str]:
    """Real texts of mixed length, which come with Python."""
    from pydoc_data.topics import topics

    names = sorted(topics)[:TEXTS]
    return [topics[name][: 20 * 2 ** (number % 8)] for number, name in enumerate(names)]


def _load(name: str) -> SentenceTransformer:
    from sentence_transformers import SentenceTransformer

    try:
        return SentenceTransformer(name, device="cpu")
    except Exception as error:  # it raises OSError, ValueError and others for nearly everything
        raise ConfigurationError(
            f"{short_repr(name)} cannot be loaded: {str(error).partition(chr(10))[0][:200]}",
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


@contextmanager
def _silent() -> Iterator[None]:
    """The exporter warns of its own insides, and of nothing that a user could change."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
