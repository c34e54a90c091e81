"""Telemetry of libraries: turned off before they are imported, for nothing leaves the machine unasked.

A value that the user has set stays. Sources: onnxruntime reports home from Linux and macOS since
1.29 unless `ORT_DISABLE_TELEMETRY` is set before it is imported (its docs/Privacy.md); the Hub's
client adds usage data to its requests unless `HF_HUB_DISABLE_TELEMETRY` is set
(https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables).
"""

from __future__ import annotations

import os

SWITCHES = {"ORT_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
"""Environment variables that the libraries read when they are imported."""


def disable_telemetry() -> None:
    """Tell the libraries that providers import to report nothing."""
    for name, value in SWITCHES.items():
        os.environ.setdefault(name, value)
