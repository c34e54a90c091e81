"""The transformer of a model as an ONNX graph."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedbridge.contract.local import WEIGHTED_LAYERS

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

OPSET = 18
NAMES = ("input_ids", "attention_mask")
LAST_LAYER = "last_hidden_state"


def write_graph(model: SentenceTransformer, path: Path, *, weighs_layers: bool) -> None:
    """Write what makes vectors of tokens, for any number of texts and tokens.

    Args:
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
            TokenVectors(inner, model[1] if weighs_layers else None),
            (ids, mask),
            str(path),
            input_names=list(NAMES),
            output_names=[WEIGHTED_LAYERS if weighs_layers else LAST_LAYER],
            dynamic_shapes=(axes, axes),
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
