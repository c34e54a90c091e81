"""A part of a model as an ONNX graph, by torch's exporter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedbridge.contract.errors import EmbedBridgeError, short_repr
from embedbridge.contract.local import first_line

if TYPE_CHECKING:
    import torch

OPSET = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """What goes into a graph, and what comes out."""

    example: Mapping[str, torch.Tensor]
    """Tensors of the inputs, by name."""
    axes: Any
    """Which axes may have any length, as `torch.export.export` takes it."""
    output: str
    """The name of what comes out."""


def write_graph(
    module: torch.nn.Module | torch.export.ExportedProgram, path: Path, graph: Graph
) -> None:
    """Write a module as an ONNX file, its weights in a file beside it.

    Args:
        module: Its forward method takes the inputs in their order.
        path: Where to write.
        graph: Its inputs and its output.
    """
    import torch

    with torch.inference_mode():
        # The newer exporter: the older one gets the masks of transformers 5 wrong.
        made: Any = torch.onnx.export(
            module,
            tuple(graph.example.values()),
            input_names=list(graph.example),
            output_names=[graph.output],
            dynamic_shapes=graph.axes,
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    _forget_where_it_was_made(made.model)
    # Beside it, weights are mapped into memory; OpenVINO would keep those inside as a second copy.
    made.save(str(path), external_data=True)


def _forget_where_it_was_made(model: Any) -> None:
    """The exporter notes for each node which lines of which files made it, on this machine."""
    for graph in (model.graph, *model.functions.values()):
        for node in graph.all_nodes():
            for described in (node, *node.outputs):
                described.metadata_props.clear()


def use_plain_attention(network: Any) -> None:
    """Attention as products and a softmax.

    Torch's fused attention is exported with a search for NaN in every layer, which no runtime removes:
    long texts took up to 40 % longer, for the same numbers.
    """
    network.set_attn_implementation("eager")


def refusal(error: Exception, name: str, instead: str) -> EmbedBridgeError:
    """The error for a model that torch cannot export."""
    return EmbedBridgeError(
        f"torch cannot export {short_repr(name)}: {type(error).__name__}: {first_line(error)}",
        hint=instead,
    )
