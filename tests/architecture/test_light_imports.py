"""Importing the engine and listing providers is light: a command line starts at once."""

import json
import subprocess
import sys

import pytest

HEAVY = [
    "httpx2",
    "langchain_core",
    "llama_index",
    "numpy",
    "openai",
    "pydantic",
    "safetensors",
    "sentence_transformers",
    "tokenizers",
    "torch",
    "transformers",
]

LIST_PROVIDERS = """
import json, sys
import embedbridge.core
providers = embedbridge.core.list_providers()
print(json.dumps(sorted(sys.modules)))
"""


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    """The modules that a fresh process holds after it has listed the providers."""
    # -I: neither this process's environment nor the current folder may lend a module.
    command = [sys.executable, "-I", "-c", LIST_PROVIDERS]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    return set(json.loads(answer.stdout))


@pytest.mark.parametrize("module", HEAVY)
def test_listing_providers_imports_nothing_heavy(loaded: set[str], module: str) -> None:
    """Discovery reads entry-point metadata; no SDK, no framework, no array library is loaded."""
    assert module not in loaded
