"""What we publish names nothing of the machine it was written on."""

import subprocess
from pathlib import Path

import pytest

# Put together here, so that this very file is clean.
FOLDERS_OF_SOMEBODY = [f"/{name}/" for name in ("home", "root", "work", "Users")]
REGISTRIES = [
    ".".join(host) for host in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "com"))
]


def test_no_file_names_a_folder_or_a_registry_of_somebodys_machine(root: Path) -> None:
    """One developer's checkout means nothing to anybody else, and pip knows its own index."""
    names = [
        f"{path.relative_to(root)}:{number}: {line.strip()}"
        for path in our_files(root)
        for number, line in enumerate(text_of(path).splitlines(), start=1)
        if any(name in line for name in (*FOLDERS_OF_SOMEBODY, *REGISTRIES))
    ]

    assert not names


def our_files(root: Path) -> list[Path]:
    """What git tracks or would track."""
    if not (root / ".git").exists():
        pytest.skip("not a git checkout: git says which files are ours")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    return [path for name in listed.stdout.split("\0") if (path := root / name).is_file()]


def text_of(path: Path) -> str:
    """The text of a file; a binary one has none."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""
