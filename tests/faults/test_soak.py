"""Many texts through a server that faults often: none is lost, doubled or misplaced."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import numpy as np
import pytest

from embedbridge.testing import FaultServer, faults

from .conftest import MODEL, WIDTH, Load
from .routes import ROUTES, Route

SHARE = 0.2
MILLION = int(os.environ.get("EMBEDBRIDGE_SOAK_TEXTS", "1_000_000"))


async def _late(exchange: Any) -> None:
    await asyncio.sleep(0.005)
    await exchange.answer()


FAULTS = [
    faults.Fault("late", _late),
    faults.duplicate_index(),
    faults.first_missing(renumbered=True),
    faults.last_missing(),
    faults.not_a_number(),
    faults.one_extra(),
    faults.rate_limited(retry_after="0.001"),
    faults.reset_before(),
    faults.reset_mid_body(),
    faults.shuffled(),
    faults.status(500),
    faults.status(503),
    faults.truncated_json(),
    faults.wrong_width(),
]


def soak(
    server: FaultServer, load: Load, route: Route, *, texts: int, seed: int
) -> tuple[int, int]:
    server.sometimes(SHARE, *FAULTS, seed=seed)
    asked = [f"{seed} {number}" for number in range(texts)]
    found = route.through(load(batch_size=100, max_attempts=20)).documents(asked)
    faulted = sum(request.fault is not None for request in server.requests)

    assert faulted >= 0.1 * len(server.requests)
    assert len(found) == texts  # none is lost or doubled
    wrong = sum(  # none is another's
        not np.array_equal(np.asarray(vector, np.float32), server.vector(text, MODEL, WIDTH))
        for text, vector in zip(asked, found, strict=True)
    )
    assert wrong == 0
    return len(server.requests), faulted


@pytest.mark.parametrize(
    ("seed", "route"), list(zip((1, 2, 3), (ROUTES[0], ROUTES[3], ROUTES[4]), strict=True)), ids=str
)
def test_20_000_texts(server: FaultServer, load: Load, seed: int, route: Route) -> None:
    """A fifth of the answers is late, wrong, refused or broken; every vector is right, to the bit."""
    soak(server, load, route, texts=20_000, seed=seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_million_texts(server: FaultServer, load: Load, seed: int) -> None:
    """The same with a million texts; `EMBEDBRIDGE_SOAK_TEXTS` makes it fewer."""
    soak(server, load, ROUTES[0], texts=MILLION, seed=seed)
