"""Clients: what the user says about a connection holds. Asked where `load_at` names a way."""

from __future__ import annotations

import logging
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import NamedTuple
from urllib.parse import unquote

import pytest

from embedbridge.contract import EmbedBridgeError, RequestTimeoutError
from embedbridge.contract.remote import RemoteOptions
from embedbridge.core import Embedder
from embedbridge.testing import faults
from embedbridge.testing._http_server import HttpRequest
from embedbridge.testing.contract.applies import Need, asked_where
from embedbridge.testing.contract.comparing import twin
from embedbridge.testing.contract.material import TEXTS
from embedbridge.testing.contract.secrets import option_secrets
from embedbridge.testing.contract.served import AT_A_SERVER, ServedChecks, some, wire_of
from embedbridge.testing.faults.exchange import Exchange, Fault
from embedbridge.testing.leaks import SHORTEST, leaks
from embedbridge.testing.wires.format import WireFormat

CANARY = "canary-of-the-contract-suite-4f7d02"
ENDLESS = 200
"""Mebibytes that a server sends without end."""
USUAL_OPTIONS = Need(
    "its options are not those of a model behind HTTP",
    "embedder",
    lambda embedder: isinstance(embedder.model.options, RemoteOptions),
)


class _Sent(NamedTuple):
    """What two requests have in common where they ask for the same, whenever and wherever."""

    line: str
    body: bytes
    headers: str
    has_key: bool


class ClientChecks(ServedChecks):
    """Timeout, headers, keys, addresses and connections."""

    @asked_where(AT_A_SERVER, USUAL_OPTIONS)
    def test_the_timeout_ends_each_attempt(self, embedder: Embedder) -> None:
        """The option `timeout` holds for one attempt, and the next one begins.

        If this fails, the option is not handed on, and the default of the HTTP library holds.
        """
        with (
            self.served(embedder, max_attempts=2, deadline=self.patience) as (server, remote),
            twin(remote, timeout=0.1) as hasty,
        ):
            server.always(faults.silent())
            with pytest.raises(EmbedBridgeError) as caught:
                hasty.embed_documents(some(hasty))

            kind = type(caught.value).__name__
            assert isinstance(caught.value, RequestTimeoutError), f"No answer in time is a {kind}"
            assert caught.value.attempts == 2, (
                "The option `timeout` ends no attempt: the first one goes on until the deadline"
            )

    @asked_where(AT_A_SERVER, USUAL_OPTIONS)
    def test_headers_of_the_user_are_sent(self, embedder: Embedder) -> None:
        """Each request carries `default_headers`; they win over the provider's own.

        If this fails, the headers are not handed on to the client, or in the wrong order.
        """
        with self.served(embedder) as (server, remote):
            remote.embed_documents(some(remote))
            sent = server.requests[-1].request.headers
            own = [name for name in sent if _says_who(name) and name not in self.fixed_headers]
            wanted = dict.fromkeys([*map(str.title, own), "X-Contract-Suite"], CANARY)
            with twin(remote, default_headers=wanted) as asked:
                asked.embed_documents(some(asked))

            sent = server.requests[-1].request.headers
            lost = [name for name in wanted if sent.get(name.lower()) != CANARY]
            assert not lost, f"Headers of the user that are not sent: {', '.join(lost)}"

    @asked_where(AT_A_SERVER, USUAL_OPTIONS)
    def test_headers_of_the_user_stay_secret(
        self, embedder: Embedder, caplog: pytest.LogCaptureFixture
    ) -> None:
        """No message shows what the user's headers hold, also if the server repeats it.

        If this fails, make the client's `secrets` known to each of their values.
        """
        with (
            self.served(embedder, max_attempts=1) as (server, remote),
            caplog.at_level(logging.DEBUG),
            twin(remote, default_headers={"x-contract-suite": CANARY}) as asked,
        ):
            server.always(Fault("repeats-a-header", _repeats_the_header))
            with pytest.raises(EmbedBridgeError) as caught:
                asked.embed_documents(some(asked))
            shown = "".join(traceback.format_exception(caught.value)) + caplog.text

            assert not leaks(shown + repr(asked), [CANARY]), "A header of the user's is shown"

    @asked_where(AT_A_SERVER)
    def test_the_key_travels_in_a_header_only(self, embedder: Embedder) -> None:
        """A header carries the key, and no address and no body does: servers and proxies log them.

        If this fails, send the key in the header that `Vendor.header` names.
        """
        wire = wire_of(type(self))
        with self.served(embedder) as (server, remote), _with_a_key(remote) as asked:
            asked.embed_documents(some(asked))
            keys = [key for key in option_secrets(asked.model) if len(key) >= SHORTEST]
            for request in (each.request for each in server.requests):
                # A token that was fetched, or the key of a model whose options have none.
                sent = wire.credential(request)
                body = request.body.decode("utf-8", "replace")
                elsewhere = f"{request.target} {unquote(request.target)} {body}"
                assert not leaks(elsewhere, [*keys, *([sent] if len(sent) >= SHORTEST else [])]), (
                    "The key is in the address or in the body"
                )
                # A signature is made from the key, and does not hold it.
                in_header = sent or leaks(" ".join(request.headers.values()), keys)
                assert in_header or not keys or "authorization" in request.headers, (
                    "No header carries the key: its server is not told who asks"
                )

    @asked_where(AT_A_SERVER, USUAL_OPTIONS)
    def test_a_key_that_is_fetched_is_fetched_each_time(self, embedder: Embedder) -> None:
        """Where `api_key` is a function, each request has the key of that moment.

        If this fails, the key is kept in the client; ask for it before each request.
        """
        wire, numbers = wire_of(type(self)), count(1)
        with (
            self.served(embedder) as (server, remote),
            twin(remote, api_key=lambda: f"{CANARY}-{next(numbers)}") as asked,
        ):
            asked.embed_documents(TEXTS[:1])
            asked.embed_documents(TEXTS[1:2])
            keys = [wire.credential(each.request) for each in server.requests]

            assert len(set(keys)) == len(keys), "A key that is fetched is kept, and may expire"

    @asked_where(AT_A_SERVER)
    def test_a_limiter_changes_no_request(self, embedder: Embedder) -> None:
        """A job with a rate limiter sends what a job without one sends, the credential included.

        Before it waits for its turn, the engine calls `aopen`, and only then `embed_batch`.

        If this fails, `aopen` opens a client that lacks what is found in `embed_batch`: override
        `_client`, which both of them ask.
        """
        wire = wire_of(type(self))
        with (
            self.served(embedder) as (server, remote),
            self.served(embedder, requests_per_minute=60_000) as (other, limited),
        ):
            remote.embed_documents(some(remote))
            limited.embed_documents(some(limited))
            plain, paced = (
                Counter(_as_sent(each.request, wire) for each in at.requests)
                for at in (server, other)
            )

            assert paced == plain, (
                f"With a limiter other requests are sent: {_told(paced - plain)}; without one: "
                f"{_told(plain - paced)}"
            )

    @asked_where(AT_A_SERVER, USUAL_OPTIONS)
    def test_each_account_is_an_endpoint(self, embedder: Embedder) -> None:
        """Two keys share neither limits nor requests in flight, and make the same vectors.

        If this fails, `account` or `endpoint` leaves the key out, or `identity()` holds it.
        """
        with (
            self.served(embedder) as (_, remote),
            twin(remote, api_key=f"{CANARY}-1") as one,
            twin(remote, api_key=f"{CANARY}-2") as other,
        ):
            assert one.model.endpoint != other.model.endpoint, (
                "Two keys have one `endpoint`: they share limits, and answers in flight"
            )
            assert one.fingerprint == other.fingerprint, "The key is in the fingerprint"

    @asked_where(AT_A_SERVER)
    def test_each_server_is_an_endpoint(self, embedder: Embedder) -> None:
        """Two servers share neither limits nor requests in flight.

        If this fails, the address is missing in `endpoint`.
        """
        with self.served(embedder) as (_, here), self.served(embedder) as (_, there):
            assert here.model.endpoint != there.model.endpoint, "Two servers have one `endpoint`"

    @asked_where(AT_A_SERVER)
    def test_another_server_is_another_model(self, embedder: Embedder) -> None:
        """Of servers that are not the vendor's own, each may have another model of the same name.

        If this fails, the address is missing in `identity()`, or in the card's `space`.
        """
        with self.served(embedder) as (_, here), self.served(embedder) as (_, there):
            pairs = {
                "fingerprint": (here.fingerprint, there.fingerprint),
                "space": (here.space, there.space),
            }

            shared = [name for name, (one, other) in pairs.items() if one == other]
            assert not shared, f"Two servers have one {' and one '.join(shared)}"

    @asked_where(AT_A_SERVER)
    def test_connections_are_used_again_and_closed(self, embedder: Embedder) -> None:
        """Requests one after the other share connections; `close` leaves none open.

        If this fails, a client is made for each request, or `aclose` does not close it.
        """
        with self.served(embedder) as (server, remote):
            for text in TEXTS[:4]:
                remote.embed_documents([text])
            assert server.connections < len(server.requests), "Each request opens a connection"

            remote.close()
            try:
                server.wait_until_left(timeout=self.patience)
            except TimeoutError:
                pytest.fail("After `close`, a connection is still open")

    @asked_where(AT_A_SERVER)
    def test_an_answer_without_end_is_given_up(self, embedder: Embedder) -> None:
        """An answer that is far too large is an error, and is not read into memory.

        If this fails, read bodies with `read_body` and `limit_for`.
        """
        pieces: list[int] = []

        async def play(exchange: Exchange) -> None:
            headers = {"Content-Type": "application/json"}
            await exchange.connection.begin(200, ENDLESS << 20, headers=headers)
            for number in range(ENDLESS):
                await exchange.connection.send(b" " * (1 << 20))
                pieces.append(number)

        with self.served(embedder, max_attempts=1) as (server, remote):
            server.always(Fault("endless", play))
            with pytest.raises(EmbedBridgeError):
                remote.embed_documents(some(remote))

            assert len(pieces) < ENDLESS, f"An answer of {ENDLESS} MiB is read to its end"


@contextmanager
def _with_a_key(remote: Embedder) -> Iterator[Embedder]:
    """The embedder with a key that we know, where it takes one as an option."""
    if not isinstance(remote.model.options, RemoteOptions):
        yield remote
        return
    with twin(remote, api_key=CANARY) as asked:
        yield asked


async def _repeats_the_header(exchange: Exchange) -> None:
    await exchange.refuse(400, f"Wrong header: {exchange.request.headers.get('x-contract-suite')}")


def _as_sent(request: HttpRequest, wire: WireFormat) -> _Sent:
    return _Sent(
        f"{request.method} {request.target}",
        request.body,
        ", ".join(sorted(request.headers)),
        wire.credential(request) != "",
    )


def _told(sent: Counter[_Sent]) -> str:
    """Without what is in the bodies, and without any key."""
    told = [
        f"{each.line} with {'a' if each.has_key else 'no'} key and the headers {each.headers}"
        for each in sent.elements()
    ]
    return "; ".join(told) or "none"


def _says_who(header: str) -> bool:
    """Whether a header of a request says who asks, and not how it is transferred."""
    return header == "user-agent" or header.startswith("x-")
