"""Every row of the fault matrix that HTTP can play, through the engine, sync and async.

What is asked of each: the right class of error after the right number of requests within its time,
or the right vectors; never a wrong one.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
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
from embedbridge.core import Embedder
from embedbridge.testing import Fault, FaultServer, faults
from embedbridge.testing.audit import audited

Load: TypeAlias = Callable[..., Embedder]
Ask: TypeAlias = Callable[[Embedder, list[str]], Any]

TEXTS = ["first", "second", "third"]
MODEL = "text-embedding-3-small"


def sync(embedder: Embedder, texts: list[str]) -> Any:
    return embedder.embed_documents(texts)


def through_async(embedder: Embedder, texts: list[str]) -> Any:
    return asyncio.run(embedder.aembed_documents(texts))


@pytest.fixture(params=[sync, through_async], ids=["sync", "async"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """Both ways into the engine."""
    way: Ask = request.param
    return way


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row: a fault that lasts, and what ought to come of it."""

    id: str
    fault: Fault
    error: type[EmbedBridgeError] | None = None
    """`None`: the right vectors."""
    requests: int = 3
    says: str = ""


def row(
    number: str,
    error: type[EmbedBridgeError] | None,
    says: str = "",
    *,
    fault: Fault | None = None,
    requests: int | None = None,
) -> Any:
    fault = fault or faults.ROWS[number]
    usual = 3 if error is not None and error.retryable else 1
    played = Row(
        id=number,
        fault=fault,
        error=error,
        says=says,
        requests=requests or usual,
    )
    return pytest.param(played, id=f"{number}-{fault}")


SOON = faults.rate_limited(retry_after="0.01")
NO_VECTORS = "vectors came back"
NOT_NUMBERED = "which input each belongs to"
NO_VECTOR = "neither numbers nor base64"
MATRIX = [
    row("H01", RateLimitedError, "Rate limit reached", fault=SOON),
    row("H03", RateLimitedError, requests=1),
    row("H04", QuotaExhaustedError, "current quota"),
    row("H05", ProviderUnavailableError, "500"),
    row("H05", ProviderUnavailableError, "502", fault=faults.status(502)),
    row("H06", ProviderUnavailableError, "503"),
    row("H07", InvalidInputError, "Inputs 0, 1, 2 were sent alone", requests=5),
    row("H08", AuthenticationError, "Set OPENAI_API_KEY"),
    row("H09", ProviderUnavailableError, "reset"),
    row("H10", ProviderUnavailableError, "failed"),
    row("H11", InvalidResponseError, "is no JSON"),
    row("H12", InvalidResponseError, "'text/html', not JSON"),
    row("H13", InvalidResponseError, "0 bytes is no JSON"),
    row("H14", InvalidResponseError, "The upstream provider failed."),
    row("R01", None),
    row("R02", InvalidResponseError, NO_VECTORS),
    row("R03", InvalidResponseError, NO_VECTORS),
    row("R04", InvalidResponseError, NO_VECTORS),
    row("R05", InvalidResponseError, NO_VECTORS),
    row("R06", InvalidResponseError, NOT_NUMBERED),
    row("R07", InvalidResponseError, NOT_NUMBERED),
    row("R08", InvalidResponseError, "differ in width"),
    row("R09", InvalidResponseError, "1536 dimensions were expected, 768 came back"),
    row("R10", InvalidResponseError, "not finite"),
    row("R11", InvalidResponseError, "not finite"),
    row("R13", InvalidResponseError, NO_VECTOR),
    row("R14", InvalidResponseError, NO_VECTOR),
    row("R15", InvalidResponseError, NO_VECTOR),
    row("R16", None),
    row("R17", InvalidResponseError, NO_VECTOR),
    row("R18", InvalidResponseError, NO_VECTOR),
    row("R19", InvalidResponseError, NO_VECTOR),
    row("R20", InvalidResponseError, NO_VECTORS),
    row("R21", InvalidResponseError, "no list of vectors"),
]


@pytest.mark.parametrize("row", MATRIX)
def test_a_fault_that_lasts(server: FaultServer, load: Load, ask: Ask, row: Row) -> None:
    """A typed error after at most three requests, or the right vectors; nothing in between."""
    server.always(row.fault)
    if row.error is None:
        found = ask(load(), TEXTS)
        assert np.allclose(found, [server.vector(text, MODEL) for text in TEXTS])
    else:
        with pytest.raises(row.error) as caught:
            ask(load(), TEXTS)
        assert row.says in str(caught.value)
        assert len(str(caught.value)) <= 500
        assert caught.value.attempts == row.requests
    assert len(server.requests) == row.requests


@pytest.mark.parametrize(
    "fault",
    [SOON, faults.ROWS["H05"], faults.ROWS["H09"], faults.ROWS["H10"], faults.ROWS["H11"]],
    ids=repr,
)
def test_a_fault_that_passes(server: FaultServer, load: Load, ask: Ask, fault: Fault) -> None:
    """H19: what happens once costs one more request and nothing else."""
    server.play(fault)

    assert np.allclose(ask(load(), TEXTS), [server.vector(text, MODEL) for text in TEXTS])
    assert len(server.requests) == 2


def test_retry_after_is_waited_for(server: FaultServer, load: Load, ask: Ask) -> None:
    """H01: the pause is what the header says, here 50 ms."""
    server.play(faults.rate_limited(retry_after="0.05"))
    ask(load(), TEXTS)
    first, second = server.requests

    # Since its beginning: on a busy machine the server notes its end after the client has gone on.
    assert second.began - first.began >= 0.05


def test_retry_after_as_a_date(server: FaultServer, load: Load, ask: Ask) -> None:
    """H02: a date is understood; one that has passed means at once, one far away means never."""
    server.play(faults.rate_limited_until(time.time() - 60))
    ask(load(), TEXTS)
    assert len(server.requests) == 2

    begun = time.time()
    server.always(faults.rate_limited_until(begun + 3600))
    with pytest.raises(RateLimitedError) as caught:
        ask(load(), TEXTS)
    assert len(server.requests) == 3
    wait = caught.value.retry_after
    assert wait is not None
    assert begun + 3599 - time.time() <= wait <= 3600  # whole seconds


@pytest.mark.parametrize("row", ["H15", "H16"])
def test_no_answer_in_time(server: FaultServer, load: Load, ask: Ask, row: str) -> None:
    """H15, H16: a server that is silent or drips is given up after `timeout`, and the client hangs up."""
    server.always(faults.ROWS[row])
    with pytest.raises(RequestTimeoutError) as caught:
        ask(load(timeout=0.2, max_attempts=2), TEXTS)

    assert caught.value.attempts == 2
    assert len(server.requests) <= 2  # on a busy machine some are never sent
    server.wait_until_idle()


def test_the_deadline_ends_all_attempts(server: FaultServer, load: Load, ask: Ask) -> None:
    """H15: however many attempts are left."""
    server.always(faults.silent())
    with pytest.raises(RequestTimeoutError):
        ask(load(timeout=60.0, deadline=0.3), TEXTS)

    server.wait_until_idle()


@pytest.mark.heavy  # megabytes
@pytest.mark.parametrize("status", [200, 500])
def test_a_bomb_is_not_unpacked(server: FaultServer, load: Load, status: int) -> None:
    """H17: 200 KB that stand for 200 MiB cost at most what an answer may have anyway."""
    import resource

    embedder = load(max_attempts=1)
    embedder.embed_query("warm up")
    server.always(faults.gzip_bomb(mebibytes=200, number=status))
    with pytest.raises(EmbedBridgeError):  # the server makes its bomb: not our memory
        embedder.embed_query("once")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises((InvalidResponseError, ProviderUnavailableError)):
        embedder.embed_query("again")

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150 * 1024


@pytest.mark.parametrize("number", [301, 302, 307, 308])
def test_a_redirect_never_takes_the_key_along(
    server: FaultServer, load: Load, key: str, number: int
) -> None:
    """H18: it is an error that names the other host, and the other host hears nothing."""
    with FaultServer() as other:
        server.always(faults.redirected(f"{other.url}/embeddings?token=x", number=number))
        with pytest.raises(ConfigurationError, match="Redirects are not followed") as caught:
            load().embed_documents(TEXTS)

        assert not other.requests
    assert len(server.requests) == 1
    assert "token" not in str(caught.value)
    assert key not in str(caught.value)


def test_nothing_but_the_server_is_asked(
    server: FaultServer, load: Load, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """H20: no tokenizer is downloaded, whatever is installed."""
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    embedder = load()
    with audited() as events:
        embedder.embed_documents(["word " * 10_000, *TEXTS])
    hosts = {event[1][1][0] for event in events if event[0] == "socket.connect"}  # type: ignore[index]

    assert hosts == {"127.0.0.1"}


def test_a_zero_vector_is_handed_on(server: FaultServer, load: Load) -> None:
    """R12: whether it is an error is for the engine's settings to say; we do not change it."""
    server.always(faults.zeros())

    assert not load(on_zero_vector="allow").embed_documents(TEXTS).any(axis=1).all()


def test_a_server_that_faults_often(server: FaultServer, load: Load) -> None:
    """2,000 texts through a server that spoils a third of its answers: none is lost or misplaced."""
    server.sometimes(
        0.33,
        faults.shuffled(),
        faults.last_missing(),
        faults.duplicate_index(),
        faults.reset_mid_body(),
        faults.truncated_json(),
        faults.status(503),
        SOON,
        seed=3,
    )
    texts = [f"text {number}" for number in range(2000)]
    found = load(batch_size=50, max_attempts=12, dimensions=8).embed_documents(texts)

    assert np.allclose(found, [server.vector(text, MODEL, 8) for text in texts], atol=1e-6)


def test_debug_logs_hold_no_key(
    server: FaultServer, load: Load, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Also not when everything is logged and the server repeats the key."""
    caplog.set_level(logging.DEBUG)
    server.play(faults.key_refused())
    with pytest.raises(AuthenticationError):
        load().embed_documents(TEXTS)

    assert caplog.records
    assert key not in caplog.text


def test_no_error_comes_in_an_encoding_that_is_thrown_away(server: FaultServer, load: Load) -> None:
    """Where brotli or zstandard is installed, httpx2 asks for it, and a size or a quota went unread."""
    load().embed_query("x")

    assert server.requests[0].request.headers["accept-encoding"] == "gzip, deflate"
