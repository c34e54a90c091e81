"""Thread count: how many threads an inference engine computes with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedbridge.contract.local import usable_processors

if TYPE_CHECKING:
    from embedbridge.providers.onnx.options import OnnxOptions


def threads_for(options: OnnxOptions) -> int:
    """Threads that compute."""
    return options.threads or usable_processors()
