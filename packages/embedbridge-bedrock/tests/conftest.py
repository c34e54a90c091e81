"""A fault server that speaks Bedrock's formats for each test, and models that talk to it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from embedbridge.providers.bedrock.catalog import VENDOR
from embedbridge.testing import BedrockWire, hosted_fixtures

isolated, key, server, load = hosted_fixtures(
    "bedrock",
    "amazon.titan-embed-text-v2:0",
    wire=BedrockWire(),
    dimensions=3072,  # of the widest model
    variables=VENDOR.variables,
    key="ABSKcanary5f0c9e8b7a6d4c3b2a1908170f1e2d3c4b",
)


@pytest.fixture(autouse=True)
def _no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A developer's own credentials have no say in a test, nor has the machine's role."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
