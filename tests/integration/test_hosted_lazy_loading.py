"""Lazy loading of hosted providers: what talks to a server is imported with the first request."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .hosted_rows import ANYWHERE, KEY, announced, row_of

SCRIPT = """
import json, os, sys
from embedbridge.core import load_embedder

for name, options, environment in json.loads(sys.argv[1]):
    os.environ.update(environment)
    embedder = load_embedder(name, **options)
    embedder.card, embedder.space, embedder.fingerprint, embedder.to_config(), embedder.model.endpoint
    early = {"botocore", "google.auth", "httpx", "httpx2", "openai"} & set(sys.modules)
    assert not early, f"{name} imports {early}"
"""


@pytest.mark.heavy  # a process of its own
def test_libraries_are_imported_when_they_are_needed(tmp_path: Path) -> None:
    """An embedder, its card, space, fingerprint, endpoint and configuration cost no HTTP library and no SDK."""
    given = []
    for provider in sorted(announced()):
        row = row_of(provider)
        options = {"api_key": KEY, **row.options}
        if provider in ANYWHERE:
            options[row.option] = f"http://127.0.0.1:9{row.paths[0]}"
        given.append((f"{provider}:{row.model}", options, dict(row.environment)))
    answer = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(given)],
        env={**os.environ, "HOME": str(tmp_path)},  # no credentials of the person who runs this
        capture_output=True,
        text=True,
        check=False,
    )

    assert len(given) > 20
    assert answer.returncode == 0, answer.stderr
