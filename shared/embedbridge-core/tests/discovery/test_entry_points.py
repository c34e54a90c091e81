"""Plugin discovery finds what the standard library finds, and survives torn distributions."""

import logging
import os
import shutil
import sys
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.machinery import PathFinder
from importlib.metadata import (
    Distribution,
    DistributionFinder,
    EntryPoint,
    MetadataPathFinder,
    distributions,
    entry_points,
)
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedbridge.core.discovery.entry_points import installed_entry_points, package_of
from embedbridge.testing.audit import audited

ANNOUNCING = "[embedbridge]\nacme = acme_plugin\n"
CONTENTS = [
    ANNOUNCING,
    "[console_scripts]\nacme = acme:main\n\n[embedbridge]\none = m:one\ntwo = m:two\n",
    "[embedbridge]\r\nwindows = m\r\n",
    " [embedbridge] \nspaced = m\n",
    "[[embedbridge]]\nnested = m\n",
    "[ embedbridge ]\nanother = m\n",
    "[embedbridge.more]\nanother = m\n",
    "[other]\nx = [embedbridge]\n# [embedbridge]\n",
    "\ufeff[embedbridge]\nmarked = m\n",
    "[embedbridge]",
    "",
]
TORN = {
    "a line without a value": b"[embedbridge]\nacme\n",
    "not UTF-8": b"[embedbridge]\nacme = \xff\n",
}


@pytest.fixture(autouse=True, scope="module")
def pythons_own_finder() -> Iterator[None]:
    """As in a process that never imported the backport, which an old OpenTelemetry does."""
    own = [each for each in sys.meta_path if type(each).__module__ != "importlib_metadata"]
    find = staticmethod(MetadataPathFinder.find_distributions)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "meta_path", own)
        if not hasattr(PathFinder, "find_distributions"):
            patch.setattr(PathFinder, "find_distributions", find, raising=False)
        yield


@dataclass(frozen=True, kw_only=True)
class Info:
    """The folder of metadata of one distribution."""

    name: str
    version: str
    kind: Literal["dist-info", "egg-info"] = "dist-info"
    points: str | None = ANNOUNCING
    """What `entry_points.txt` holds, if it is there."""

    @property
    def folder(self) -> str:
        return f"{self.name}-{self.version}.{self.kind}"


@dataclass(frozen=True, kw_only=True)
class Place:
    """One entry of the path."""

    kind: Literal["folder", "zip", "egg", "missing"]
    infos: list[Info]


PLACES = st.lists(
    st.builds(
        Place,
        kind=st.sampled_from(["folder", "folder", "folder", "zip", "egg", "missing"]),
        infos=st.lists(
            st.builds(
                Info,
                name=st.sampled_from(["acme", "ac_me", "AC.me", "ac._Me", "zeta"]),
                version=st.sampled_from(["1.0", "2.0"]),
                kind=st.sampled_from(["dist-info", "dist-info", "egg-info"]),
                points=st.sampled_from(CONTENTS) | st.none(),
            ),
            max_size=6,
        ),
    ),
    max_size=4,
)


def install(folder: Path, info: Info) -> None:
    """Put a distribution into a folder."""
    (folder / info.folder).mkdir(parents=True, exist_ok=True)
    text = f"Metadata-Version: 2.1\nName: {info.name}\nVersion: {info.version}\n"
    (folder / info.folder / "METADATA").write_text(text, encoding="utf-8")
    if info.points is not None:
        (folder / info.folder / "entry_points.txt").write_bytes(info.points.encode())


def build(place: Place, path: Path) -> str:
    """Make an entry of the path."""
    if place.kind == "egg":
        path = path.with_suffix(".egg")
    if place.kind != "missing":
        path.mkdir()
        for info in place.infos:
            install(path, info)
    if place.kind == "zip":
        archive = path.with_suffix(".zip")
        with zipfile.ZipFile(archive, "w") as file:
            for child in sorted(path.rglob("*")):
                file.write(child, child.relative_to(path))
        return str(archive)
    return str(path)


def ours() -> list[tuple[str, str, str, str]]:
    return [facts(point) for point in installed_entry_points("embedbridge")]


def names() -> list[str]:
    """The distributions that announce something."""
    return [point.dist.name for point in installed_entry_points("embedbridge") if point.dist]


def theirs() -> list[tuple[str, str, str, str]]:
    return [facts(point) for point in entry_points(group="embedbridge")]


def facts(point: EntryPoint) -> tuple[str, str, str, str]:
    """Name and value, and the version and the place of the distribution."""
    assert point.dist is not None
    return point.name, point.value, point.dist.version, str(point.dist.locate_file(""))


@given(PLACES)
def test_it_is_the_standard_librarys_answer(places: list[Place]) -> None:
    """Whatever lies on the path: the same entry points, of the same distributions, in order."""
    with TemporaryDirectory() as root, pytest.MonkeyPatch.context() as patch:
        path = [build(place, Path(root, f"{n}")) for n, place in enumerate(places)]
        patch.setattr(sys, "path", path)

        assert ours() == theirs()


def test_the_first_of_a_name_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it is spelled differently, and where the first one announces nothing."""
    first, second = tmp_path / "first", tmp_path / "second"
    install(first, Info(name="ac_me", version="2.0"))
    install(first, Info(name="zeta", version="2.0", points=None))
    install(second, Info(name="Ac.Me", version="1.0"))
    install(second, Info(name="zeta", version="1.0", points="[embedbridge]\nzeta = old\n"))
    monkeypatch.setattr(sys, "path", [str(first), str(second), str(first)])

    assert ours() == theirs() == [("acme", "acme_plugin", "2.0", str(first))]


def test_a_package_is_described_as_by_the_standard_library() -> None:
    """For everything that is installed here."""
    installed = list(distributions())

    assert len(installed) > 20
    for one in installed:
        metadata = one.metadata
        summary = metadata["Summary"] if "Summary" in metadata else None  # noqa: SIM401
        assert package_of(one) == (one.name, one.version, (summary or "").strip() or None)


def test_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty entry of the path means it."""
    install(tmp_path, Info(name="acme", version="1.0"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [""])

    assert [point[:3] for point in ours()] == [("acme", "acme_plugin", "1.0")]
    assert ours() == theirs()


def test_a_current_folder_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It costs nothing but its own distributions."""
    install(tmp_path / "site", Info(name="acme", version="1.0"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(sys, "path", ["", str(tmp_path / "site")])
    (tmp_path / "here").rmdir()

    assert names() == ["acme"]


def test_what_is_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Old distributions are one file, and someone made a folder of `entry_points.txt`."""
    (tmp_path / "old-1.0.egg-info").write_text("Name: old\n", encoding="utf-8")
    (tmp_path / "odd-1.0.dist-info/entry_points.txt").mkdir(parents=True)
    install(tmp_path, Info(name="zzz", version="1.0"))
    monkeypatch.setattr(sys, "path", [str(tmp_path)])

    assert [point[0] for point in ours()] == ["acme"]
    assert ours() == theirs()


class Shelf(Distribution):
    """A distribution that lies in no file."""

    def __init__(self, name: str) -> None:
        self._shelf_name = name

    def read_text(self, filename: str) -> str | None:
        metadata = f"Name: {self._shelf_name}\nVersion: 3.0\n"
        return {"METADATA": metadata, "entry_points.txt": ANNOUNCING}.get(filename)

    def locate_file(self, path: object) -> Path:
        return Path("shelf", str(path))


ANYWHERE = DistributionFinder.Context()


class Finder(DistributionFinder):
    """Somebody's own."""

    def find_distributions(
        self, context: DistributionFinder.Context = ANYWHERE
    ) -> Iterable[Distribution]:
        return [Shelf(name) for name in ("acme", "only") if context.name in (None, name)]


@pytest.mark.parametrize("first", [True, False], ids=["before Python's own", "after it"])
def test_somebodys_own_finder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, first: bool
) -> None:
    """It is asked in its turn, and what it brings shadows and is shadowed."""
    install(tmp_path, Info(name="Acme", version="1.0"))
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    finders: list[object] = [Finder(), PathFinder]
    monkeypatch.setattr(sys, "meta_path", finders if first else finders[::-1])

    assert [point[2] for point in ours()] == (["3.0", "3.0"] if first else ["1.0", "3.0"])


def test_a_finder_that_was_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The backport of `importlib.metadata` takes `find_distributions` away from Python's own."""
    install(tmp_path, Info(name="acme", version="1.0"))
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.setattr(sys, "meta_path", [Finder()])
    monkeypatch.delattr(PathFinder, "find_distributions")
    sys.meta_path.append(PathFinder)

    assert [point[2] for point in ours()] == ["3.0", "3.0"]


def age(*folders: Path) -> None:
    """As if nothing had been installed there for an hour."""
    for folder in folders:
        then = folder.stat().st_mtime - 3600
        os.utime(folder, (then, then))


def test_what_was_found_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each `load_embedder` asks; only the first one reads the metadata of all that is installed."""
    install(tmp_path, Info(name="acme", version="1.0"))
    age(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert ours() == theirs() != []
    with audited() as events:
        again = installed_entry_points("embedbridge")

    assert [point.name for point in again] == ["acme"]
    assert not [name for name, _ in events if name == "open"]


def test_what_is_installed_later_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder that is known, in one that comes to the path, and what is removed is gone."""
    known, new = tmp_path / "known", tmp_path / "new"
    install(known, Info(name="acme", version="1.0"))
    install(new, Info(name="zeta", version="1.0"))
    age(known, new)
    monkeypatch.setattr(sys, "path", [str(known)])
    assert names() == ["acme"]

    sys.path.append(str(new))
    assert names() == ["acme", "zeta"]

    install(known, Info(name="beta", version="1.0"))
    assert sorted(names()) == ["acme", "beta", "zeta"]

    shutil.rmtree(known / Info(name="acme", version="1.0").folder)
    assert names() == ["beta", "zeta"]


def test_a_folder_that_has_just_changed_is_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An installer makes the folder of a distribution first, and then its files."""
    install(tmp_path, Info(name="acme", version="1.0", points=None))
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert names() == []

    install(tmp_path, Info(name="acme", version="1.0"))

    assert names() == ["acme"]


def test_a_relative_entry_follows_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same path in another folder is another one."""
    for name in ("acme", "zeta"):
        install(tmp_path / name / "lib", Info(name=name, version="1.0"))
        age(tmp_path / name / "lib")
    monkeypatch.setattr(sys, "path", ["lib"])
    monkeypatch.chdir(tmp_path / "acme")
    assert names() == ["acme"]

    monkeypatch.chdir(tmp_path / "zeta")
    assert names() == ["zeta"]


@pytest.mark.parametrize("content", TORN.values(), ids=TORN)
def test_a_torn_file_costs_itself_only(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    content: bytes,
) -> None:
    """The standard library finds nothing any more; here the others are found, and it is named."""
    install(tmp_path, Info(name="good", version="1.0"))
    torn = Info(name="torn", version="1.0")
    install(tmp_path, torn)
    (tmp_path / torn.folder / "entry_points.txt").write_bytes(content)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with caplog.at_level(logging.WARNING):
        found = ours()

    assert [point[0] for point in found] == ["acme"]
    assert f"(torn) in {tmp_path} is torn" in caplog.text
    with pytest.raises((TypeError, UnicodeDecodeError)):
        theirs()


def test_a_strangers_file_is_not_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing of ours is in it, so it may be torn, and costs no time."""
    install(tmp_path, Info(name="good", version="1.0"))
    install(tmp_path, Info(name="torn", version="1.0", points="[other]\nno value"))
    monkeypatch.setattr(sys, "path", [str(tmp_path)])

    assert [point[0] for point in ours()] == ["acme"]
    assert not caplog.records


def test_a_half_removed_distribution_costs_itself_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Without METADATA it has no name, so nobody could say whose plugin it is."""
    install(tmp_path, Info(name="good", version="1.0"))
    half = Info(name="half", version="1.0", points="[embedbridge]\nx = m")
    install(tmp_path, half)
    (tmp_path / half.folder / "METADATA").unlink()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with caplog.at_level(logging.WARNING):
        found = ours()

    assert [point[0] for point in found] == ["acme"]
    assert f"(unknown) in {tmp_path} is torn" in caplog.text
