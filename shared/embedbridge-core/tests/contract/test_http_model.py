"""A hosted model on one page: what the kit does around one request and one answer."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import h11
import httpx2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from embedbridge.contract import (
    AuthenticationError,
    Batch,
    BatchResult,
    ConfigurationError,
    EmbedBridgeError,
    InvalidInputError,
    InvalidOptionError,
    Limits,
    ModelCard,
)
from embedbridge.contract.errors import InvalidKeyError, ProviderUnavailableError
from embedbridge.contract.remote import (
    HttpModel,
    Vendor,
    check_headers,
    in_order,
    matrix,
    rows_at,
    usage_at,
)
from embedbridge.contract.remote.http_client import HttpHandle
from embedbridge.core import Embedder, Settings
from embedbridge.testing import Exchange, Fault, FaultServer, Gate, faults

KEY = "canary-acme-0123456789abcdef"
VENDOR = Vendor(
    name="Acme",
    url="https://api.acme.example/v1",
    keys=("ACME_API_KEY", "ACME_KEY"),
    url_variable="ACME_URL",
)


class AcmeModel(HttpModel):
    provider: ClassVar[str] = "acme"
    vendor: ClassVar[Vendor] = VENDOR
    cards = (ModelCard(name="acme-1", dimensions=8, space="acme", limits=Limits(max_items=4)),)
    unknown = ModelCard(name="unknown", limits=Limits(max_items=2))

    def request(self, batch: Batch) -> tuple[str, Mapping[str, object]]:
        return "/embeddings", {"model": self.name, "input": batch.texts, "user": None}

    def read(self, answer: dict[str, Any], batch: Batch) -> BatchResult:
        rows = in_order(rows_at(answer, "data"), len(batch))
        return BatchResult(vectors=matrix(rows), usage=usage_at(answer, "usage.total_tokens"))


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VENDOR.variables:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(dimensions=8) as server:
        yield server


def ask(model: AcmeModel, *texts: str) -> BatchResult:
    batch = Batch(inputs=list(texts), modality="text", role="document")

    async def once() -> BatchResult:
        try:
            return await model.embed_batch(batch)
        finally:
            await model.aclose()

    return asyncio.run(once())


def test_a_request_and_its_answer(server: FaultServer) -> None:
    """The fields that have a value go out, with the key; the rows come back as one matrix."""
    result = ask(AcmeModel("acme-1", base_url=server.url, api_key=KEY), "one", "two")
    (sent,) = server.requests

    assert sent.json == {"model": "acme-1", "input": ["one", "two"]}
    assert sent.request.headers["authorization"] == f"Bearer {KEY}"
    assert np.array_equal(
        result.vectors, [server.vector(text, "acme-1") for text in ("one", "two")]
    )
    assert result.usage is not None


async def test_a_client_can_be_opened_before_there_is_a_request(server: FaultServer) -> None:
    """So that a request which a limiter admits goes out at once; nothing is sent for it."""
    model = AcmeModel("acme-1", base_url=server.url, api_key=KEY)
    await model.aopen()
    client = await model._slot.get()
    await model.aopen()

    assert await model._slot.get() is client
    assert server.requests == []
    await model.aclose()


@pytest.mark.parametrize("tail", ["", "/", "/embeddings", "/embeddings/"])
def test_an_address_that_says_too_much(server: FaultServer, tail: str) -> None:
    """The whole address of a vendor's page, or a slash too many, give the right request."""
    model = AcmeModel("acme-1", base_url=f"{server.url}{tail}", api_key=KEY)

    assert ask(model, "one").vectors.shape == (1, 8)
    assert model.address.url == server.url


@pytest.mark.parametrize(
    "address", ["api.acme.example/v1", "ftp://api.acme.example", "https://", ""]
)
def test_an_address_that_is_none(address: str) -> None:
    """The error says how one is written."""
    with pytest.raises(ConfigurationError, match="begin with http"):
        AcmeModel("acme-1", base_url=address)


def test_key_and_address_from_the_environment(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the vendor's own variables; the first one that is set counts."""
    monkeypatch.setenv("ACME_URL", server.url)
    monkeypatch.setenv("ACME_KEY", KEY)
    ask(AcmeModel("acme-1"), "one")

    assert server.requests[0].request.headers["authorization"] == f"Bearer {KEY}"


async def test_an_open_client_stays_at_its_server(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its key was chosen for that server: a variable that changes must not send it to another."""
    batch = Batch(inputs=["one"], modality="text", role="document")
    monkeypatch.setenv("ACME_URL", server.url)
    monkeypatch.setenv("ACME_KEY", KEY)
    with FaultServer(dimensions=8) as other:
        model = AcmeModel("acme-1")
        await model.embed_batch(batch)
        monkeypatch.setenv("ACME_URL", other.url)
        monkeypatch.setenv("ACME_KEY", f"{KEY}-of-the-other")
        await model.embed_batch(batch)
        server.play(faults.status(500))
        with pytest.raises(ProviderUnavailableError):
            await model.embed_batch(batch)
        await model.aclose()

        assert len(server.requests) == 3
        assert not other.requests


@pytest.mark.parametrize("closed", [True, False])
def test_another_server_is_another_model(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch, closed: bool
) -> None:
    """A fingerprint names its server: nothing of another one may come under it, and into a cache."""
    monkeypatch.setenv("ACME_URL", server.url)
    monkeypatch.setenv("ACME_KEY", KEY)
    with FaultServer(dimensions=8) as other:
        embedder = Embedder(AcmeModel("acme-1"))
        first = embedder.fingerprint
        if closed:
            embedder.embed_query("a text")
            embedder.close()
        monkeypatch.setenv("ACME_URL", other.url)
        with pytest.raises(ConfigurationError, match="another server of Acme than before"):
            embedder.embed_query("another")
        with Embedder(AcmeModel("acme-1")) as again:
            again.embed_query("another")

        assert (len(server.requests), len(other.requests)) == (int(closed), 1)
        assert again.fingerprint != first

        monkeypatch.setenv("ACME_URL", server.url)
        embedder.embed_query("a third")
        embedder.close()


def test_no_key_is_said_before_anything_is_sent(server: FaultServer) -> None:
    """With the variable to set; a header of the user's may stand for it."""
    with pytest.raises(InvalidKeyError, match="Set ACME_API_KEY"):
        ask(AcmeModel("acme-1", base_url=server.url), "one")
    assert not server.requests

    ask(
        AcmeModel("acme-1", base_url=server.url, default_headers={"authorization": "Token x"}),
        "one",
    )
    assert server.requests[0].request.headers["authorization"] == "Token x"


def test_a_header_that_is_spelled_in_two_ways_is_sent_once() -> None:
    """As the user says it: a request with two keys means another thing to each server."""
    sent: list[httpx2.Headers] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        sent.append(request.headers)
        return httpx2.Response(200, json={"data": [{"index": 0, "embedding": [1.0] * 8}]})

    client = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
    own = {"authorization": "Token of the user", "accept": "application/x-json"}
    ask(AcmeModel("acme-1", api_key=KEY, default_headers=own, http_client=lambda: client), "one")

    assert {name: sent[0].get_list(name) for name in own} == {k: [v] for k, v in own.items()}


class OwnHeader(AcmeModel):
    vendor = Vendor(
        name="Acme", keys=("ACME_API_KEY",), header="x-api-key", scheme="", needs_key=False
    )


def test_another_header_and_no_need_of_a_key(server: FaultServer) -> None:
    """A vendor says how a key travels, and whether there must be one."""
    ask(OwnHeader("acme-1", base_url=server.url), "one")
    ask(OwnHeader("acme-1", base_url=server.url, api_key=KEY), "one")
    without, with_key = (each.request.headers for each in server.requests)

    assert "authorization" not in without
    assert "x-api-key" not in without
    assert with_key["x-api-key"] == KEY


SECRET = "canary-header-0123456789"
HEADERS_THAT_CANNOT_BE = [
    ("X-Team", f"{SECRET}\n", "header 'X-Team' must not begin or end with white space"),
    ("X-Team", f" {SECRET}", "header 'X-Team' must not begin or end with white space"),
    ("X-Team", f"{SECRET}\u00a0", "header 'X-Team' must not begin or end with white space"),
    ("X-Team", f"{SECRET}\r\nX-Other: 1", "header 'X-Team' must be ASCII without control"),
    ("X-Team", f"{SECRET}\x00", "header 'X-Team' must be ASCII without control"),
    ("X-Team", f"{SECRET}é", "header 'X-Team' must be ASCII without control"),
    ("", SECRET, "the name of header 1 must be letters"),
    (f"X-Team: {SECRET}", "", "the name of header 1 must be letters"),
    ("X-Téam", SECRET, "the name of header 1 must be letters"),
    ("X-Team\n", SECRET, "the name of header 1 must be letters"),
]


@pytest.mark.parametrize(("name", "value", "says"), HEADERS_THAT_CANNOT_BE)
@pytest.mark.parametrize("secret", [str, SecretStr])
def test_a_header_that_cannot_be_sent_is_refused_at_once(
    name: str, value: str, says: str, secret: Callable[[str], Any]
) -> None:
    """With its name alone; the HTTP library would call it a failure of the network, and try again."""
    with pytest.raises(InvalidOptionError, match=says) as caught:
        AcmeModel("acme-1", default_headers={name: secret(value)})

    assert SECRET not in "".join(traceback.format_exception(caught.value))


@given(st.text(max_size=6), st.text(max_size=6))
def test_headers_that_are_taken_can_be_sent_as_they_are(name: str, value: str) -> None:
    """What is taken is what h11, beneath the HTTP library, sends without a change."""
    try:
        check_headers({name: value})
    except ValueError:
        return
    event = h11.Request(
        method="GET", target="/", headers=[("Host", "acme.example"), (f"x-{name}", value)]
    )

    assert list(event.headers)[1] == (f"x-{name}".lower().encode(), value.encode("ascii"))


def test_an_empty_header_and_one_with_spaces_are_sent(server: FaultServer) -> None:
    """Both are field values of RFC 9110."""
    headers = {"X-Empty": "", "X-Words": "two words\tand a tab"}
    ask(AcmeModel("acme-1", base_url=server.url, api_key=KEY, default_headers=headers), "one")
    sent = server.requests[0].request.headers

    assert (sent["x-empty"], sent["x-words"]) == ("", "two words\tand a tab")


def test_a_vendor_without_an_address_wants_one() -> None:
    """Every user has a server of their own."""
    with pytest.raises(ConfigurationError, match=r"address of Acme is not known.*base_url"):
        _ = OwnHeader("acme-1").address


class SelfHosted(AcmeModel):
    vendor = Vendor(
        name="Acme", url="https://api.acme.example", keys=("ACME_API_KEY",), self_hosted=True
    )


def test_a_key_is_needed_at_the_vendor_s_own_server_only(server: FaultServer) -> None:
    """The same API on a user's server may need none; one that is set is sent, whatever its looks."""
    ask(SelfHosted("acme-1", base_url=server.url), "one")
    ask(SelfHosted("acme-1", base_url=server.url, api_key="short"), "one")

    assert "authorization" not in server.requests[0].request.headers
    assert server.requests[1].request.headers["authorization"] == "Bearer short"
    with pytest.raises(AuthenticationError, match="There is no API key"):
        ask(SelfHosted("acme-1"), "one")


class OwnServer(AcmeModel):
    vendor = Vendor(
        name="Acme",
        url="http://127.0.0.1:9",
        url_variable="ACME_URL",
        keys=("ACME_API_KEY",),
        needs_key=False,
        start_hint="Start it with `acme serve`.",
        complete=lambda text: f"http://{text}",
    )


def test_a_server_of_the_user_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A short address in its variable, what starts it, and a key that looks like anything."""
    monkeypatch.setenv("ACME_API_KEY", "short")
    with pytest.raises(ProviderUnavailableError, match=r"127\.0\.0\.1:9 failed.*`acme serve`"):
        ask(OwnServer("acme-1"), "one")
    monkeypatch.setenv("ACME_URL", "box:1234")

    assert OwnServer("acme-1").address.url == "http://box:1234"


def test_another_address_is_another_space(server: FaultServer) -> None:
    """What answers there need not be the vendor's model of that name."""
    own, regional = (
        AcmeModel("acme-1"),
        AcmeModel("acme-1", base_url="https://eu.api.acme.example/v1"),
    )

    assert own.card.space == regional.card.space == "acme"
    assert AcmeModel("acme-1", base_url=server.url).card.space != "acme"


@pytest.mark.filterwarnings("ignore:Acme model .* is not known here")
def test_names_that_are_not_known_share_no_space() -> None:
    """Whatever space the card `unknown` has: their vectors must not be compared."""

    class NamesASpace(AcmeModel):
        unknown = ModelCard(name="unknown", space="acme:unknown")

    spaces = [Embedder(kind(name)).space for kind in (AcmeModel, NamesASpace) for name in "ab"]
    assert spaces == ["acme:a", "acme:b"] * 2


@pytest.mark.parametrize("host", ["api.acme.example", "eu.api.acme.example"])
def test_a_host_of_the_vendor_alone_gets_the_path(server: FaultServer, host: str) -> None:
    """A server of somebody else may have another one, or none."""
    assert AcmeModel("acme-1", base_url=f"https://{host}/").address.url == f"https://{host}/v1"
    elsewhere = server.url.removesuffix("/v1")
    assert AcmeModel("acme-1", base_url=elsewhere).address.url == elsewhere


def test_a_name_that_is_not_known_is_tried(server: FaultServer) -> None:
    """With the card `unknown`, and a warning that says what is assumed."""
    with pytest.warns(
        UserWarning, match="Acme model 'acme-2' is not known here. Assumed: 2 inputs"
    ) as caught:
        model = AcmeModel("acme-2", base_url=server.url, api_key=KEY)
    with Embedder(model) as embedder:
        vectors = embedder.embed_documents(["a", "b", "c"])

    assert [warning.filename for warning in caught] == [__file__]
    assert vectors.shape == (3, 8)
    assert sorted(len(each.json["input"]) for each in server.requests) == [1, 2]


def test_refusals_and_redirects_are_typed_and_show_no_key(server: FaultServer) -> None:
    """A server that repeats the key does not make us repeat it; a redirect is not followed."""
    server.play(faults.status(401, f"key {KEY} is wrong"))
    with pytest.raises(AuthenticationError, match="Set ACME_API_KEY") as caught:
        ask(AcmeModel("acme-1", base_url=server.url, api_key=KEY), "one")

    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


class SmallRequests(AcmeModel):
    max_request_bytes = 200


def test_a_request_that_json_makes_too_large_is_halved(server: FaultServer) -> None:
    """A batch is planned by its contents; one input alone is left to the server to judge."""
    texts = ["\x01" * n for n in (10, 11, 12, 60)]
    with Embedder(SmallRequests("acme-1", base_url=server.url, api_key=KEY)) as embedder:
        assert embedder.embed_documents(texts).shape == (4, 8)
    sizes = {len(each.json["input"]): len(each.request.body) for each in server.requests}

    assert all(size <= 200 for items, size in sizes.items() if items > 1)
    assert max(len(each.request.body) for each in server.requests) > 200


class Signing(AcmeModel):
    """Signs the whole request; the second signature is good."""

    def _open(self) -> HttpHandle:
        handle, signatures = super()._open(), iter(("first", "second"))

        async def sign(url: str, body: bytes, headers: Mapping[str, str]) -> Mapping[str, str]:
            signed = f"{url}|{body.decode()}|{sorted(headers)}"
            return {"X-Signature": next(signatures), "X-Signed": signed}

        async def renew(sent: Mapping[str, str]) -> bool:
            return sent["X-Signature"] == "first"

        handle.sign, handle.renew = sign, renew
        handle.is_renewable = lambda status, headers: headers["x-code"] == "Expired"
        return handle


def test_a_request_may_be_signed(server: FaultServer) -> None:
    """Over its URL, body and headers, the user's own among them; anew after a refusal by a code."""
    server.play(faults.status(400, headers={"X-Code": "Expired"}))
    own = {"X-Own": "yes"}
    ask(Signing("acme-1", base_url=server.url, api_key=KEY, default_headers=own), "one")
    first, second = (record.request for record in server.requests)

    assert first.headers["x-signature"] == "first"
    assert second.headers["x-signature"] == "second"
    assert second.headers["x-signed"] == (
        f"{server.url}/embeddings|{second.body.decode()}|['accept', 'content-type', 'x-own']"
    )
    assert "authorization" not in second.headers


class Renewing(AcmeModel):
    """Signs in with tokens, of which only the second is good."""

    tokens = ("first-token-0123456789abcdef", "other-token-0123456789abcdef")

    def _open(self) -> HttpHandle:
        handle = super()._open()
        left = iter(self.tokens)
        now = [next(left)]

        async def current() -> str:
            return now[0]

        async def renew(sent: Mapping[str, str]) -> bool:
            assert sent == {"Authorization": f"Bearer {now[0]}"}
            now[0] = next(left, "")
            return bool(now[0])

        handle.credential, handle.renew = current, renew
        return handle


def refuses(token: str) -> Fault:
    async def play(exchange: Exchange) -> None:
        if exchange.request.headers["authorization"].endswith(token):
            await exchange.refuse(401, "The token has expired.")
        else:
            await exchange.answer()

    return Fault("expired", play)


def test_a_credential_that_was_refused_is_replaced_once(server: FaultServer) -> None:
    """401 for the first: the request is sent again with the next one; without one the error stands."""
    server.always(refuses(Renewing.tokens[0]))
    assert ask(Renewing("acme-1", base_url=server.url, api_key=KEY), "one").vectors.shape == (1, 8)
    assert len(server.requests) == 2
    server.always(faults.status(401))
    with pytest.raises(AuthenticationError):
        ask(Renewing("acme-1", base_url=server.url, api_key=KEY), "one")

    assert len(server.requests) == 4


class PickyModel(AcmeModel):
    optional: ClassVar[Mapping[str, str]] = {"encoding_format": r"encoding_?format|base64"}

    def request(self, batch: Batch) -> tuple[str, Mapping[str, object]]:
        path, fields = super().request(batch)
        return path, {**fields, "encoding_format": "base64"}


def refuses_a_field(status: int, said: str, *, always: bool = False) -> Fault:
    """Refuses a request with that field, or every one."""

    async def play(exchange: Exchange) -> None:
        if always or b"encoding_format" in exchange.request.body:
            await exchange.refuse(status, said)
        else:
            await exchange.answer()

    return Fault("refuses-a-field", play)


def fields_sent(server: FaultServer) -> list[bool]:
    return ["encoding_format" in record.json for record in server.requests]


@pytest.mark.parametrize("status", [400, 422])
def test_a_field_that_the_server_refuses_is_left_out(server: FaultServer, status: int) -> None:
    """From then on: it costs one request, and not one for each batch."""
    server.always(refuses_a_field(status, "Unknown parameter: encoding_format"))
    model = PickyModel("acme-1", base_url=server.url, api_key=KEY)
    with Embedder(model).using(max_concurrency=1) as embedder:
        found = embedder.embed_documents([f"text {number}" for number in range(12)])

    assert found.shape == (12, 8)
    assert fields_sent(server) == [True, False, False, False]


def test_a_field_is_left_out_once(server: FaultServer) -> None:
    """A server that goes on refusing is believed: no endless loop."""
    server.always(refuses_a_field(400, "No base64 here.", always=True))
    with pytest.raises(InvalidInputError, match="No base64 here"):
        ask(PickyModel("acme-1", base_url=server.url, api_key=KEY), "one")

    assert fields_sent(server) == [True, False]


@pytest.mark.parametrize(
    ("status", "said"), [(400, "The input is not good."), (401, "base64"), (500, "base64")]
)
def test_other_refusals_leave_no_field_out(server: FaultServer, status: int, said: str) -> None:
    """Only those that name it, with a status that blames the request."""
    server.always(refuses_a_field(status, said))
    with pytest.raises(EmbedBridgeError):
        ask(PickyModel("acme-1", base_url=server.url, api_key=KEY), "one")

    assert fields_sent(server) == [True]


async def test_as_many_requests_are_out_as_the_settings_say(server: FaultServer) -> None:
    """One that waited for a connection would time out, and be paid twice."""
    gate = Gate()
    server.always(gate.fault)
    made = AcmeModel("acme-1", base_url=server.url, api_key=KEY)
    settings = Settings(max_concurrency=150, batch_size=1)
    async with Embedder(made, settings=settings) as embedder:
        job = asyncio.create_task(embedder.aembed_documents([str(n) for n in range(150)]))
        await asyncio.to_thread(server.wait_for, 150)
        gate.open()
        await job

    assert server.max_in_flight == 150
