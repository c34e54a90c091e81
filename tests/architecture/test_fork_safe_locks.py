"""A lock that a thread of the parent held at a fork would be held in the child for ever."""

import ast
from pathlib import Path

PLAIN = {"Lock", "RLock", "Condition"}
ALLOWED = {
    "shared/embedbridge-core/src/embedbridge/contract/forks.py": "makes the fork-safe ones of them",
    "shared/embedbridge-core/src/embedbridge/core/engine/local_driver.py": "a child forgets its drivers",
    "packages/embedbridge-huggingface/src/embedbridge/providers/huggingface/_pool.py": "renewed in a child",
    "packages/embedbridge-onnx/src/embedbridge/providers/onnx/_tower.py": "a child loads models anew",
    "packages/embedbridge-onnx/src/embedbridge/providers/onnx/backends/openvino.py": "the same",
    "packages/embedbridge-bulk/src/embedbridge/bulk/journal.py": "lives for one job, in its process",
    "packages/embedbridge-bulk/src/embedbridge/bulk/paying.py": "the same",
    "packages/embedbridge-bulk/src/embedbridge/bulk/seen.py": "the same",
    "packages/embedbridge-bulk/src/embedbridge/bulk/windows.py": "the same",
}
"""Files with plain locks, and why they may have them."""


def test_locks_are_fork_safe(root: Path) -> None:
    """Models, caches and limiters cross forks (gunicorn, Celery): theirs are `ForkSafeLock`s."""
    sources = [*root.glob("shared/*/src"), *root.glob("packages/*/src")]
    found = {
        path.relative_to(root).as_posix()
        for source in sources
        if source.parent.name != "embedbridge-testing"  # its servers and fakes live in one process
        for path in source.rglob("*.py")
        if makes_plain_lock(path.read_text(encoding="utf-8"))
    }

    assert found == set(ALLOWED)


def test_what_a_plain_lock_is() -> None:
    """Those of `threading`, however they are imported; not those of asyncio, nor ours."""
    assert makes_plain_lock("import threading\nlock = threading.RLock()")
    assert makes_plain_lock("from threading import Lock\nlocks = [Lock() for _ in range(8)]")
    assert not makes_plain_lock("import asyncio\nlock = asyncio.Lock()")
    assert not makes_plain_lock("lock = ForkSafeLock()")


def makes_plain_lock(text: str) -> bool:
    """Whether a module makes a lock of `threading`."""
    nodes = list(ast.walk(ast.parse(text))) if "threading" in text else []
    imported = {
        alias.name
        for node in nodes
        if isinstance(node, ast.ImportFrom) and node.module == "threading"
        for alias in node.names
    }
    asked = {
        node.attr
        for node in nodes
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "threading"
    }
    return bool(PLAIN & (imported | asked))
