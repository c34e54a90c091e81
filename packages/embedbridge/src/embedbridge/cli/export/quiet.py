"""One progress bar of ours, and nothing of what the libraries below say about their own insides."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

STAGES = ("Loading", "Saving", "Exporting", "Comparing")
TALKATIVE = ("onnx_ir", "onnxscript", "torch")
"""Loggers that warn of what no user can change, such as packages that the exporter could use."""


@contextmanager
def quiet() -> Iterator[None]:
    """Hide progress bars, warnings and logs of the exporter; a model's own loading may still warn."""
    import torch  # noqa: F401  # it sets the levels of its loggers while it is imported

    from embedbridge.contract.local import no_loading_bars

    loggers = [logging.getLogger(name) for name in TALKATIVE]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), no_loading_bars():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def stage_bar(*, shown: bool) -> Iterator[Callable[[str], None]]:
    """A tqdm bar on stderr: call what comes out with the name of each stage when it begins."""
    from tqdm import tqdm

    layout = "{desc:<10}{bar:24}| {n_fmt}/{total_fmt} [{elapsed}]"
    with tqdm(total=len(STAGES), bar_format=layout, disable=not shown) as bar:

        def begin(stage: str) -> None:
            bar.n = STAGES.index(stage)
            bar.set_description_str(stage)

        yield begin
        bar.n = len(STAGES)
        bar.set_description_str("Exported")
