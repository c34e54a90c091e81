"""Who may import whom: the table of the design, checked on the source without running it.

    adapters, cli ──► core ──► contract ◄── providers

An import at the top of a file runs for everybody. One inside a function, or under `TYPE_CHECKING`,
runs only where the other distribution is installed: it is *lazy*.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ADAPTERS = {"llama_index.embeddings.embedbridge", "langchain_embedbridge"}

# leaf: (what it may import at the top, what it may import lazily as well)
ARROWS: dict[str, tuple[set[str], set[str]]] = {
    "embedbridge.contract": (set(), set()),
    "embedbridge.core": ({"embedbridge.contract"}, set()),
    "embedbridge.testing": ({"embedbridge.contract", "embedbridge.core"}, ADAPTERS),
    "embedbridge.providers": ({"embedbridge.contract"}, set()),
    "llama_index.embeddings.embedbridge": ({"embedbridge.contract", "embedbridge.core"}, set()),
    "langchain_embedbridge": ({"embedbridge.contract", "embedbridge.core"}, set()),
    "embedbridge.bulk": ({"embedbridge.contract", "embedbridge.core"}, set()),
    "embedbridge.cli": (
        {"embedbridge.contract", "embedbridge.core"},
        {"embedbridge.bulk", "embedbridge.testing", *ADAPTERS},
    ),
}


@dataclass(frozen=True, kw_only=True)
class Import:
    """One imported name and where it stands."""

    name: str
    line: int
    lazy: bool


def test_arrows_point_the_right_way(member: Path) -> None:
    """A leaf imports itself and what the table allows, and a provider never imports a sister."""
    wrong = [
        f"{path.relative_to(member)}:{found.line}: {leaf} may not import {target}"
        + ("" if found.lazy else " at the top")
        for path in source_files(member)
        if (leaf := leaf_of(module_name(path, member)))
        for found in imports_of(path, member)
        if (target := leaf_of(found.name)) and not is_allowed(leaf, target, lazy=found.lazy)
    ]

    assert not wrong


def test_every_source_file_belongs_to_a_leaf_of_the_table(member: Path) -> None:
    """A new leaf gets a line in the table before it gets imports."""
    files = source_files(member)
    strangers = [path for path in files if leaf_of(module_name(path, member)) is None]

    assert files
    assert not strangers


@pytest.mark.parametrize("file", ["hooks.py", "card.py", "errors.py"])
def test_discovery_needs_neither_numpy_nor_pydantic(root: Path, file: str) -> None:
    """Every process reads hooks, cards and errors, so they cost nothing to import."""
    core = root / "shared" / "embedbridge-core"
    path = core / "src" / "embedbridge" / "contract" / file
    names = {found.name.partition(".")[0] for found in imports_of(path, core) if not found.lazy}

    assert not names & {"numpy", "pydantic"}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import embedbridge.core.load", ("embedbridge.core.load", False)),
        ("from embedbridge import core", ("embedbridge.core", False)),
        ("from ..core import load", ("embedbridge.core.load", False)),
        ("def f():\n    import embedbridge.core", ("embedbridge.core", True)),
        ("if TYPE_CHECKING:\n    import embedbridge.core", ("embedbridge.core", True)),
        ("import_module('embedbridge.core')", ("embedbridge.core", False)),
        ("def f():\n    importlib.import_module('embedbridge.core')", ("embedbridge.core", True)),
    ],
)
def test_no_way_to_write_an_import_escapes(
    tmp_path: Path, source: str, expected: tuple[str, bool]
) -> None:
    """Absolute, relative, lazy, typing-only and dynamic imports are all seen."""
    path = tmp_path / "src" / "embedbridge" / "contract" / "hooks.py"
    path.parent.mkdir(parents=True)
    path.write_text(source, encoding="utf-8")

    assert expected in {(found.name, found.lazy) for found in imports_of(path, tmp_path)}


def is_allowed(leaf: str, target: str, *, lazy: bool) -> bool:
    """Whether the table has an arrow from one leaf to another."""
    kind = "embedbridge.providers" if leaf.startswith("embedbridge.providers.") else leaf
    at_top, lazily = ARROWS[kind]
    return target in {leaf, *at_top} or (lazy and target in lazily)


def leaf_of(module: str) -> str | None:
    """The leaf of ours that a module belongs to; None for a stranger's module."""
    if module.startswith("embedbridge.providers."):
        return ".".join(module.split(".")[:3])
    return next((leaf for leaf in ARROWS if f"{module}.".startswith(f"{leaf}.")), None)


def source_files(member: Path) -> list[Path]:
    """Every Python file that the member publishes."""
    return sorted((member / "src").rglob("*.py"))


def module_name(path: Path, member: Path) -> str:
    """The dotted name under which a file is imported."""
    parts = path.relative_to(member / "src").with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def imports_of(path: Path, member: Path) -> Iterator[Import]:
    """Every import of a file, with relative ones made absolute."""
    package = ".".join(path.relative_to(member / "src").parent.parts)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node, lazy in walk(tree, lazy=False):
        for name in imported_names(node, package):
            yield Import(name=name, line=node.lineno, lazy=lazy)


def walk(node: ast.AST, *, lazy: bool) -> Iterator[tuple[ast.stmt | ast.expr, bool]]:
    """Every statement and expression, and whether it runs only later or only for a type checker."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt | ast.expr):
            yield child, lazy
        in_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        typing_only = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
        yield from walk(child, lazy=lazy or in_function or typing_only)


def imported_names(node: ast.AST, package: str) -> list[str]:
    """What a node imports; `from a import b` may mean the module `a.b`, so that is the answer."""
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=module, names=names, level=level):
            parents = package.split(".")[: len(package.split(".")) - level + 1] if level else []
            base = ".".join([*parents, *([module] if module else [])])
            return [f"{base}.{alias.name}" for alias in names]
        case ast.Call(func=func, args=[ast.Constant(value=str(name)), *_]):
            return [name] if ast.unparse(func).endswith(("import_module", "__import__")) else []
    return []
