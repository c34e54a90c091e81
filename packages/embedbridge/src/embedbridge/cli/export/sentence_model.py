"""Models of sentence-transformers: the transformer as an ONNX graph, all else as it was saved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedbridge.cli.export.graph import Graph, refusal, use_plain_attention, write_graph
from embedbridge.cli.export.proof import TEXTS, compare, example_texts
from embedbridge.cli.options import neutral_settings
from embedbridge.contract.errors import ConfigurationError, short_repr
from embedbridge.contract.local import (
    WEIGHTED_LAYERS,
    SentenceFolder,
    find_folder,
    read_sentence_folder,
    undo_onednn,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from sentence_transformers import SentenceTransformer

    from embedbridge.core import Embedder

LIBRARY = "sentence_transformers"
"""What loads them."""
COMPARED = f"{TEXTS} texts"
"""What the proof embeds."""
LAST_LAYER = "last_hidden_state"
INSTEAD = "Use it through huggingface:MODEL instead."


def build(name: str, folder: Path, begin: Callable[[str], None]) -> tuple[float, float]:
    """Save a model with its export.

    Args:
        name: An id of the Hub, or a folder.
        folder: Where to write.
        begin: Called with the name of each stage.

    Returns:
        The mean and the least cosine between its vectors and those of the export.
    """
    from embedbridge.core import load_embedder

    begin("Loading")
    local = find_folder(name)
    if local is not None:
        read_sentence_folder(local)  # what is not supported is known before it is loaded
    settings = neutral_settings()  # the examples are the proof's own, not the user's
    with load_embedder(f"huggingface:{name}", device="cpu", **settings) as embedder:
        prompts = embedder.card.prompts  # loads it
        model = _torch_model(embedder)
        # Some are known by the id on the Hub alone, which no folder has.
        model.prompts = {**model.prompts, **prompts}
        begin("Saving")
        model.save(str(folder))
        recipe = _check(name, folder)
        (folder / "onnx").mkdir()
        model.float()
        theirs = _vectors(embedder)
        begin("Exporting")
        _export(name, model, folder / "onnx/model.onnx", weighs_layers=recipe.weighs_layers)
    begin("Comparing")
    with load_embedder(f"onnx:{folder}", **settings) as embedder:
        ours = _vectors(embedder)
    return compare(ours, theirs, INSTEAD)


def _vectors(embedder: Embedder) -> list[NDArray[np.float32]]:
    """Those of the examples, of each role with its own prompt."""
    return [
        embedder.embed(texts, role=role, show_progress=False).vectors
        for role, texts in example_texts().items()
    ]


def _torch_model(embedder: Embedder) -> SentenceTransformer:
    """The model that the provider huggingface has loaded, as sentence-transformers made it."""
    provided: Any = embedder.model
    model: SentenceTransformer = provided.shared_weights.loaded.transformer
    undo_onednn(model)
    return model


def _check(name: str, saved: Path) -> SentenceFolder:
    """Refuse what the provider onnx could not use, before the long part begins."""
    recipe = read_sentence_folder(saved)
    if not (recipe.transformer / "tokenizer.json").is_file():
        raise ConfigurationError(
            f"{short_repr(name)} has a tokenizer that only transformers can run (no tokenizer.json).",
            hint=INSTEAD,
        )
    return recipe


def _export(name: str, model: SentenceTransformer, path: Path, *, weighs_layers: bool) -> None:
    """Write what makes vectors of tokens, for any number of texts and tokens.

    Args:
        name: That of the model, for messages.
        model: The transformer in it is left as it is exported.
        path: Where to write.
        weighs_layers: Whether its second module makes a weighted mean of the vectors of all layers.
            Only the graph has these, so that the mean is part of it; pooling is not.
    """
    import torch

    class TokenVectors(torch.nn.Module):
        """Only what the provider feeds and reads."""

        def __init__(self, inner: Any, weigh: Any) -> None:
            super().__init__()
            self.inner = inner
            self.weigh = weigh

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            options = {"output_hidden_states": True} if self.weigh is not None else {}
            found = self.inner(input_ids=input_ids, attention_mask=attention_mask, **options)
            if self.weigh is None:
                return found.last_hidden_state
            return self.weigh({"all_layer_embeddings": found.hidden_states})["token_embeddings"]

    transformer: Any = model[0]
    inner = transformer.auto_model
    use_plain_attention(inner)
    ids = torch.ones((2, 7), dtype=torch.int64)
    mask = ids.clone()
    mask[0, 4:] = 0  # with a mask of ones only, transformers would leave the mask out
    axes = {0: torch.export.Dim("texts"), 1: torch.export.Dim("tokens")}
    try:
        write_graph(
            TokenVectors(inner, model[1] if weighs_layers else None),
            path,
            Graph(
                example={"input_ids": ids, "attention_mask": mask},
                axes=(axes, axes),
                output=WEIGHTED_LAYERS if weighs_layers else LAST_LAYER,
            ),
        )
    except Exception as error:  # torch's exporter raises what its many parts raise
        raise refusal(error, name, INSTEAD) from error
