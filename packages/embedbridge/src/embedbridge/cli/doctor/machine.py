"""Python, processor and devices of this machine, for `embedbridge doctor`."""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
from typing import Any


def processor() -> dict[str, Any]:
    """What this machine's processors compute fast, and which precision that recommends."""
    from embedbridge.contract.local import this_processor

    here = this_processor()
    return {
        "name": here.name or platform.processor() or "unknown",
        "bf16": _known(here.bf16),
        "int8 (VNNI)": _known(here.int8),
        "tiles (AMX)": _known(here.tiles),
        "advice": here.advice,
    }


def _known(answer: bool | None) -> str:  # what was found out
    return {None: "not known", True: "fast", False: "imitated"}[answer]


def python() -> dict[str, Any]:
    """Which Python runs, and on what."""
    return {
        "version": platform.python_version(),
        "implementation": platform.python_implementation(),
        "executable": sys.executable or "?",
        "platform": platform.platform(),
    }


def not_asked() -> dict[str, Any]:
    """What is known of devices without importing anything heavy."""
    installed = importlib.util.find_spec("torch") is not None
    return {"cpu_cores": os.cpu_count(), "torch": "not asked" if installed else "not installed"}


def torch_devices() -> dict[str, Any]:
    """What torch can compute on; importing it takes seconds."""
    facts = not_asked()
    if facts["torch"] == "not installed":
        return facts
    try:
        import torch

        cuda = [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())]
        found = {"torch": torch.__version__, "cuda": cuda, "mps": torch.backends.mps.is_available()}
    except (Exception, SystemExit) as error:  # noqa: BLE001  # a torn installation raises anything
        found = {"torch": f"fails to import: {type(error).__name__}"}
    return facts | found
