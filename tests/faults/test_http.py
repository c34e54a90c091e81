"""H: the server or the way to it fails. A typed error within bounds, or the right vectors."""

from __future__ import annotations

import base64
import math
import time
import tracemalloc
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from embedbridge.contract import (
    AuthenticationError,
    ConfigurationError,
    EmbedBridgeError,
    InvalidInputError,
    InvalidResponseError,
    ProviderUnavailableError,
    QuotaExhaustedError,
    RateLimitedError,
    RequestTimeoutError,
)
from embedbridge.testing import Fault, FaultServer, faults
from embedbridge.testing.audit import audited
from embedbridge.testing.leaks import everything_about

from .conftest import Load
from .routes import Route

Right = Callable[..., bool]

TEXTS = ["first", "second", "third"]
SOON = faults.rate_limited(retry_after="0.05")
MEBIBYTE = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Persistent:
    """A fault that does not go away, and what ought to come of it."""

    fault: Fault
    error: type[EmbedBridgeError]
    requests: int
    says: str


def case(
    row: str,
    error: type[EmbedBridgeError],
    requests: int,
    says: str,
    *,
    fault: Fault | None = None,
) -> Any:
    fault = fault or faults.ROWS[row]
    played = Persistent(fault=fault, error=error, requests=requests, says=says)
    return pytest.param(played, id=f"{row}-{fault}", marks=pytest.mark.row(row))


PERSISTENT = [
    case("H01", RateLimitedError, 3, "Rate limit reached", fault=SOON),
    case("H04", QuotaExhaustedError, 1, "quota"),
    case("H05", ProviderUnavailableError, 3, "500"),
    case("H06", ProviderUnavailableError, 3, "503"),
    case("H06", ProviderUnavailableError, 3, "502", fault=faults.status(502)),
    case("H07", InvalidInputError, 5, "Inputs 0, 1, 2 were sent alone"),
    case("H09", ProviderUnavailableError, 3, "connection"),
    case("H10", ProviderUnavailableError, 3, "connection"),
    case("H11", InvalidResponseError, 3, "is no JSON"),
    case("H12", InvalidResponseError, 3, "'text/html', not JSON"),
    case("H13", InvalidResponseError, 3, "0 bytes is no JSON"),
    case("H14", InvalidResponseError, 3, "The upstream provider failed."),
]


@pytest.mark.parametrize("case", PERSISTENT)
def test_a_fault_that_lasts(
    server: FaultServer, load: Load, route: Route, case: Persistent, pauses: list[float]
) -> None:
    """Its own class of error, in a sentence that says what happened, after so many requests."""
    server.always(case.fault)
    with pytest.raises(case.error) as caught:
        route.through(load()).documents(TEXTS)

    assert type(caught.value) is case.error
    assert case.says in str(caught.value)
    assert len(str(caught.value)) <= 500
    assert len(server.requests) == case.requests == caught.value.attempts
    assert sum(pauses) <= 0.1 + 1e-6


@pytest.mark.row("H01")
def test_the_pauses_are_those_of_the_header(
    server: FaultServer, load: Load, route: Route, pauses: list[float]
) -> None:
    """Neither shorter nor longer, before each of the two retries."""
    server.always(SOON)
    with pytest.raises(RateLimitedError):
        route.through(load()).documents(TEXTS)

    # From its beginning: on a busy machine the server notes its end after the client has gone on.
    pairs = zip(server.requests, server.requests[1:], strict=False)
    waited = [after.began - before.began for before, after in pairs]

    assert len(waited) == 2
    assert all(pause >= 0.05 for pause in waited)
    assert sum(pauses) <= 0.1 + 1e-6


@pytest.mark.row("H02")
def test_a_date_is_waited_for(
    server: FaultServer, load: Load, route: Route, right: Right, pauses: list[float]
) -> None:
    """Up to the second that the server names; one that is far away is an error at once."""
    began = time.time()
    moment = math.ceil(began + 0.1)
    server.play(faults.rate_limited_until(moment))
    door = route.through(load())

    assert right(door.documents(TEXTS), TEXTS)
    assert len(server.requests) == 2
    assert time.time() >= moment - 0.05
    assert sum(pauses) <= moment - began
    begun = time.time()
    server.always(faults.rate_limited_until(begun + 3600))
    with pytest.raises(RateLimitedError) as caught:
        door.documents(TEXTS)
    assert len(server.requests) == 3
    assert len(pauses) <= 1
    assert caught.value.retry_at is not None
    assert begun + 3599 <= caught.value.retry_at <= time.time() + 3600  # a date has whole seconds


@pytest.mark.row("H03")
def test_nobody_waits_for_an_hour(
    server: FaultServer, load: Load, route: Route, pauses: list[float]
) -> None:
    """One request, an error without a pause, and in it the moment when to come back."""
    server.always(faults.ROWS["H03"])
    door, begun = route.through(load()), time.time()
    with pytest.raises(RateLimitedError) as caught:
        door.documents(TEXTS)

    assert not pauses
    assert len(server.requests) == 1
    assert caught.value.retry_at is not None
    assert begun + 3600 <= caught.value.retry_at <= time.time() + 3600


@pytest.mark.row("H08")
def test_a_key_that_the_server_repeats_goes_no_further(
    server: FaultServer, load: Load, route: Route, key: str
) -> None:
    """Not in the error, what it holds, what it is chained to, nor a traceback; in no encoding."""
    server.always(faults.ROWS["H08"])
    with pytest.raises(AuthenticationError, match="Set OPENAI_API_KEY") as caught:
        route.through(load()).documents(TEXTS)
    told = everything_about(caught.value)

    assert len(server.requests) == 1
    for spelled in (
        key,
        urllib.parse.quote(key),
        base64.b64encode(key.encode()).decode(),
        key[:20],
    ):
        assert spelled not in told


@pytest.mark.parametrize(
    "row", [pytest.param(row, marks=pytest.mark.row(row)) for row in ("H15", "H16")]
)
@pytest.mark.parametrize("limit", ["deadline", "timeout"])
def test_no_answer_in_time(
    server: FaultServer, load: Load, route: Route, row: str, limit: str
) -> None:
    """The deadline ends all attempts, `timeout` each of them, and the client hangs up."""
    server.always(faults.ROWS[row])
    options = {"deadline": 0.4} if limit == "deadline" else {"timeout": 0.2, "max_attempts": 2}
    door = route.through(load(**options))
    with pytest.raises(RequestTimeoutError) as caught:
        door.documents(TEXTS)

    assert caught.value.attempts == (1 if limit == "deadline" else 2)
    assert len(server.requests) <= caught.value.attempts  # on a busy machine some are never sent
    server.wait_until_idle()


@pytest.mark.row("H17")
def test_a_bomb_is_not_unpacked(server: FaultServer, load: Load, route: Route) -> None:
    """200 KB that stand for 200 MiB cost no more than an answer may have, and are refused."""
    door = route.through(load(max_attempts=1))
    server.always(faults.ROWS["H17"])
    with pytest.raises(InvalidResponseError, match="larger than 64 MiB"):
        door.documents(TEXTS)  # now the server has made its bomb, and all is imported
    tracemalloc.start()
    try:
        with pytest.raises(InvalidResponseError, match="larger than 64 MiB"):
            door.documents(TEXTS)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 150 * MEBIBYTE


@pytest.mark.row("H18")
@pytest.mark.parametrize("number", [302, 307])
def test_a_redirect_never_takes_the_key_along(
    server: FaultServer, load: Load, route: Route, key: str, number: int
) -> None:
    """It is an error that says so, and the other host hears nothing."""
    with FaultServer() as other:
        server.always(faults.redirected(f"{other.url}/embeddings?token=x", number=number))
        with pytest.raises(ConfigurationError, match="Redirects are not followed") as caught:
            route.through(load()).documents(TEXTS)

        assert not other.requests
    assert len(server.requests) == 1
    assert key not in str(caught.value)


@pytest.mark.row("H19")
@pytest.mark.parametrize(
    "fault", [SOON, faults.ROWS["H05"], faults.ROWS["H09"], faults.ROWS["H10"]], ids=repr
)
def test_a_fault_that_passes(
    server: FaultServer, load: Load, route: Route, right: Right, fault: Fault
) -> None:
    """What happens once costs one more request and nothing else."""
    server.play(fault)

    assert right(route.through(load()).documents(TEXTS), TEXTS)
    assert len(server.requests) == 2


@pytest.mark.row("H20")
def test_nothing_but_the_server_is_asked(
    server: FaultServer,
    load: Load,
    route: Route,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Any,
) -> None:
    """No tokenizer is fetched, also where its cache is empty and a text needs to be cut."""
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    door = route.through(load())
    with audited() as events:
        door.documents(["word " * 10_000, *TEXTS])
    connected: list[Any] = [arguments[1] for name, arguments in events if name == "socket.connect"]
    looked_up: list[Any] = [arguments[0] for name, arguments in events if name.endswith("addrinfo")]

    assert {address[0] for address in connected} == {"127.0.0.1"}
    assert set(looked_up) <= {"127.0.0.1", b"127.0.0.1"}
