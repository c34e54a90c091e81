"""R: answers that parse and are wrong. Repaired where the server says how, refused otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from embedbridge.contract import InvalidResponseError
from embedbridge.testing import FaultServer, faults

from .conftest import Load
from .routes import Route

Right = Callable[..., bool]

TEXTS = ["first", "second", "third"]


def cases(**says: str) -> list[Any]:
    return [
        pytest.param(row, words, id=row, marks=pytest.mark.row(row)) for row, words in says.items()
    ]


@pytest.mark.parametrize(
    ("row", "says"),
    cases(
        R02="3 inputs were sent and 2 vectors came back",
        R03="3 inputs were sent and 2 vectors came back",
        R04="3 inputs were sent and 2 vectors came back",
        R05="3 inputs were sent and 4 vectors came back",
        R06="which input each belongs to",
        R07="which input each belongs to",
        R08="differ in width",
        R09="16 dimensions were expected, 8 came back",
        R10="not finite",
        R11="not finite",
        R13="neither numbers nor base64",
        R14="neither numbers nor base64",
        R15="neither numbers nor base64",
        R17="neither numbers nor base64",
        R18="neither numbers nor base64",
        R19="neither numbers nor base64",
        R20="3 inputs were sent and 0 vectors came back",
        R21="no list of vectors",
    ),
)
def test_a_wrong_answer_is_refused(
    server: FaultServer, load: Load, route: Route, right: Right, row: str, says: str
) -> None:
    """Wrong once, it is asked for again; wrong three times, it is an error that says what is wrong."""
    door = route.through(load())
    server.play(faults.ROWS[row])
    assert right(door.documents(TEXTS), TEXTS)
    assert len(server.requests) == 2

    server.always(faults.ROWS[row])
    with pytest.raises(InvalidResponseError) as caught:
        door.documents(TEXTS)
    assert says in str(caught.value)
    # Where only one vector is wrong, the others are kept: they were paid for.
    kept = caught.value.partial
    assert (None if kept is None else kept.ok.sum()) == (2 if row in ("R10", "R11") else None)
    assert len(server.requests) == 2 + 3
    assert caught.value.attempts == 3


@pytest.mark.parametrize(
    "row", [pytest.param(row, marks=pytest.mark.row(row)) for row in ("R01", "R16")]
)
def test_an_odd_answer_that_is_right(
    server: FaultServer, load: Load, route: Route, right: Right, row: str
) -> None:
    """Another order with right numbers, or two encodings side by side: the right vectors."""
    server.always(faults.ROWS[row])

    assert right(route.through(load()).documents(TEXTS), TEXTS)
    assert len(server.requests) == 1


@pytest.mark.row("R09")
def test_the_width_of_an_unknown_model_is_that_of_its_first_answer(
    server: FaultServer, load: Load, route: Route, right: Right
) -> None:
    """Where no catalogue knows the width, a later answer of another width is refused all the same."""
    door = route.through(load("openai-compatible:some-model"))
    assert right(door.documents(TEXTS), TEXTS, model="some-model")
    server.always(faults.ROWS["R09"])

    with pytest.raises(InvalidResponseError, match="16 dimensions were expected, 8 came back"):
        door.documents(["another text"])


@pytest.mark.row("R12")
def test_a_vector_of_zeros_is_told(server: FaultServer, load: Load, route: Route) -> None:
    """It has no direction, and every similarity to it is NaN: a warning says so."""
    server.always(faults.ROWS["R12"])
    with pytest.warns(UserWarning, match="zero"):
        found = route.through(load()).documents(TEXTS)

    assert np.shape(found) == (3, 16)
