"""A local model that the parent has used answers in the workers of real pre-fork servers."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .local_models import PROVIDERS, local_model

SCRIPT = Path(__file__).with_name("forking_servers.py")


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("server", ["gunicorn", "celery", "multiprocessing"])
def test_both_workers_give_the_vectors_of_the_parent(
    server: str, provider: str, tmp_path: Path
) -> None:
    """Two forked workers compute at the same time; neither hangs, and both are right."""
    if importlib.util.find_spec(server) is None:
        pytest.skip(f"{server} is not installed; `nox -s forks` installs it")
    model = local_model(provider, tmp_path / "model")
    file = tmp_path / "answers.json"
    ended = subprocess.run(
        [sys.executable, str(SCRIPT), server, model, str(file)],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )

    assert file.exists(), ended.stderr
    answers = json.loads(file.read_text(encoding="utf-8"))
    assert len({answer["pid"] for answer in answers}) == 2
    assert all(answer["forked"] for answer in answers)
    assert all(answer["distance"] < 1e-5 for answer in answers), answers
