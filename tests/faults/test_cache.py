"""C: a cache on disk that is shared, damaged or gone. The right vectors, and never somebody else's."""

from __future__ import annotations

import pickle
import sqlite3
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
import pytest

from embedbridge.contract import InvalidInputError, InvalidResponseError
from embedbridge.core import DiskCache, Embedder
from embedbridge.testing import FaultServer, RemoteFakeModel, faults

from .conftest import Load
from .routes import Route

Right = Callable[..., bool]

TEXTS = ["first", "second", "third"]


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[DiskCache]:
    cache = DiskCache(tmp_path / "vectors.sqlite")
    yield cache
    cache.close()


@pytest.mark.row("C01")
@pytest.mark.row("C03")
def test_no_way_to_ask_finds_the_vectors_of_another(
    server: FaultServer, load: Load, route: Route, cache: DiskCache, right: Right
) -> None:
    """Another model, width or field of the request is another entry; the same one is a hit."""
    large = "text-embedding-3-large"
    ways: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({}, {}),
        ({"dimensions": 8}, {"dimensions": 8}),
        ({"extra_body": {"truncate": 1}}, {}),
        ({"name": f"openai:{large}", "dimensions": 16}, {"model": large}),
    ]
    doors = [(route.through(load(cache=cache, **options)), made) for options, made in ways]
    for paid in (len(ways), len(ways)):
        for door, made in doors:
            assert right(door.documents(TEXTS), TEXTS, **made)
        assert len(server.requests) == paid


@pytest.mark.row("C02")
def test_a_query_is_no_document(route: Route, cache: DiskCache) -> None:
    """The vector of a text as a query is never answered for the text as a document."""
    plain = Embedder(RemoteFakeModel("text"))
    door = route.through(Embedder(RemoteFakeModel("text"), cache=cache))
    for _ in range(2):
        assert np.allclose(door.documents(["why?"])[0], plain.embed_documents(["why?"])[0])
        assert np.allclose(door.query("why?"), plain.embed_query("why?"))

    assert not np.allclose(door.query("why?"), door.documents(["why?"])[0])


@pytest.mark.row("C05")
def test_a_full_disk_costs_one_warning(
    load: Load, route: Route, cache: DiskCache, right: Right
) -> None:
    """When the file cannot grow, the vectors are handed out, and what was kept before stays."""
    door, texts = (
        route.through(load(cache=cache, batch_size=500)),
        [f"text {n}" for n in range(1500)],
    )
    door.documents(TEXTS)
    with cache._file.connected() as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.warns(RuntimeWarning, match="could not be written") as caught:
        found = door.documents(texts)

    assert right(found, texts)
    assert len(caught) == 1
    assert cache.verify() == 0
    assert cache.info().vectors >= len(TEXTS)


@pytest.mark.row("C06")
def test_two_writers_lose_nothing(
    server: FaultServer, load: Load, route: Route, cache: DiskCache, right: Right
) -> None:
    """Two embedders with a connection each fill one file at once; then nothing is paid for."""
    texts = [f"text {number}" for number in range(200)]
    doors = [route.through(load(cache=cache.path, batch_size=10)) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        halves = pool.map(lambda door, half: door.documents(half), doors, (texts[::2], texts[1::2]))
        assert all(map(right, halves, (texts[::2], texts[1::2])))
    paid = len(server.requests)

    assert right(route.through(load(cache=cache)).documents(texts), texts)
    assert len(server.requests) == paid


@pytest.mark.row("C06")
def test_two_open_a_new_file_at_once(tmp_path: Path) -> None:
    """Nobody sees a locked database; thirty times."""
    for number in range(30):
        caches = [DiskCache(tmp_path / f"{number}.sqlite") for _ in range(2)]
        together = Barrier(2)

        def put(cache: DiskCache, together: Barrier = together) -> None:
            together.wait()
            cache.put_many({f"{id(cache):016x}{0:048x}": np.ones(4, np.float32)})

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(put, caches))  # warnings are errors

        assert caches[0].info().vectors == 2
        for cache in caches:
            cache.close()


@pytest.mark.row("C07")
def test_a_folder_that_cannot_be_written_costs_one_warning(
    load: Load, route: Route, tmp_path: Path, right: Right
) -> None:
    """A path below a file is one for everybody, root included."""
    (tmp_path / "file").write_text("not a folder")
    door = route.through(load(cache=tmp_path / "file" / "vectors.sqlite"))
    with pytest.warns(RuntimeWarning) as caught:
        found = door.documents(TEXTS)

    assert right(found, TEXTS)
    assert len(caught) == 1


@pytest.mark.row("C08")
@pytest.mark.parametrize("share", [0.0, 0.5, 0.9], ids=["nothing left", "half", "end missing"])
def test_a_file_that_was_cut_is_a_miss(
    server: FaultServer, load: Load, route: Route, cache: DiskCache, right: Right, share: float
) -> None:
    """The vectors are paid for again, with one warning at most, and then the file works."""
    texts = [f"text {number}" for number in range(300)]
    route.through(load(cache=cache)).documents(texts)
    cache.close()
    whole = cache.path.read_bytes()
    cache.path.write_bytes(whole[: int(len(whole) * share)])
    paid, told = [], []
    for _ in range(4):  # damage in a page that is not read at first is found later
        server.requests.clear()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert right(route.through(load(cache=cache.path)).documents(texts), texts)
        told += caught
        paid.append(len(server.requests))

    assert paid[0] > 0
    assert paid[-1] == 0
    assert len(told) <= 1


@pytest.mark.row("C09")
def test_a_flipped_byte_is_a_miss(
    server: FaultServer, load: Load, route: Route, cache: DiskCache, right: Right
) -> None:
    """Every entry is checked: one byte of one value is enough, and the vector is made anew."""
    door = route.through(load(cache=cache))
    door.documents(TEXTS)
    overwrite_rows(cache, lambda row: row[:40] + bytes([row[40] ^ 1]) + row[41:])

    assert right(door.documents(TEXTS), TEXTS)
    assert len(server.requests) == 2


@pytest.mark.row("C10")
@pytest.mark.row("C11")
@pytest.mark.parametrize(
    "fault", [faults.last_missing(), faults.first_missing(renumbered=True)], ids=repr
)
def test_nothing_wrong_is_kept(
    server: FaultServer, load: Load, route: Route, cache: DiskCache, right: Right, fault: Any
) -> None:
    """A short or shifted answer is an error, and leaves no entry that a later call could find."""
    door = route.through(load(cache=cache))
    server.always(fault)
    with pytest.raises(InvalidResponseError):
        door.documents(TEXTS)
    assert cache.info().vectors == 0

    server.always(None)
    assert right(door.documents(TEXTS), TEXTS)
    assert cache.info().vectors == len(TEXTS)


@pytest.mark.row("C12")
def test_equal_texts_are_one_entry(
    server: FaultServer, load: Load, route: Route, cache: DiskCache, right: Right
) -> None:
    """Ten equal texts are paid for once and kept once."""
    door, texts = route.through(load(cache=cache)), ["again"] * 10
    for _ in range(2):
        assert right(door.documents(texts), texts)

    assert [list(request.inputs) for request in server.requests] == [["again"]]
    assert cache.info().vectors == 1


@pytest.mark.row("C13")
def test_a_surrogate_is_an_error_of_its_text(
    server: FaultServer, load: Load, route: Route, cache: DiskCache
) -> None:
    """It never reaches the key: the position is named, nothing is sent and nothing kept."""
    with pytest.raises(InvalidInputError, match="lone surrogate") as caught:
        route.through(load(cache=cache)).documents(["first", "\ud800"])

    assert caught.value.index == 1
    assert not server.requests
    assert cache.info().vectors == 0


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.write_text, (self.path, "it ran"))


@pytest.mark.row("C14")
@pytest.mark.parametrize("where", ["every entry", "the whole file"])
def test_hostile_bytes_are_never_run(
    server: FaultServer,
    load: Load,
    route: Route,
    cache: DiskCache,
    right: Right,
    tmp_path: Path,
    where: str,
) -> None:
    """Whoever can write the file can cost us a request, and nothing else."""
    victim = tmp_path / "victim"
    hostile = pickle.dumps(Bomb(victim))
    route.through(load(cache=cache)).documents(TEXTS)
    if where == "every entry":
        overwrite_rows(cache, lambda _: hostile)
    else:
        cache.close()
        cache.path.write_bytes(hostile * 100)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = route.through(load(cache=cache.path)).documents(TEXTS)

    assert right(found, TEXTS)
    assert not victim.exists()
    assert len(caught) == (where == "the whole file")


def overwrite_rows(cache: DiskCache, change: Callable[[bytes], bytes]) -> None:
    """Change every entry behind the cache's back."""
    cache.close()
    connection = sqlite3.connect(cache.path)
    with connection:
        rows = connection.execute("SELECT id, row FROM vectors").fetchall()
        changed = [(change(row), number) for number, row in rows]
        connection.executemany("UPDATE vectors SET row = ? WHERE id = ?", changed)
    connection.close()
