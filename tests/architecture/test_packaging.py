"""What each member's pyproject.toml says, and what the root says about each member.

For a new package these failures are the to-do list.
"""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

CORE_RANGE = SpecifierSet(">=0.1,<0.2")
CARRIED = {"embedbridge-onnx": "MIT AND Apache-2.0"}
"""The licence of members whose wheels carry what others have made."""


def test_folder_is_named_after_its_distribution(member: Path, pyproject: dict[str, Any]) -> None:
    """Whoever knows the name on the package index knows the folder."""
    assert pyproject["project"]["name"] == member.name


def test_every_member_is_built_the_same_way(pyproject: dict[str, Any]) -> None:
    """Hatchling for all: an editable install of another kind would hide parts of the namespace."""
    assert pyproject["build-system"]["build-backend"] == "hatchling.build"


def test_wheel_holds_what_stands_in_src(member: Path, pyproject: dict[str, Any]) -> None:
    """Hatchling would not guess a namespace package, so the wheel's folder is named."""
    packages = pyproject["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    folders = [f"src/{path.name}" for path in (member / "src").iterdir() if path.is_dir()]

    assert packages == folders


def test_project_table_is_complete(member: Path, pyproject: dict[str, Any]) -> None:
    """Same Python versions, types for all, and a README to show."""
    project = pyproject["project"]

    assert project["requires-python"] == ">=3.11"
    assert "Typing :: Typed" in project["classifiers"]
    assert (member / project["readme"]).is_file()


def test_licences_are_named(member: Path, pyproject: dict[str, Any]) -> None:
    """Ours, and that of every file in the wheel that others have made, with their own words."""
    project = pyproject["project"]
    others = [
        path.relative_to(member).as_posix()
        for name in ("LICENSE", "NOTICE")
        for path in sorted((member / "src").rglob(name))
        if path.read_bytes() != (member / "LICENSE").read_bytes()  # a model that we have made
    ]

    assert project["license"] == CARRIED.get(member.name, "MIT")
    assert project["license-files"] == ["LICENSE", *others]


def test_licence_is_the_same_everywhere(root: Path, member: Path) -> None:
    """A wheel cannot reach the root's LICENSE, so each member carries the same bytes."""
    assert (member / "LICENSE").read_bytes() == (root / "LICENSE").read_bytes()


def test_members_ask_for_one_range_of_core(pyproject: dict[str, Any]) -> None:
    """A change of the contract bumps core's minor, and nobody is left behind unseen."""
    ranges = {
        requirement.specifier
        for requirement in requirements(pyproject)
        if requirement.name == "embedbridge-core" and requirement.specifier
    }
    expected = set() if pyproject["project"]["name"] == "embedbridge-core" else {CORE_RANGE}

    assert ranges == expected


def test_tools_are_set_up_in_the_root_only(pyproject: dict[str, Any]) -> None:
    """One place says how to lint, type and test: a copy in a member would drift."""
    assert not {"ruff", "mypy", "pytest", "pyright", "coverage", "uv"} & set(pyproject["tool"])


def test_entry_points_lead_into_the_members_own_tree(
    member: Path, pyproject: dict[str, Any]
) -> None:
    """An entry point or a script names a module that this very distribution ships."""
    project = pyproject["project"]
    groups = [*project.get("entry-points", {}).values(), project.get("scripts", {})]
    targets = [target.partition(":")[0] for group in groups for target in group.values()]
    lost = [target for target in targets if not ships(member, target)]

    assert not lost


def test_provider_is_found_under_its_own_name(member: Path, pyproject: dict[str, Any]) -> None:
    """`embedbridge-x` ships `embedbridge.providers.x` and announces `x`; aliases come on top."""
    folders = [path.name for path in (member / "src/embedbridge/providers").glob("*/")]
    announced = pyproject["project"].get("entry-points", {}).get("embedbridge", {})

    assert folders in ([], [member.name.removeprefix("embedbridge-")])
    assert set(folders) <= set(announced)


def test_root_knows_every_source_folder(member: Path, root_pyproject: dict[str, Any]) -> None:
    """Mypy and pyright find a member only where its `src` is listed."""
    src = f"{member.parent.name}/{member.name}/src"

    assert f"$MYPY_CONFIG_FILE_DIR/{src}" in root_pyproject["tool"]["mypy"]["mypy_path"]
    assert src in root_pyproject["tool"]["pyright"]["extraPaths"]


def test_uv_takes_our_own_members_from_the_tree(
    members: list[Path], pyproject: dict[str, Any], root_pyproject: dict[str, Any]
) -> None:
    """Without a line in `tool.uv.sources`, uv would look for a sister on the package index."""
    ours = {member.name for member in members}
    needed = {requirement.name for requirement in requirements(pyproject)} & ours
    listed = {
        name
        for name, source in root_pyproject["tool"]["uv"]["sources"].items()
        if source == {"workspace": True}
    }

    assert needed - {pyproject["project"]["name"]} <= listed


def test_every_member_is_installed_for_daily_work(root: Path, member: Path) -> None:
    """`pip install -r requirements-dev.txt` is all that a contributor needs."""
    lines = (root / "requirements-dev.txt").read_text(encoding="utf-8").splitlines()
    editable = [line.partition("[")[0] for line in lines if line.startswith("-e ")]

    assert f"-e ./{member.parent.name}/{member.name}" in editable


def test_light_members_need_no_torch(root: Path, member: Path, pyproject: dict[str, Any]) -> None:
    """A member is tested on every Python version, unless it is one of those that need torch."""
    lines = (root / "requirements-light.txt").read_text(encoding="utf-8").splitlines()
    editable = [line.partition("[")[0] for line in lines if line.startswith("-e ")]
    needs_torch = any(
        Requirement(line).name == "torch" for line in pyproject["project"]["dependencies"]
    )

    assert (f"-e ./{member.parent.name}/{member.name}" in editable) != needs_torch


def test_changelog_names_every_distribution(root: Path, member: Path) -> None:
    """A change that users can see has a place to be told."""
    changelog = (root / "CHANGELOG.md").read_text(encoding="utf-8")

    assert f"## {member.name}\n" in changelog


def test_installed_version_is_the_one_in_the_tree(member: Path, pyproject: dict[str, Any]) -> None:
    """A stale install would test yesterday's metadata: entry points, extras, ranges."""
    try:
        installed = version(member.name)
    except PackageNotFoundError:
        return  # an environment of its own kind, for example one without torch

    assert installed == pyproject["project"]["version"]


def requirements(pyproject: dict[str, Any]) -> list[Requirement]:
    """All that a member depends on, its extras included, under normalised names."""
    project = pyproject["project"]
    extras = project.get("optional-dependencies", {}).values()
    lines = [*project["dependencies"], *(line for extra in extras for line in extra)]
    wanted = [Requirement(line) for line in lines]
    for requirement in wanted:
        requirement.name = canonicalize_name(requirement.name)
    return wanted


def ships(member: Path, module: str) -> bool:
    """Whether the member's own tree has this module."""
    path = member.joinpath("src", *module.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()
