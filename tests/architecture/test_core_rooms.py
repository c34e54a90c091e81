"""The rooms of core: every import goes down a floor, also a lazy one and one for type checkers."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

FLOORS = (
    ("adapting", "tooling"),  # doors for adapters and tools
    ("bridge", "storage"),
    ("load",),
    ("embedder",),
    ("changes", "embedding_methods", "explain"),
    ("local_async", "streaming"),
    ("engine",),
    ("discovery", "remote", "result"),
    ("cache", "listeners", "settings"),
    ("adapter_fields", "at_exit", "images", "notices", "storable", "threads"),
)
"""Files at core's own door, and rooms; from the roof to the ground."""
UPWARDS = {("embedder", "load")}
"""`Embedder.from_config` is another name for `load_embedder`."""
MOST_FILES, MOST_LINES = 25, 300


@pytest.fixture
def core(root: Path) -> Path:
    """The folder of core."""
    return root / "shared" / "embedbridge-core" / "src" / "embedbridge" / "core"


def test_imports_go_down(core: Path) -> None:
    """A room knows those below it and none above or beside it."""
    floor_of = {name: number for number, floor in enumerate(FLOORS) for name in floor}
    wrong = [
        f"{path.relative_to(core)}:{line}: {source} may not import {target}"
        for path, line, source, target in arrows(core)
        if floor_of[target] <= floor_of[source] and (source, target) not in UPWARDS
    ]

    assert not wrong


def test_every_file_and_room_has_a_floor(core: Path) -> None:
    """What is new gets its place here first; what is gone leaves."""
    there = {path.stem for path in core.iterdir() if path.suffix == ".py" or room(path)}

    assert there - {"__init__"} == {name for floor in FLOORS for name in floor}


def test_every_exception_is_used(core: Path) -> None:
    """An arrow that is gone loses its line."""
    found = {(source, target) for _, _, source, target in arrows(core)}

    assert found >= UPWARDS


def test_rooms_and_files_stay_small(core: Path) -> None:
    """A folder that outgrows this is two rooms, and a file that does is two ideas."""
    folders = [core, *(path for path in core.rglob("*") if room(path))]
    crowded = [folder.name for folder in folders if len(list(folder.glob("*.py"))) > MOST_FILES]
    long = [
        path.name
        for path in core.rglob("*.py")
        if len(path.read_text(encoding="utf-8").splitlines()) > MOST_LINES
    ]

    assert (crowded, long) == ([], [])


def room(path: Path) -> bool:
    """Whether a path is a folder with modules in it."""
    return path.is_dir() and (path / "__init__.py").is_file()


def arrows(core: Path) -> Iterator[tuple[Path, int, str, str]]:
    """Each import from one room or file of core's door to another: where, from, to."""
    for path in sorted(core.rglob("*.py")):
        source = path.relative_to(core).with_suffix("").parts[0]
        if source == "__init__":
            continue  # it exports from everywhere
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for target in targets(node):
                if target != source:
                    yield path, node.lineno, source, target  # type: ignore[attr-defined]


def targets(node: ast.AST) -> list[str]:
    """The rooms of core that a statement imports from."""
    if isinstance(node, ast.ImportFrom) and node.module == "embedbridge.core":
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("embedbridge.core."):
        return [str(node.module).split(".")[2]]
    if isinstance(node, ast.Import):
        names = [alias.name.split(".") for alias in node.names]
        return [name[2] for name in names if name[:2] == ["embedbridge", "core"] and name[2:]]
    return []
