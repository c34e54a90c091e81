"""The pools of `concurrent.futures` refuse calls when the main thread has ended; ours do not."""

import ast
from pathlib import Path

ALLOWED = {
    "shared/embedbridge-core/src/embedbridge/contract/thread_pool.py": "makes ours of it",
    "shared/embedbridge-core/src/embedbridge/core/threads.py": "asyncio takes no other executor",
}
"""Files that name `ThreadPoolExecutor`, and why they may."""


def test_pools_take_calls_after_the_main_thread(root: Path) -> None:
    """Threads of users go on then, and what they paid for is stored: a pool is a `ThreadPool`."""
    sources = [*root.glob("shared/*/src"), *root.glob("packages/*/src")]
    found = {
        path.relative_to(root).as_posix()
        for source in sources
        if source.parent.name != "embedbridge-testing"  # its servers and fakes are for tests
        for path in source.rglob("*.py")
        if names_plain_pool(path.read_text(encoding="utf-8"))
    }

    assert found == set(ALLOWED)


def test_what_a_plain_pool_is() -> None:
    """However it is imported."""
    assert names_plain_pool("from concurrent.futures import Future, ThreadPoolExecutor")
    assert names_plain_pool("import concurrent.futures as c\nc.ThreadPoolExecutor(1)")
    assert not names_plain_pool("from concurrent.futures import Future")


def names_plain_pool(text: str) -> bool:
    """Whether a module imports or uses `ThreadPoolExecutor`."""
    if "ThreadPoolExecutor" not in text:
        return False
    return any(
        getattr(node, "attr", getattr(node, "name", None)) == "ThreadPoolExecutor"
        for node in ast.walk(ast.parse(text))
    )
