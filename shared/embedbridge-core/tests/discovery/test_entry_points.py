"""A look at the bytes first finds what the standard library finds."""

import logging
import sys
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from importlib.machinery import PathFinder
from importlib.metadata import (
    Distribution,
    DistributionFinder,
    EntryPoint,
    MetadataPathFinder,
    entry_points,
)
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedbridge.core.discovery.entry_points import installed_entry_points

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
    points: str | None
    """What `entry_points.txt` holds, if it is there."""
    metadata: bool = True
    """Whether `METADATA` is there."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """One entry of the path."""

    kind: Literal["folder", "zip", "egg", "missing"]
    infos: list[Info]


@st.composite
def an_info(draw: st.DrawFn) -> Info:
    """Names that are often the same, in several spellings; now and then one that is no name."""
    points = draw(st.sampled_from(CONTENTS) | st.none())
    if draw(st.integers(0, 9)) == 0:
        odd = ["acme-1.DIST-INFO", ".dist-info", "..egg-info", "-1.dist-info", "EGG-INFO"]
        # The standard library looks up the name in the metadata, and fails where there are none.
        return Info(name=draw(st.sampled_from(odd)), points=points)
    name = draw(st.sampled_from(["acme", "Ac-me", "ac_me", "AC.me", "ac._Me", ".acme", "zeta"]))
    version = draw(st.sampled_from(["", "-1.0", "-2.0-py3.11"]))
    kind = draw(st.sampled_from([".dist-info", ".dist-info", ".egg-info"]))
    return Info(name=f"{name}{version}{kind}", points=points, metadata=draw(st.booleans()))


PLACES = st.lists(
    st.builds(
        Place,
        kind=st.sampled_from(["folder", "folder", "folder", "zip", "egg", "missing"]),
        infos=st.lists(an_info(), max_size=6),
    ),
    max_size=4,
)


def install(folder: Path, info: Info) -> None:
    """Put a distribution into a folder."""
    (folder / info.name).mkdir(parents=True, exist_ok=True)
    if info.metadata:
        text = "Metadata-Version: 2.1\nName: Ac.me\nVersion: 1.0\n"
        (folder / info.name / "METADATA").write_text(text, encoding="utf-8")
    if info.points is not None:
        content = info.points.encode()
        (folder / info.name / "entry_points.txt").write_bytes(content)


def build(place: Place, path: Path) -> str:
    """Make an entry of the path."""
    if place.kind == "egg":
        path = path.with_suffix(".egg")
    if place.kind != "missing":
        path.mkdir()
        for info in place.infos:
            # In a zip the standard library looks up every name in the metadata.
            install(path, replace(info, metadata=True) if place.kind == "zip" else info)
    if place.kind == "zip":
        archive = path.with_suffix(".zip")
        with zipfile.ZipFile(archive, "w") as file:
            for child in sorted(path.rglob("*")):
                file.write(child, child.relative_to(path))
        return str(archive)
    return str(path)


def ours() -> list[tuple[str, str, str]]:
    return [told(point) for point in installed_entry_points("embedbridge")]


def theirs() -> list[tuple[str, str, str]]:
    return [told(point) for point in entry_points(group="embedbridge")]


def told(point: EntryPoint) -> tuple[str, str, str]:
    """Name, value, and where it was found."""
    return point.name, point.value, str(vars(point.dist)["_path"])


@given(PLACES)
def test_it_is_the_standard_librarys_answer(places: list[Place]) -> None:
    """Whatever lies on the path: the same entry points, of the same distributions, in order."""
    with TemporaryDirectory() as root, pytest.MonkeyPatch.context() as patch:
        path = [build(place, Path(root, f"{n}")) for n, place in enumerate(places)]
        patch.setattr(sys, "path", path)

        assert ours() == theirs()


def test_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty entry of the path means it."""
    install(tmp_path, Info(name="acme-1.0.dist-info", points=ANNOUNCING))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [""])

    assert ours() == theirs() == [("acme", "acme_plugin", "acme-1.0.dist-info")]


def test_what_is_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Old distributions are one file, and someone made a folder of `entry_points.txt`."""
    (tmp_path / "old-1.0.egg-info").write_text("Name: old\n", encoding="utf-8")
    (tmp_path / "odd-1.0.dist-info/entry_points.txt").mkdir(parents=True)
    install(tmp_path, Info(name="zzz-1.0.dist-info", points=ANNOUNCING))
    monkeypatch.setattr(sys, "path", [str(tmp_path)])

    assert [name for name, _, _ in ours()] == ["acme"]
    assert ours() == theirs()


class Shelf(Distribution):
    """A distribution that lies in no file."""

    def __init__(self, name: str) -> None:
        self._path = name

    def read_text(self, filename: str) -> str | None:
        return {"METADATA": f"Name: {self._path}\n", "entry_points.txt": ANNOUNCING}.get(filename)

    def locate_file(self, path: object) -> Path:
        raise NotImplementedError


ANYWHERE = DistributionFinder.Context()


class Finder(DistributionFinder):
    """Somebody's own."""

    def find_distributions(
        self, context: DistributionFinder.Context = ANYWHERE
    ) -> Iterable[Distribution]:
        return [Shelf("ac.me"), Shelf("only-here")]


@pytest.mark.parametrize("first", [True, False], ids=["before Python's own", "after it"])
def test_somebodys_own_finder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, first: bool
) -> None:
    """It is asked in its turn, and what it brings shadows and is shadowed."""
    install(tmp_path, Info(name="Ac_Me-1.0.dist-info", points=ANNOUNCING))
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    finders: list[object] = [Finder(), PathFinder]
    monkeypatch.setattr(sys, "meta_path", finders if first else finders[::-1])
    places = [Path(place).name for _, _, place in ours()]

    assert places == (["ac.me", "only-here"] if first else ["Ac_Me-1.0.dist-info", "only-here"])
    assert ours() == theirs()


def test_a_finder_that_was_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The backport of `importlib.metadata` takes `find_distributions` away from Python's own."""
    install(tmp_path, Info(name="acme-1.0.dist-info", points=ANNOUNCING))
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.setattr(sys, "meta_path", [Finder()])
    monkeypatch.delattr(PathFinder, "find_distributions")
    sys.meta_path.append(PathFinder)

    assert [place for _, _, place in ours()] == ["ac.me", "only-here"]


@pytest.mark.parametrize("content", TORN.values(), ids=TORN)
def test_a_torn_file_costs_itself_only(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    content: bytes,
) -> None:
    """The standard library finds nothing any more; here the others are found, and it is named."""
    install(tmp_path, Info(name="good-1.0.dist-info", points=ANNOUNCING))
    install(tmp_path, Info(name="torn-1.0.dist-info", points=""))
    (tmp_path / "torn-1.0.dist-info/entry_points.txt").write_bytes(content)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with caplog.at_level(logging.WARNING):
        found = ours()

    assert [name for name, _, _ in found] == ["acme"]
    assert "torn-1.0.dist-info" in caplog.text
    with pytest.raises((TypeError, UnicodeDecodeError)):
        theirs()


def test_a_strangers_file_is_not_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing of ours is in it, so it may be torn, and costs no time."""
    install(tmp_path, Info(name="good-1.0.dist-info", points=ANNOUNCING))
    install(tmp_path, Info(name="torn-1.0.dist-info", points="[other]\nno value"))
    monkeypatch.setattr(sys, "path", [str(tmp_path)])

    assert [name for name, _, _ in ours()] == ["acme"]
    assert not caplog.records


def test_one_without_a_name_shadows_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The standard library finds nothing any more beside a half-removed folder."""
    install(tmp_path, Info(name="good-1.0.dist-info", points=ANNOUNCING))
    install(tmp_path, Info(name="-1.0.dist-info", points="[embedbridge]\nx = m", metadata=False))
    monkeypatch.setattr(sys, "path", [str(tmp_path)])

    assert {name for name, _, _ in ours()} == {"acme", "x"}
