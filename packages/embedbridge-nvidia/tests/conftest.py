"""A fault server that speaks NVIDIA's format for each test, and models that talk to it."""

from __future__ import annotations

from embedbridge.providers.nvidia.catalog import VENDOR
from embedbridge.testing import NvidiaWire, hosted_fixtures

isolated, key, server, load = hosted_fixtures(
    "nvidia",
    "nvidia/llama-nemotron-embed-1b-v2",
    wire=NvidiaWire(),
    dimensions=2048,
    variables=VENDOR.variables,
    key="nvapi-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
)
