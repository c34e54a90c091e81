"""Faults: what a remote model makes of a server that fails. Asked where `load_at` names a way."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import traceback
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from embedbridge.contract import (
    AuthenticationError,
    EmbedBridgeError,
    InvalidResponseError,
    ProviderUnavailableError,
    RateLimitedError,
    RequestTimeoutError,
)
from embedbridge.core import Embedder
from embedbridge.testing import faults
from embedbridge.testing.contract.applies import Need, asked_where
from embedbridge.testing.contract.comparing import assert_same
from embedbridge.testing.contract.material import PASSING, WRONG
from embedbridge.testing.contract.secrets import option_secrets
from embedbridge.testing.contract.served import AT_A_SERVER, SOME, ServedChecks, some, wire_of
from embedbridge.testing.fault_server import FaultServer
from embedbridge.testing.faults.exchange import Exchange, Fault, Gate
from embedbridge.testing.leaks import SHORTEST, leaks
from embedbridge.testing.wires.format import Asked, Row, WireFormat

NUMBERED = Need(
    "answers of this vendor do not say whose a vector is",
    "suite",
    lambda suite: _numbers_its_rows(wire_of(suite)),
)


class FaultChecks(ServedChecks):
    """Over real HTTP on loopback, against a server that fails on demand."""

    @asked_where(AT_A_SERVER)
    @pytest.mark.parametrize("kind", PASSING)
    def test_a_fault_that_passes_costs_one_more_request(
        self, embedder: Embedder, kind: str
    ) -> None:
        """What can succeed is tried again, once for each fault, and gives the right vectors.

        If this fails, look at the table from the vendor's errors to ours: is it retryable there?
        """
        with self.served(embedder) as (server, remote):
            expected = remote.embed_documents(some(remote))
            server.play(PASSING[kind])
            found = remote.embed_documents(some(remote))

            assert_same(found, expected, self.tolerance, f"After {kind!r} vectors are wrong")
            count = len(server.requests) - 1
            assert count == 2, f"{kind!r} took {count} requests, not 2: does the SDK retry too?"

    @asked_where(AT_A_SERVER)
    @pytest.mark.parametrize("kind", WRONG)
    def test_wrong_answers_are_never_taken(self, embedder: Embedder, kind: str) -> None:
        """An answer that is not one finite vector per input is an InvalidResponseError.

        If this fails, the answer is patched up, padded or cut before it is looked at.
        """
        with self.served(embedder, max_attempts=1) as (server, remote):
            server.always(WRONG[kind])
            with pytest.raises(EmbedBridgeError) as caught:
                remote.embed_documents(some(remote))

            assert isinstance(caught.value, InvalidResponseError), (
                f"{kind!r} is a {type(caught.value).__name__}, not an InvalidResponseError"
            )

    @asked_where(AT_A_SERVER, NUMBERED)
    def test_a_shuffled_answer_is_put_right(self, embedder: Embedder) -> None:
        """Where an answer numbers its vectors, its own order does not matter.

        If this fails, pair vectors by the vendor's index, not by their place.
        """
        with self.served(embedder) as (server, remote):
            expected = remote.embed_documents(some(remote))
            server.always(faults.shuffled())
            found = remote.embed_documents(some(remote))

            assert_same(found, expected, self.tolerance, "A shuffled answer is not put in order")

    @asked_where(AT_A_SERVER)
    def test_a_refused_key_is_named_and_not_shown(
        self, embedder: Embedder, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A refused key is an AuthenticationError, is not sent twice, and no message shows it.

        An access token may be replaced by a new one, once.

        If this fails, the vendor's error is quoted as it came, or chained with its request.
        """
        with self.served(embedder) as (server, remote), caplog.at_level(logging.DEBUG):
            server.always(faults.key_refused())
            with pytest.raises(EmbedBridgeError) as caught:
                remote.embed_documents(some(remote))
            wire = wire_of(type(self))
            keys = [wire.credential(each.request) for each in server.requests]
            own = [key for key in option_secrets(remote.model) if len(key) >= SHORTEST]
            signed = all("authorization" in each.request.headers for each in server.requests)
            shown = "".join(traceback.format_exception(caught.value)) + caplog.text

            kind = type(caught.value).__name__
            assert isinstance(caught.value, AuthenticationError), f"A refused key is a {kind}"
            # A signature is made from a key, and does not hold it.
            assert all(keys) or not (_needs_key(remote) or (own and not signed)), (
                f"{type(wire).__name__}.credential finds no key in a request, so a leak would not be "
                "seen: does the vendor take it in another header than the model sends? The headers "
                f"are: {', '.join(sorted(server.requests[0].request.headers))}"
            )
            assert len(keys) == len(set(keys)) <= 2, "A refused key is tried again"
            found = leaks(shown, [*own, *filter(None, keys)])
            assert not found, "The error or a log shows the key"

    @asked_where(AT_A_SERVER)
    def test_a_server_that_stays_down(self, embedder: Embedder) -> None:
        """500 for ever is a ProviderUnavailableError after exactly `max_attempts` requests.

        If this fails, switch the retries of the vendor's SDK off: only the engine retries.
        """
        with self.served(embedder, max_attempts=2) as (server, remote):
            server.always(faults.status(500))
            with pytest.raises(EmbedBridgeError) as caught:
                remote.embed_documents(some(remote))

            kind, count = type(caught.value).__name__, len(server.requests)
            assert isinstance(caught.value, ProviderUnavailableError), f"500 is a {kind}"
            assert count == 2, f"{count} requests for max_attempts=2: does the SDK retry too?"

    @asked_where(AT_A_SERVER)
    def test_the_server_says_how_long_to_wait(self, embedder: Embedder) -> None:
        """`Retry-After` reaches the engine, which does not wait for an hour.

        If this fails, pass `retry_after(headers)` on to RateLimitedError.
        """
        with self.served(embedder) as (server, remote):
            server.always(faults.rate_limited(retry_after="3600"))
            with pytest.raises(EmbedBridgeError) as caught:
                remote.embed_documents(some(remote))

            error = caught.value
            assert isinstance(error, RateLimitedError), f"429 is a {type(error).__name__}"
            assert error.retry_after == 3600, f"Retry-After: 3600 arrives as {error.retry_after}"

    @asked_where(AT_A_SERVER)
    def test_a_bad_request_is_not_repeated(self, embedder: Embedder) -> None:
        """400 means that the same request cannot succeed; only other, smaller ones are made.

        If this fails, look at the table from status to error.
        """
        with self.served(embedder) as (server, remote):
            server.always(faults.status(400, "Invalid request."))
            with pytest.raises(EmbedBridgeError) as caught:
                remote.embed_documents(some(remote))

            kind = type(caught.value).__name__
            assert not caught.value.retryable, f"400 is a {kind}, which is retryable"
            sent = [tuple(map(str, each.inputs)) for each in server.requests]
            assert len(sent) == len(set(sent)), "A bad request is repeated"
            assert len(sent) < 2 * len(some(remote)), "A bad request is searched without end"

    @asked_where(AT_A_SERVER)
    def test_a_batch_that_is_too_large_is_halved(self, embedder: Embedder) -> None:
        """413 makes the engine ask in halves, and all get their vectors.

        If this fails, translate 413 to RequestTooLargeError.
        """
        with self.served(embedder) as (server, remote):
            expected = remote.embed_documents(some(remote))
            server.always(_at_most(2))
            found = remote.embed_documents(some(remote))

            assert_same(found, expected, self.tolerance, "Halves of a batch have wrong vectors")

    @asked_where(AT_A_SERVER)
    def test_a_silent_server_costs_the_deadline(self, embedder: Embedder) -> None:
        """A server that never answers is a RequestTimeoutError, and the connection is given up.

        If this fails, the request cannot be cancelled: a thread or a blocking client waits on.
        """
        with self.served(embedder, deadline=0.2, max_attempts=1) as (server, remote):
            server.always(faults.silent())
            with pytest.raises(EmbedBridgeError) as caught:
                remote.embed_documents(some(remote))

            kind = type(caught.value).__name__
            assert isinstance(caught.value, RequestTimeoutError), f"No answer in time is a {kind}"
            self.expect_idle(server, "After the deadline the request goes on")

    @asked_where(AT_A_SERVER)
    def test_a_cancelled_job_hangs_up(self, embedder: Embedder) -> None:
        """When the last waiter is cancelled, the request ends.

        If this fails, `asyncio.CancelledError` is swallowed, or the work runs in a thread.
        """

        async def give_up(server: FaultServer, remote: Embedder) -> str | None:
            """Cancel a job that waits for the server; why there was none to cancel."""
            job = asyncio.create_task(remote.aembed_documents(SOME))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.patience):
                    while not (server.requests or job.done()):  # noqa: ASYNC110  # in a thread
                        await asyncio.sleep(0.01)
            job.cancel()
            await asyncio.wait({job}, timeout=self.patience)
            if server.requests:
                return None
            error = None if job.cancelled() or not job.done() else job.exception()
            return f"{type(error).__name__}: {error}" if error else "nothing happened"

        with self.served(embedder) as (server, remote):
            server.always(faults.silent())
            said = asyncio.run(give_up(server, remote))
            assert said is None, f"No request was sent, so that none could be cancelled: {said}"

            self.expect_idle(server, "After cancelling, the request goes on")

    @asked_where(AT_A_SERVER)
    def test_requests_run_side_by_side(self, embedder: Embedder) -> None:
        """While one request waits for its answer, the next one is sent.

        If this fails, the engine's event loop is blocked: use the vendor's async client.
        """
        gate = Gate()
        with (
            self.served(embedder, batch_size=1, max_concurrency=2) as (server, remote),
            ThreadPoolExecutor(1) as thread,
        ):
            expected = remote.embed_documents(SOME[:2])
            server.always(gate.fault)
            job = thread.submit(remote.embed_documents, SOME[:2])
            try:
                server.wait_for(4, timeout=self.patience)
            except TimeoutError:
                pytest.fail("A second request is not sent while the first waits: a loop is blocked")
            finally:
                gate.open()

            assert_same(job.result(), expected, self.tolerance, "Side by side, answers are mixed")

    @asked_where(AT_A_SERVER)
    def test_a_redirect_is_not_followed(self, embedder: Embedder) -> None:
        """A redirect is an error: the key must not travel to another host.

        If this fails, set `follow_redirects=False` on the client.
        """
        wire = wire_of(type(self))
        with FaultServer(wire=wire) as other, self.served(embedder) as (server, remote):
            server.always(faults.redirected(f"{other.url}{wire.endpoint}"))
            with pytest.raises(EmbedBridgeError):
                remote.embed_documents(some(remote))

            assert not other.requests, "A redirect is followed, and takes the key along"


def _needs_key(remote: Embedder) -> bool:
    """Whether each request carries a key, wherever the server is."""
    vendor = getattr(remote.model, "vendor", None)
    return vendor is not None and vendor.needs_key and not vendor.self_hosted


def _at_most(items: int) -> Fault:
    async def play(exchange: Exchange) -> None:
        if len(exchange.asked.inputs) <= items:
            await exchange.answer()
        else:
            await exchange.refuse(413, "The request is too large.")

    return Fault(f"at-most-{items}", play)


def _numbers_its_rows(wire: WireFormat) -> bool:
    """Whether an answer looks different when its rows say that they are somebody else's."""
    asked = Asked(model="m", inputs=["a"])
    vector = np.ones(1, np.float32)
    answers = [wire.answer([Row(index=n, vector=vector, encoding="float")], asked) for n in (0, 7)]
    return answers[0] != answers[1]
