"""Our requests beside those of the vendors' own SDKs, field by field, and the answers that both read.

The SDKs' side was recorded (`nox -s wire -- --write NAME`), so no SDK and no network is needed here.
"""

from __future__ import annotations

import functools
import json
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest

from embedbridge.core import Embedder, load_embedder

from .server import Recorder
from .short import Json, written_out
from .side_by_side import Pair, explains, unequal
from .vendor import FOLDER, Vendor, names, recording_of, vendor_named

CASES = [(name, case) for name in names() for case in vendor_named(name).cases]


@functools.cache
def recording(name: str) -> Json:
    return json.loads(recording_of(name).read_text(encoding="utf-8"))


@functools.cache
def exchange(name: str, case: str) -> tuple[dict[str, Pair], np.ndarray]:
    """Make our request of a case: in what it is unlike the SDK's, and the vectors that we read."""
    vendor, recorded = vendor_named(name), recording(name)["cases"][case]
    with Recorder(recorded["answer"], vendor.asked_before) as server, ExitStack() as opened:

        def load(model: str, **options: Any) -> Embedder:
            given = {**vendor.options(server.url), **options}
            return opened.enter_context(load_embedder(model, **given))

        vectors = np.atleast_2d(vendor.cases[case].ours(load))
    (request,) = server.requests
    return unequal(recorded["request"], request), vectors


@pytest.mark.parametrize(("name", "case"), CASES)
def test_a_request_is_that_of_the_vendor_s_sdk(name: str, case: str) -> None:
    """Method, path, headers and every field of the body are equal, or the difference has a reason."""
    differences = vendor_named(name).differences
    unexplained = {
        field: pair
        for field, pair in exchange(name, case)[0].items()
        if not any(explains(difference, field, pair) for difference in differences)
    }

    assert not unexplained, "\n".join(
        f"{field}: the SDK sends {theirs!r}, we send {ours!r}"
        for field, (theirs, ours) in unexplained.items()
    )


@pytest.mark.parametrize(("name", "case"), CASES)
def test_an_answer_is_read_as_the_sdk_reads_it(name: str, case: str) -> None:
    """What the SDK accepted, our provider accepts, and the vectors have the same numbers."""
    theirs = written_out(recording(name)["cases"][case]["vectors"])

    np.testing.assert_array_equal(exchange(name, case)[1], np.array(theirs, dtype=np.float32))


@pytest.mark.parametrize("name", names())
def test_every_reason_is_needed(name: str) -> None:
    """A difference that is in no request any more is taken out of the vendor's file."""
    vendor = vendor_named(name)
    met = [pair for case in vendor.cases for pair in exchange(name, case)[0].items()]

    assert [
        difference
        for difference in vendor.differences
        if not any(explains(difference, field, pair) for field, pair in met)
    ] == []


@pytest.mark.parametrize("name", names())
def test_the_recording_is_of_this_file(name: str) -> None:
    """Its pins, its cases and its answers; else `nox -s wire -- --write NAME` is due."""
    vendor, stored = vendor_named(name), recording(name)

    assert stored["sdk"] == vendor.sdk
    assert {case: kept["answer"] for case, kept in stored["cases"].items()} == answers_of(vendor)


def test_every_recording_has_its_vendor() -> None:
    """No file is left over from a vendor that went."""
    assert sorted(path.stem for path in (FOLDER / "recordings").glob("*")) == names()


def answers_of(vendor: Vendor) -> dict[str, Json]:
    """The answers in a vendor's file, as JSON has them."""
    answers: dict[str, Json] = json.loads(
        json.dumps({name: case.answer for name, case in vendor.cases.items()})
    )
    return answers
