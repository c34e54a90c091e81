"""What the architecture tests look at: the tree of this repository, one member at a time."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
MEMBERS = sorted(
    path.parent for folder in ("shared", "packages") for path in (ROOT / folder).glob("*/src")
)


@pytest.fixture
def root() -> Path:
    """The root of the repository."""
    return ROOT


@pytest.fixture
def members() -> list[Path]:
    """The folder of every member."""
    return MEMBERS


@pytest.fixture(params=MEMBERS, ids=lambda member: member.name)
def member(request: pytest.FixtureRequest) -> Path:
    """The folder of one member; a test that asks for it runs once for each."""
    folder: Path = request.param
    return folder


@pytest.fixture
def pyproject(member: Path) -> dict[str, Any]:
    """The member's pyproject.toml."""
    return tomllib.loads((member / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture
def root_pyproject() -> dict[str, Any]:
    """The root's pyproject.toml: tools only."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
