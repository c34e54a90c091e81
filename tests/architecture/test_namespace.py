"""Several distributions share the namespaces `embedbridge` and `llama_index`: nobody owns them.

A stray `__init__.py` in one of them would hide every other distribution's part of it.
"""

from collections import Counter
from pathlib import Path

NAMESPACES = {
    Path(),
    Path("embedbridge"),
    Path("embedbridge/providers"),
    Path("llama_index"),
    Path("llama_index/embeddings"),
}


def test_no_file_stands_in_a_namespace_folder(member: Path) -> None:
    """Namespace folders hold folders only: no `__init__.py`, no module, no `py.typed`."""
    src = member / "src"
    strays = [path for path in files_in(src) if path.parent in NAMESPACES]

    assert not strays


def test_each_leaf_is_a_package(member: Path) -> None:
    """Right below a namespace stands a package with an `__init__.py`, or the next namespace."""
    files = files_in(member / "src")
    leaves = leaves_of(files)
    without_init = {leaf for leaf in leaves if leaf / "__init__.py" not in files}

    assert leaves
    assert not without_init


def test_py_typed_stands_in_each_leaf_and_nowhere_else(member: Path) -> None:
    """Type checkers look for `py.typed` in the leaf; anywhere higher two wheels would own it."""
    files = files_in(member / "src")
    leaves = leaves_of(files)
    marked = [path.parent for path in files if path.name == "py.typed"]

    assert sorted(marked) == sorted(leaves)


def test_no_path_is_owned_by_two_distributions(members: list[Path]) -> None:
    """Uninstalling one distribution never deletes a file of another."""
    owners = Counter(path for member in members for path in files_in(member / "src"))
    shared = [path for path, count in owners.items() if count > 1]

    assert not shared


def files_in(src: Path) -> set[Path]:
    """Every file that goes into the wheel, relative to `src`."""
    return {
        path.relative_to(src)
        for path in src.rglob("*")
        if path.is_file() and path.parent.name != "__pycache__"
    }


def leaves_of(files: set[Path]) -> set[Path]:
    """For each file that is no stray, the first folder on the way to it that is no namespace."""
    return {
        next(folder for folder in reversed(path.parents) if folder not in NAMESPACES)
        for path in files
        if path.parent not in NAMESPACES
    }
