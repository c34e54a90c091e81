"""The rooms of the command line: app → commands → what they share; no command imports another."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

CLI = "embedbridge.cli"
ENTRANCE = {"__init__", "__main__", "app"}
SHARED = {"options", "tables"}


@pytest.fixture
def arrows(root: Path) -> dict[str, set[str]]:
    """The files of the command line, by module below `embedbridge.cli`, and which they import."""
    folder = root / "packages" / "embedbridge" / "src" / "embedbridge" / "cli"
    files = {module_of(path.relative_to(folder)): path for path in folder.rglob("*.py")}
    return {module: imported(path) & set(files) for module, path in files.items()}


def test_commands_share_only_what_is_meant_to_be_shared(arrows: dict[str, set[str]]) -> None:
    """A command imports its own room and the shared files; these import nothing of the commands."""
    wrong = [
        f"{module} imports {target}"
        for module, targets in arrows.items()
        for target in targets
        if not is_allowed(room_of(module), room_of(target))
    ]

    assert not wrong


def test_no_circle(arrows: dict[str, set[str]]) -> None:
    """Every file stands on files below it, also counting imports that only a type checker sees."""
    order = list(TopologicalSorter(arrows).static_order())

    assert set(order) == set(arrows)


def test_every_shared_file_is_shared(arrows: dict[str, set[str]]) -> None:
    """What a single command uses belongs into its room."""
    users = {
        shared: {room_of(module) for module, targets in arrows.items() if shared in targets}
        for shared in SHARED
    }

    assert all(len(rooms) > 1 for rooms in users.values())


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("app", "embed", True),
        ("embed", "embed", True),
        ("embed", "options", True),
        ("doctor", "embed", False),
        ("tables", "providers", False),
        ("embed", "app", False),
    ],
)
def test_which_arrows_are_allowed(source: str, target: str, expected: bool) -> None:
    """The rule itself."""
    assert is_allowed(source, target) is expected


def is_allowed(source: str, target: str) -> bool:
    """Whether a file of one room may import from the other."""
    return source == target or source in ENTRANCE or target in SHARED


def room_of(module: str) -> str:
    """The folder below `cli/`, or the file if it lies in none."""
    return module.partition(".")[0]


def module_of(path: Path) -> str:
    """`demo/pictures.py` is `demo.pictures`; a package is its folder, the CLI itself `__init__`."""
    module = ".".join(path.with_suffix("").parts)
    return module.removesuffix(".__init__")


def imported(path: Path) -> set[str]:
    """The modules below `embedbridge.cli` that a file names in an import, wherever it stands."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name.removeprefix(f"{CLI}.") for name in names if name.startswith(f"{CLI}.")}
