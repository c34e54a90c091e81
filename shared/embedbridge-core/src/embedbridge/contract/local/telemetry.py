"""Telemetry of libraries: turned off before they are imported, for nothing leaves the machine unasked.

A value that the user has set stays. Sources: onnxruntime reports home from Linux and macOS since
1.29 unless `ORT_DISABLE_TELEMETRY` is set before it is imported (its docs/Privacy.md); the Hub's
client adds usage data to its requests unless `HF_HUB_DISABLE_TELEMETRY` is set
(https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables); OpenVINO reports
each import through the package openvino-telemetry, and has a stub of its own where that is absent
(its openvino/tools/ovc/telemetry_utils.py).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

SWITCHES = {"ORT_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
"""Environment variables that the libraries read when they are imported."""


def disable_telemetry() -> None:
    """Tell the libraries that providers import to report nothing."""
    for name, value in SWITCHES.items():
        os.environ.setdefault(name, value)


@contextmanager
def without_package(name: str) -> Iterator[None]:
    """Let a library be imported as if this optional package of its were not installed.

    A package that the program has imported itself stays.
    """
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]  # the import system knows it as absent
    try:
        yield
    finally:
        del sys.modules[name]
