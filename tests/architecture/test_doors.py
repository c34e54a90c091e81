"""Internals of core can move: what is released separately imports core through its doors only."""

import ast
from functools import cache
from pathlib import Path

import pytest

DOORS = {"embedbridge.core", "embedbridge.core.adapting", "embedbridge.core.tooling"}
TOOLKITS = {"embedbridge.contract.remote", "embedbridge.contract.local"}
INSIDE = {
    "packages/embedbridge-huggingface/tests/test_precision.py": "embedbridge.contract.local.onednn",
    "tests/zoo/test_towers.py": "embedbridge.contract.local.onednn",
    "tests/integration/test_token_estimate.py": "embedbridge.core.engine.estimate",
    "benchmarks/cache.py": "embedbridge.core.cache.base",
}
"""Files of ours that look inside, each with the one module that it looks at."""


def test_core_is_imported_by_its_doors(root: Path) -> None:
    """No adapter, provider, tool or test outside core names a file behind a door."""
    wrong = [
        f"{path}:{line}: {module}"
        for path, line, module in imports_from_outside(root)
        if not is_door(module) and INSIDE.get(path) != module
    ]

    assert not wrong


def test_every_exception_is_used(root: Path) -> None:
    """A file that looks inside no more loses its line."""
    used = {(path, module) for path, _, module in imports_from_outside(root)}

    assert set(INSIDE.items()) <= used


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("embedbridge.core", True),
        ("embedbridge.core.adapting", True),
        ("embedbridge.core.engine", False),
        ("embedbridge.core.embedder", False),
        ("embedbridge.contract.errors", True),
        ("embedbridge.contract.remote", True),
        ("embedbridge.contract.remote.rows", False),
        ("embedbridge.testing.fakes", True),
    ],
)
def test_what_a_door_is(module: str, expected: bool) -> None:
    """Core's three, the modules of the contract, and its two toolkits as a whole."""
    assert is_door(module) is expected


def is_door(module: str) -> bool:
    """Whether somebody outside core may import names from this module."""
    if module.startswith("embedbridge.core"):
        return module in DOORS
    return not any(module.startswith(f"{toolkit}.") for toolkit in TOOLKITS)


@cache
def imports_from_outside(root: Path) -> list[tuple[str, int, str]]:
    """Each import of a module of core, in every Python file that is not core's own."""
    core = root / "shared" / "embedbridge-core"
    folders = ("shared", "packages", "tests", "benchmarks")
    files = [path for folder in folders for path in sorted((root / folder).rglob("*.py"))]
    # Scripts of public reports are kept as they were reported; three look at what core does to a picture.
    reports = root / "tests" / "reports"
    return [
        (path.relative_to(root).as_posix(), line, module)
        for path in files
        if core not in path.parents and reports not in path.parents
        for line, module in imported_modules(path, core / "src")
    ]


def imported_modules(path: Path, src: Path) -> list[tuple[int, str]]:
    """The modules of core that a file imports; `from a import b` is `a.b` where that is one."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            module = name if is_module(name, src) else name.rpartition(".")[0]
            if is_module(module, src):
                found.append((node.lineno, module))
    return found


def is_module(name: str, src: Path) -> bool:
    """Whether core's distribution has a module or package of this name."""
    path = src.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()
