"""Another process: the embedder under test, pickled, and asked for vectors there."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Sequence

from embedbridge.core import Embedder

CANNOT_IMPORT = 3
"""Exit code of a process that does not find the class, for example because a test file defines it."""
ASK = f"""
import json, pickle, sys
sys.path[:] = json.loads(sys.argv[1])
try:
    embedder = pickle.load(sys.stdin.buffer)
except (ImportError, AttributeError):
    sys.exit({CANNOT_IMPORT})
texts = json.loads(sys.argv[2])
with embedder:
    vectors = [embedder.embed_documents(texts).tolist(), embedder.embed_queries(texts).tolist()]
print(json.dumps(vectors))
"""


def vectors_elsewhere(embedder: Embedder, texts: Sequence[str]) -> list[list[list[float]]] | None:
    """Vectors of texts as documents and as queries, made by a process whose hashes differ.

    Args:
        embedder: Is pickled.
        texts: Short enough for a command line.

    Returns:
        Two matrices; `None` where that process does not find the model's class.
    """
    seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    answer = subprocess.run(  # noqa: S603  # our own code
        [sys.executable, "-c", ASK, json.dumps(sys.path), json.dumps(texts)],
        input=pickle.dumps(embedder),
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        check=False,
    )
    if answer.returncode == CANNOT_IMPORT:
        return None
    said = answer.stderr.decode(errors="replace")[-500:]
    assert answer.returncode == 0, f"Another process cannot use the pickled embedder: {said}"
    vectors: list[list[list[float]]] = json.loads(answer.stdout.splitlines()[-1])
    return vectors
