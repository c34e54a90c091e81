"""The same matrix for Cohere, whose answers number nothing, through core and both frameworks.

It stands beside the table in `docs/faults.md`, which is about one vendor. What a row has to do with
a server is run here; what it has to do with the engine alone is proven once, for OpenAI.
"""

from __future__ import annotations

import asyncio
import base64
import multiprocessing
import os
import time
import urllib.parse
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest

from embedbridge.contract import (
    AuthenticationError,
    ConfigurationError,
    EmbedBridgeError,
    InputTooLongError,
    InvalidInputError,
    InvalidResponseError,
    ProviderUnavailableError,
    QuotaExhaustedError,
    RateLimitedError,
    RequestTimeoutError,
)
from embedbridge.core import DiskCache, Embedder, load_embedder
from embedbridge.testing import CohereWire, Fault, FaultServer, Gate, faults
from embedbridge.testing.audit import audited
from embedbridge.testing.leaks import everything_about

from .matrix import ROWS
from .routes import ROUTES, Route

Load: TypeAlias = Callable[..., Embedder]
Right: TypeAlias = Callable[..., bool]

KEY = "canary5f0c9e8b7a6d4c3b2a1908170f1e2d3c4b"
MODEL = "embed-v4.0"
WIDTH = 256
TEXTS = ["first", "second", "third"]
SOON = faults.rate_limited(retry_after="0.05")
ENGINE_ONLY = {
    "R06": "Cohere numbers nothing that could occur twice",
    "R07": "as R06",
    "C04": "the file of the cache, whatever the vendor",
    "C05": "as C04",
    "C06": "as C04",
    "C07": "as C04",
    "C08": "as C04",
    "C09": "as C04",
    "C13": "as T05: nothing is sent",
    "C14": "as C04",
    "P02": "local models",
    "P07": "local models",
    "P08": "local models",
    "P11": "not built yet",
    "P12": "the engine's arrays, see T12",
    "T12": "the engine's arrays",
}
"""Rows that are not about a vendor, or cannot be about this one."""


@pytest.fixture(params=ROUTES[::5] + ROUTES[3:4], ids=str)
def route(request: pytest.FixtureRequest) -> Route:
    """Each package once, sync or async: that both are alike in each is proven for OpenAI."""
    chosen: Route = request.param
    return chosen


@pytest.fixture(autouse=True)
def _no_cohere_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own keys and addresses have no say in a test."""
    for name in ("CO_API_KEY", "COHERE_API_KEY", "CO_API_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(wire=CohereWire(), dimensions=WIDTH) as server:
        yield server


@pytest.fixture
def load(server: FaultServer) -> Iterator[Load]:
    """`load_embedder` for Cohere's model on the fault server; all are closed in the end."""
    loaded: list[Embedder] = []

    def load(name: str = f"cohere:{MODEL}", **options: Any) -> Embedder:
        usual = {"base_url": server.url, "api_key": KEY, "dimensions": WIDTH}
        loaded.append(load_embedder(name, **{**usual, **options}))
        return loaded[-1]

    yield load
    for embedder in loaded:
        embedder.close()
        if isinstance(embedder.cache, DiskCache):
            embedder.cache.close()


@pytest.fixture
def right(server: FaultServer) -> Right:
    """Whether these are the vectors of these documents, one each and in this order."""

    def are_right(found: Any, texts: Iterable[str], role: str = "search_document") -> bool:
        expected = [server.vector(text, MODEL, WIDTH, role=role) for text in texts]
        return np.shape(found) == np.shape(expected) and np.allclose(found, expected, atol=1e-6)

    return are_right


def rows(**cases: Any) -> list[Any]:
    return [pytest.param(row, *case, id=row) for row, case in cases.items()]


# H.


@pytest.mark.parametrize(
    ("row", "fault", "error", "requests", "says"),
    rows(
        H01=(SOON, RateLimitedError, 3, "Rate limit reached"),
        H03=(None, RateLimitedError, 1, "Rate limit reached"),
        H04=(None, QuotaExhaustedError, 1, "1000 API calls / month"),
        H05=(None, ProviderUnavailableError, 3, "500"),
        H06=(None, ProviderUnavailableError, 3, "503"),
        H07=(None, InvalidInputError, 5, "Inputs 0, 1, 2 were sent alone"),
        H09=(None, ProviderUnavailableError, 3, "connection"),
        H10=(None, ProviderUnavailableError, 3, "connection"),
        H11=(None, InvalidResponseError, 3, "is no JSON"),
        H12=(None, InvalidResponseError, 3, "'text/html', not JSON"),
        H13=(None, InvalidResponseError, 3, "0 bytes is no JSON"),
        H14=(None, InvalidResponseError, 3, "The upstream provider failed."),
        H17=(None, InvalidResponseError, 3, "larger than 64 MiB"),
    ),
)
def test_h_a_fault_that_lasts(
    server: FaultServer,
    load: Load,
    route: Route,
    row: str,
    fault: Fault | None,
    error: type[EmbedBridgeError],
    requests: int,
    says: str,
) -> None:
    """Its own class of error, in a sentence that says what happened, after so many requests."""
    if row == "H17" and not (route.package == "core" and not route.is_async):
        pytest.skip("a bomb of 200 MiB takes a while, and the routes meet before it")
    server.always(fault or faults.ROWS[row])
    with pytest.raises(error) as caught:
        route.through(load()).documents(TEXTS)

    assert type(caught.value) is error
    assert says in str(caught.value)
    assert len(server.requests) == requests == caught.value.attempts


def test_h02_a_date_is_understood(server: FaultServer, load: Load, route: Route) -> None:
    """One that is far away is an error at once, with the moment in it."""
    begun = time.time()
    server.always(faults.rate_limited_until(begun + 3600))
    with pytest.raises(RateLimitedError) as caught:
        route.through(load()).documents(TEXTS)

    assert len(server.requests) == 1
    assert caught.value.retry_at is not None
    assert begun + 3599 <= caught.value.retry_at <= time.time() + 3600  # a date has whole seconds


def test_h08_a_key_that_the_server_repeats_goes_no_further(
    server: FaultServer, load: Load, route: Route
) -> None:
    """Not in the error, what it holds, what it is chained to, nor a traceback; in no encoding."""
    server.always(faults.ROWS["H08"])
    with pytest.raises(AuthenticationError, match="Set CO_API_KEY") as caught:
        route.through(load()).documents(TEXTS)
    told = everything_about(caught.value)

    assert len(server.requests) == 1
    for spelled in (
        KEY,
        urllib.parse.quote(KEY),
        base64.b64encode(KEY.encode()).decode(),
        KEY[:20],
    ):
        assert spelled not in told


@pytest.mark.parametrize("row", ["H15", "H16"])
def test_h_no_answer_in_time(server: FaultServer, load: Load, route: Route, row: str) -> None:
    """`timeout` ends each attempt, also where a byte comes now and then, and the client hangs up."""
    server.always(faults.ROWS[row])
    with pytest.raises(RequestTimeoutError) as caught:
        route.through(load(timeout=0.15, max_attempts=2)).documents(TEXTS)

    assert caught.value.attempts == 2
    assert len(server.requests) <= 2  # on a busy machine some are never sent
    server.wait_until_idle()


def test_h18_a_redirect_never_takes_the_key_along(
    server: FaultServer, load: Load, route: Route
) -> None:
    """It is an error that says so, and the other host hears nothing."""
    with FaultServer(wire=CohereWire()) as other:
        server.always(faults.redirected(f"{other.url}/v2/embed?token=x"))
        with pytest.raises(ConfigurationError, match="Redirects are not followed") as caught:
            route.through(load()).documents(TEXTS)

        assert not other.requests
    assert len(server.requests) == 1
    assert "token" not in str(caught.value)


@pytest.mark.parametrize(
    "fault", [SOON, faults.ROWS["H05"], faults.ROWS["H09"], faults.ROWS["H10"]], ids=repr
)
def test_h19_a_fault_that_passes(
    server: FaultServer, load: Load, route: Route, right: Right, fault: Fault
) -> None:
    """What happens once costs one more request and nothing else."""
    server.play(fault)

    assert right(route.through(load()).documents(TEXTS), TEXTS)
    assert len(server.requests) == 2


def test_h20_nothing_but_the_server_is_asked(load: Load, route: Route) -> None:
    """No tokenizer is fetched, also where a text may have to be cut."""
    door = route.through(load())
    with audited() as events:
        door.documents(["word " * 100_000, *TEXTS])
    connected: list[Any] = [arguments[1] for name, arguments in events if name == "socket.connect"]

    assert {address[0] for address in connected} == {"127.0.0.1"}


# R.


@pytest.mark.parametrize(
    ("row", "output_type", "says"),
    rows(
        R01=("float", "in another order"),
        R02=("float", "3 inputs were sent and 2 vectors came back"),
        R03=("float", "3 inputs were sent and 2 vectors came back"),
        R04=("float", "3 inputs were sent and 2 vectors came back"),
        R05=("float", "3 inputs were sent and 4 vectors came back"),
        R08=("float", "differ in width"),
        R09=("float", f"{WIDTH} dimensions were expected, {WIDTH // 2} came back"),
        R10=("float", "not finite"),
        R11=("float", "not finite"),
        R13=("base64", "neither numbers nor base64"),
        R14=("base64", "neither numbers nor base64"),
        R15=("base64", "neither numbers nor base64"),
        R17=("float", "neither numbers nor base64"),
        R18=("float", "neither numbers nor base64"),
        R19=("float", "neither numbers nor base64"),
        R20=("float", "3 inputs were sent and 0 vectors came back"),
        R21=("float", "no list of vectors"),
    ),
)
def test_r_a_wrong_answer_is_refused(
    server: FaultServer,
    load: Load,
    route: Route,
    right: Right,
    row: str,
    output_type: str,
    says: str,
) -> None:
    """Wrong once, it is asked for again; wrong three times, it is an error that says what is wrong."""
    door = route.through(load(output_type=output_type))
    # Rows that base64 spoils are written so whatever was asked; here it was.
    server.play(faults.ROWS[row])
    assert right(door.documents(TEXTS), TEXTS)
    assert len(server.requests) == 2

    server.always(faults.ROWS[row])
    with pytest.raises(InvalidResponseError) as caught:
        door.documents(TEXTS)
    assert says in str(caught.value)
    assert caught.value.partial is None
    assert len(server.requests) == 2 + 3


def test_r16_an_odd_answer_that_is_right(
    server: FaultServer, load: Load, route: Route, right: Right
) -> None:
    """Floats where base64 was asked for, side by side with it."""
    server.always(faults.ROWS["R16"])

    assert right(route.through(load(output_type="base64")).documents(TEXTS), TEXTS)
    assert len(server.requests) == 1


def test_r12_a_vector_of_zeros_is_told(server: FaultServer, load: Load, route: Route) -> None:
    """It has no direction: a warning says so."""
    server.always(faults.ROWS["R12"])
    with pytest.warns(UserWarning, match="zero"):
        assert np.shape(route.through(load()).documents(TEXTS)) == (3, WIDTH)


# T.


@pytest.mark.parametrize(
    ("row", "texts", "at", "says"),
    [
        pytest.param(row, texts, at, says, id=f"{row}-{at}")
        for row, texts, at, says in (
            ("T02", [""], 0, "empty or only white space"),
            ("T03", ["first", "second", ""], 2, "empty or only white space"),
            ("T04", ["first", " \n\t\u2003"], 1, "empty or only white space"),
            ("T05", ["first", "half \ud83d of it"], 1, "lone surrogate"),
            ("T08", ["first", None], 1, "NoneType cannot be embedded"),
            ("T08", [b"bytes", "second"], 0, "bytes cannot be embedded"),
        )
    ],
)
def test_t_a_bad_text_is_named(
    server: FaultServer, load: Load, route: Route, row: str, texts: list[Any], at: int, says: str
) -> None:
    """Its position is in the error, and nothing is sent."""
    with pytest.raises(InvalidInputError, match=says) as caught:
        route.through(load()).documents(texts)

    assert caught.value.index == at
    assert not server.requests


def test_t_texts_that_are_odd_but_good(
    server: FaultServer, load: Load, route: Route, right: Right
) -> None:
    """T01, T06, T10, T11: none at all, NUL, a generator, and equal ones, which are paid for once."""
    door = route.through(load())
    assert len(door.documents([])) == 0
    assert not server.requests
    texts = ["a\x00b", "data:image/png;base64,AAAA", *["again"] * 9, "ab"]

    assert right(door.documents(text for text in texts), texts)
    assert [len(record.inputs) for record in server.requests] == [4]


def test_t07_a_text_that_is_too_long(server: FaultServer, load: Load, route: Route) -> None:
    """Cut once where that is sure, or refused by position."""
    long = "All work and no play makes a text long. " * 60_000
    found = route.through(load()).documents(["first", long])
    sent = sorted((text for record in server.requests for text in record.inputs), key=len)

    assert np.shape(found) == (2, WIDTH)
    assert sent[0] == "first"
    assert long.startswith(sent[1])
    assert len(sent[1]) < len(long)
    before = len(server.requests)
    with pytest.raises(InputTooLongError) as caught:
        route.through(load(on_too_long="error")).documents(["first", long])
    assert caught.value.index == 1
    assert len(server.requests) == before


def test_t09_a_bare_text_is_no_list(server: FaultServer, load: Load, route: Route) -> None:
    """It is not embedded letter by letter."""
    with pytest.raises(InvalidInputError, match="Wrap it in a list"):
        route.through(load()).documents("abc")

    assert not server.requests


# C.


def test_c_the_cache_never_mixes(
    server: FaultServer, load: Load, route: Route, right: Right, tmp_path: Path
) -> None:
    """C01, C02, C03, C12: models, roles, widths and types are entries of their own; equal texts one."""
    path = tmp_path / "vectors.db"
    door = route.through(load(cache=path))
    assert right(door.documents([*TEXTS, "first"]), [*TEXTS, "first"])
    assert right([door.query("first")], ["first"], role="search_query")
    asked = len(server.requests)
    for other in (
        {"name": "cohere:embed-v5.0-pro"},
        {"dimensions": 512},
        {"output_type": "int8"},
        {"document_prompt": "passage: "},
    ):
        wide = FaultServer(wire=CohereWire(), dimensions=512)
        with wide:
            route.through(load(**{"cache": path, "base_url": wide.url, **other})).documents(TEXTS)
            assert len(wide.requests) == 1

    assert right(door.documents(TEXTS), TEXTS)
    assert len(server.requests) == asked


@pytest.mark.parametrize("row", ["R04", "R01"], ids=["C10-short", "C11-shifted"])
def test_c_a_wrong_answer_is_not_kept(
    server: FaultServer, load: Load, route: Route, right: Right, tmp_path: Path, row: str
) -> None:
    """After the error the texts are asked for again."""
    door = route.through(load(cache=tmp_path / "vectors.db", max_attempts=1))
    server.play(faults.ROWS[row])
    with pytest.raises(InvalidResponseError):
        door.documents(TEXTS)

    assert right(door.documents(TEXTS), TEXTS)
    assert len(server.requests) == 2


# P.


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Python 3.12 on: threads and fork
def test_p01_forked_children_get_their_own_answers(load: Load, route: Route, right: Right) -> None:
    """A warm client is inherited by three children that ask at once."""
    door = route.through(load(batch_size=1))
    door.documents([f"warm {number}" for number in range(8)])
    context = multiprocessing.get_context("fork")
    pipe = context.SimpleQueue()

    def ask(child: int) -> None:
        texts = [f"child {child}, text {number}" for number in range(20)]
        pipe.put(right(door.documents(texts), texts))

    children = [context.Process(target=ask, args=[child]) for child in range(3)]
    for process in children:
        process.start()
    answers = [pipe.get() for _ in children]
    for process in children:
        process.join()

    assert all(answers)


def test_p03_several_event_loops(load: Load, route: Route, right: Right) -> None:
    """One object, three times `asyncio.run`."""
    door = route.through(load())

    assert all(right(asyncio.run(door.adocuments([text])), [text]) for text in TEXTS)


async def test_p04_cancelling_hangs_up(server: FaultServer, load: Load, route: Route) -> None:
    """The server sees the connection go away."""
    if not route.is_async:
        pytest.skip("a sync call can only be interrupted")
    server.always(faults.silent())
    task = asyncio.create_task(route.through(load()).adocuments(TEXTS))
    await asyncio.to_thread(server.wait_for, 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    await asyncio.to_thread(server.wait_until_idle)


def test_p_an_error_late_in_a_job(server: FaultServer, load: Load, route: Route) -> None:
    """P05, P09, P10: no further request, what is finished is on the error, nothing is tried twice."""
    door = route.through(load(batch_size=2, max_concurrency=1))
    texts = [f"text {number}" for number in range(12)]
    refused = faults.status(400, "invalid request: texts[0] is malformed")
    gate = Gate()
    gate.open()
    server.play(gate.fault, gate.fault, refused)
    with pytest.raises(InvalidInputError) as caught:
        door.documents(texts)

    assert len(server.requests) == 3
    assert int(np.isfinite(caught.value.partial.vectors).all(axis=1).sum()) == 4


def test_p06_never_more_in_flight_than_is_set(
    server: FaultServer, load: Load, route: Route, right: Right
) -> None:
    """Whatever number of batches a job has."""
    texts = [f"text {number}" for number in range(30)]
    found = route.through(load(batch_size=1, max_concurrency=3)).documents(texts)

    assert right(found, texts)
    assert server.max_in_flight <= 3


def test_every_row_is_run_or_excused() -> None:
    """What is in the matrix is in this file, by its name, or has a reason not to be."""
    here = Path(__file__).read_text(encoding="utf-8").partition("\n# H.\n")[2]
    missing = [
        row.id
        for row in ROWS
        if row.id[0] != "I"  # images are decoded before any vendor sees them
        and row.id not in ENGINE_ONLY
        and row.id not in here
        and f"test_{row.id.lower()}_" not in here
    ]

    assert missing == []
