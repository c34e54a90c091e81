"""Matrix products of a torch model by oneDNN, where torch would take a slower library.

torch multiplies float32 with Intel's MKL wherever it was built with it, and on AMD's processors MKL
takes a path for older ones. oneDNN, which torch brings along as well, knows their vector units:
measured on two cores, 1.15 (Zen 4) to 2.1 times (Zen 5) as fast, in plain float32, with
differences in the last bit only. Single queries gain most, for the weights are laid out once.
"""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Any

from embedbridge.contract.local.inference import torch_inference
from embedbridge.contract.local.processor import this_processor

if TYPE_CHECKING:
    from torch import Tensor, nn

SMALL = 1 << 16
"""Weights of a layer that is too small: the call itself takes as long as the product."""
AMD = "AuthenticAMD"


def use_onednn(network: nn.Module) -> int:
    """Let a model's linear layers multiply with oneDNN, where they lie on the CPU and that is faster.

    Nothing but inference works with them afterwards, until `undo_onednn`: what is learned later does
    not count. They keep their weights as they were, for whoever reads them; the memory of both is
    taken.

    Returns:
        How many layers were changed: 0 where torch knows no better way.
    """
    import torch

    changed = 0
    if is_faster():
        for layer in network.modules():
            # Not its subclasses: they have reasons of their own.
            if type(layer) is not torch.nn.Linear:
                continue
            weight = layer.weight
            here = weight.device.type == "cpu"  # not on a GPU, nor put off to a disk
            if here and weight.dtype in _types() and weight.numel() >= SMALL:
                layer.forward = _packed(weight, layer.bias)  # type: ignore[method-assign]
                changed += 1
    return changed


def undo_onednn(network: nn.Module) -> None:
    """Let a model's layers multiply as torch does it, for whoever does more than infer with them.

    What is laid out for oneDNN has no shape that torch could trace, so that no export knows it.
    """
    for layer in network.modules():
        forward = vars(layer).get("forward")
        if isinstance(forward, partial) and forward.func is _multiply:
            del layer.forward


@cache
def is_faster() -> bool:
    """Whether torch would multiply with MKL on an AMD processor, and its oneDNN works here."""
    import torch

    mkl: Any = torch.backends.mkl
    onednn: Any = torch.backends.mkldnn  # its former name
    return (
        bool(mkl.is_available() and onednn.is_available() and onednn.enabled)
        and this_processor().maker == AMD
        and _works()
    )


def _works() -> bool:
    """Whether the calls do what they did in the versions that were tried: they are torch's own."""
    import torch

    try:
        for kind in _types():
            # Said outright: a program may have other defaults while the first model is loaded.
            exact: Any = {"dtype": torch.float32, "device": "cpu"}
            weight, bias = torch.eye(8, 4, **exact).to(kind), torch.ones(8, **exact)
            rows = torch.ones(2, 3, 4, **exact)
            with torch_inference("cpu"):
                product = _packed(weight, bias.to(kind))(rows.to(kind))
                expected = torch.nn.functional.linear(rows, weight.float(), bias)
            if not torch.equal(product.float(), expected):
                return False
    except (AttributeError, RuntimeError, TypeError):  # gone, refused, or called another way now
        return False
    return True


def _packed(weight: Tensor, bias: Tensor | None) -> Any:
    """What takes the place of `torch.nn.functional.linear` with these weights."""
    import torch

    operations: Any = torch.ops.mkldnn
    laid_out = operations._reorder_linear_weight(weight.detach(), None)  # noqa: SLF001
    return partial(
        _multiply,
        operations._linear_pointwise.default,  # noqa: SLF001
        laid_out,
        None if bias is None else bias.detach(),
    )


def _multiply(operation: Any, weight: Tensor, bias: Tensor | None, rows: Tensor) -> Tensor:
    product: Tensor = operation(rows, weight, bias, "none", [], "")
    return product


def _types() -> tuple[Any, ...]:
    import torch

    return (torch.float32, torch.bfloat16)
