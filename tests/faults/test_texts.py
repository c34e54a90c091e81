"""T: texts that are odd, bad or too many. Refused by position before anything is sent, or right."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from embedbridge.contract import InputTooLongError, InvalidInputError
from embedbridge.testing import FaultServer

from .conftest import MODEL, Load
from .routes import Route

Right = Callable[..., bool]

GOOD = ["first", "second"]
MEGABYTE = "All work and no play makes a text long. " * 25_000


def case(row: str, *texts: Any, at: int, says: str) -> Any:
    return pytest.param(list(texts), at, says, marks=pytest.mark.row(row))


@pytest.mark.parametrize(
    ("texts", "at", "says"),
    [
        case("T02", "", at=0, says="empty or only white space"),
        case("T03", *GOOD, "", at=2, says="empty or only white space"),
        case("T04", "first", " \n\t\u2003", at=1, says="empty or only white space"),
        case("T05", *GOOD, "half \ud83d of it", at=2, says="lone surrogate"),
        case("T08", "first", None, at=1, says="NoneType cannot be embedded"),
        case("T08", 5, "second", at=0, says="int cannot be embedded"),
        case("T08", *GOOD, b"bytes", at=2, says="bytes cannot be embedded"),
    ],
)
def test_a_bad_text_is_named(
    server: FaultServer, load: Load, route: Route, texts: list[Any], at: int, says: str
) -> None:
    """Its position is in the error, and nothing is sent."""
    door = route.through(load())
    with pytest.raises(InvalidInputError, match=says) as caught:
        door.documents(texts)

    assert caught.value.index == at
    assert not server.requests


@pytest.mark.row("T01")
def test_no_text_is_no_request(server: FaultServer, load: Load, route: Route) -> None:
    """An empty list comes back."""
    assert len(route.through(load()).documents([])) == 0
    assert not server.requests


@pytest.mark.row("T06")
def test_nul_is_a_character(server: FaultServer, load: Load, route: Route, right: Right) -> None:
    """It is sent as it is, and so are other controls."""
    texts = ["a\x00b", "ab", "\x07\x1b[0m"]

    assert right(route.through(load()).documents(texts), texts)


@pytest.mark.row("T07")
def test_a_text_that_is_too_long_is_cut_once(
    server: FaultServer, load: Load, route: Route, right: Right
) -> None:
    """One request with its beginning; the others are whole, and the engine says which was cut."""
    embedder = load()
    found = route.through(embedder).documents(["first", MEGABYTE])
    sent = sorted(server.requests[0].inputs, key=len)

    assert right(found, sent)
    assert sent[0] == "first"
    assert MEGABYTE.startswith(sent[1])
    assert 8_000 < len(sent[1]) < 8192 * 8
    assert len(server.requests) == 1
    assert embedder.embed(["first", MEGABYTE], role="document").truncated.tolist() == [False, True]


@pytest.mark.row("T07")
def test_a_text_that_is_too_long_can_be_refused(
    server: FaultServer, load: Load, route: Route
) -> None:
    """With on_too_long="error" nothing is sent, and the position is named."""
    with pytest.raises(InputTooLongError) as caught:
        route.through(load(on_too_long="error")).documents(["first", MEGABYTE])

    assert caught.value.index == 1
    assert len(str(caught.value)) < 500
    assert not server.requests


@pytest.mark.row("T09")
def test_a_bare_text_is_no_list(server: FaultServer, load: Load, route: Route) -> None:
    """It is not embedded letter by letter."""
    with pytest.raises(InvalidInputError, match="Wrap it in a list"):
        route.through(load()).documents("abc")

    assert not server.requests


@pytest.mark.row("T10")
def test_a_generator_is_a_list(load: Load, route: Route, right: Right) -> None:
    """Any iterable will do."""
    assert right(route.through(load()).documents(text for text in GOOD), GOOD)


@pytest.mark.row("T11")
def test_equal_texts_are_paid_for_once(
    server: FaultServer, load: Load, route: Route, right: Right
) -> None:
    """Ten equal ones among others: one is sent, and each gets its vector."""
    texts = ["again", "first", *["again"] * 9, "second"]

    assert right(route.through(load()).documents(texts), texts)
    assert sorted(server.requests[0].inputs) == ["again", "first", "second"]
    assert len(server.requests) == 1


@pytest.mark.row("T12")
@pytest.mark.row("P12")
@pytest.mark.parametrize("is_async", [False, True], ids=["core-sync", "core-async"])
def test_an_array_takes_four_bytes_per_value(load: Load, is_async: bool) -> None:
    """What stays after a job is 1.1 times its float32 values at most; 2,000 × 1,536 here."""
    texts = [f"text {number}" for number in range(2000)]
    with FaultServer(dimensions=1536) as server:
        door = Route("core", is_async).through(load(base_url=server.url, dimensions=1536))
        door.documents(["warm up"])
        tracemalloc.start()
        try:
            found = door.documents(texts)
            server.requests.clear()
            gc.collect()
            held, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert found.dtype == np.float32
    assert found.shape == (2000, 1536)
    assert held <= 1.1 * 4 * found.size
    assert np.allclose(found[-1], server.vector(texts[-1], MODEL), atol=1e-6)
