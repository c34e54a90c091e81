"""The fault server is trusted only because it was seen to fail in every way that it claims."""

import asyncio
import base64
import contextlib
import gc
import gzip
import http.client
import json
import socket
import threading
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from embedbridge.testing import FaultServer, Gate, faults
from embedbridge.testing.faults import Fault
from embedbridge.testing.wires.format import Asked, Row
from embedbridge.testing.wires.openai import OpenAIWire

TEXTS = ["first", "second", "third"]
MODEL = "text-embedding-3-small"
KEY = "sk-canary-0123456789abcdef"


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(dimensions=8) as server:
        yield server


def post(
    server: FaultServer,
    *,
    texts: list[str] = TEXTS,
    path: str = "/v1/embeddings",
    timeout: float | None = None,
    **fields: Any,
) -> tuple[http.client.HTTPResponse, bytes]:
    """One request on a connection of its own, with the standard library's plain client."""
    connection = http.client.HTTPConnection("127.0.0.1", port_of(server), timeout=timeout)
    body = json.dumps({"model": MODEL, "input": texts, **fields})
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    try:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        return answer, answer.read()
    finally:
        connection.close()


def post_in_vain(server: FaultServer) -> None:
    """A request whose connection the server breaks."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        post(server)


def port_of(server: FaultServer) -> int:
    return int(server.url.split(":")[2].partition("/")[0])


def rows_of(body: bytes) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(body)["data"]
    return rows


# The right answer.


def test_each_text_has_a_vector_of_its_own(server: FaultServer) -> None:
    """A vector is made from model and text alone, so a test can tell whose it is."""
    _, body = post(server)
    vectors = [row["embedding"] for row in rows_of(body)]

    assert np.allclose(vectors, [server.vector(text, MODEL) for text in TEXTS])
    assert not np.allclose(server.vector("first", MODEL), server.vector("first", "another"))


def test_another_path_is_told_where_the_answers_are(server: FaultServer) -> None:
    """A test that has forgotten its wire format learns which one the server speaks, and what to do."""
    answer, body = post(server, path="/v1/embedding/text")

    assert answer.status == 404
    assert json.loads(body)["error"]["message"] == (
        "There is nothing at /v1/embedding/text: OpenAIWire answers POST …/embeddings. "
        "Name another format as `wire`."
    )


class BrokenWire(OpenAIWire):
    """An author's first draft."""

    def answer(self, rows: Sequence[Row] | None, asked: Asked) -> bytes:
        """An attribute that is not there."""
        return str(asked.words).encode()  # type: ignore[attr-defined]


def test_a_mistake_in_a_wire_format_is_named() -> None:
    """It is not taken for a fault of the network, which the client would try again."""
    server = FaultServer(wire=BrokenWire()).__enter__()
    answer, body = post(server)
    with pytest.raises(RuntimeError, match="BrokenWire failed: AttributeError") as caught:
        server.__exit__(None, None, None)

    assert answer.status == 500
    assert b"AttributeError" in body
    assert isinstance(caught.value.__cause__, AttributeError)
    with pytest.raises(AssertionError) as failed, FaultServer(wire=BrokenWire()) as server:
        assert post(server)[0].status == 200
    assert "BrokenWire failed" in failed.value.__notes__[0]


def test_base64_holds_the_same_floats(server: FaultServer) -> None:
    """Little-endian float32, as OpenAI sends them."""
    _, body = post(server, encoding_format="base64")
    vector = np.frombuffer(base64.b64decode(rows_of(body)[0]["embedding"]), dtype="<f4")

    assert np.array_equal(vector, server.vector("first", MODEL))


def test_fewer_dimensions_are_cut_and_normalised(server: FaultServer) -> None:
    """As OpenAI does it for its newer models."""
    _, body = post(server, dimensions=3)
    vector = rows_of(body)[0]["embedding"]

    assert len(vector) == 3
    assert np.linalg.norm(vector) == pytest.approx(1.0)


@pytest.mark.parametrize("texts", [[], [""], [[1, 2, 3]]], ids=["none", "empty", "tokens"])
def test_what_other_servers_do_not_take_is_refused(server: FaultServer, texts: list[Any]) -> None:
    """No input, empty texts and arrays of tokens are a 400 here, as at many real servers."""
    answer, _ = post(server, texts=texts)

    assert answer.status == 400


def test_requests_are_recorded(server: FaultServer) -> None:
    """Path, headers, body, times and status of every request can be asked for afterwards."""
    server.play(faults.status(503))
    post(server, user="me")
    server.wait_until_idle()
    record = server.requests[0]

    assert record.request.path == "/v1/embeddings"
    assert record.request.headers["authorization"] == f"Bearer {KEY}"
    assert record.json == {"model": MODEL, "input": TEXTS, "user": "me"}
    assert record.status == 503
    assert record.ended is not None
    assert record.began <= record.ended


# The script.


def test_faults_come_one_per_request_and_then_end(server: FaultServer) -> None:
    """`play` is a script; what is not in it goes well."""
    server.play(faults.status(500), faults.rate_limited())

    assert [post(server)[0].status for _ in range(3)] == [500, 429, 200]


def test_a_persistent_fault_stays_until_it_is_taken_back(server: FaultServer) -> None:
    """`always(None)` is the way back."""
    server.always(faults.status(500))
    before = [post(server)[0].status for _ in range(2)]
    server.always(None)

    assert [*before, post(server)[0].status] == [500, 500, 200]


def test_a_share_of_faults_is_the_same_for_a_seed() -> None:
    """A run that failed can be run again."""
    runs = []
    for _ in range(2):
        with FaultServer(dimensions=2) as server:
            server.sometimes(0.3, faults.status(500), faults.status(503), seed=7)
            runs.append([post(server)[0].status for _ in range(30)])

    assert runs[0] == runs[1]
    assert {500, 503, 200} == set(runs[0])


def test_a_gate_shows_how_many_requests_are_in_flight(server: FaultServer) -> None:
    """Concurrency is proven by requests that wait for each other, not by a clock."""
    gate = Gate()
    server.always(gate.fault)
    threads = [threading.Thread(target=post, args=[server]) for _ in range(4)]
    for thread in threads:
        thread.start()
    server.wait_for(requests=4)
    in_flight = server.in_flight
    gate.open()
    for thread in threads:
        thread.join()

    assert in_flight == server.max_in_flight == 4
    server.wait_until_idle()


def test_a_crowded_server_refuses_whom_it_cannot_serve(server: FaultServer) -> None:
    """Beyond so many at once comes a 429; one that gives up makes room for another."""
    server.always(faults.crowded(1, seconds=3600))
    served = http.client.HTTPConnection("127.0.0.1", port_of(server))
    served.request("POST", "/v1/embeddings", json.dumps({"model": MODEL, "input": TEXTS}))
    server.wait_for(requests=1)
    refused, _ = post(server)
    served.close()
    server.wait_until_idle()

    assert refused.status == 429
    assert refused.headers["Retry-After"] is None
    with pytest.raises(TimeoutError):
        post(server, timeout=0.05)  # now it is this one that is served


def test_a_server_that_is_not_crowded_answers(server: FaultServer) -> None:
    """One after the other, nobody is one too many."""
    server.always(faults.crowded(1, retry_after="1"))

    assert [post(server)[0].status for _ in range(3)] == [200] * 3


# HTTP itself.


def test_rate_limit_says_when_to_come_back(server: FaultServer) -> None:
    """In seconds, or as a date."""
    server.play(faults.rate_limited(retry_after="3600"), faults.rate_limited_until(1_800_000_000))

    assert post(server)[0].headers["Retry-After"] == "3600"
    assert post(server)[0].headers["Retry-After"] == "Fri, 15 Jan 2027 08:00:00 GMT"


def test_an_exhausted_quota_has_its_own_code(server: FaultServer) -> None:
    """The status alone would look like a rate limit."""
    server.play(faults.quota_exhausted())
    answer, body = post(server)

    assert answer.status == 429
    assert json.loads(body)["error"]["code"] == "insufficient_quota"


def test_a_refused_key_is_echoed(server: FaultServer) -> None:
    """That is what clients must not pass on."""
    server.play(faults.key_refused())
    answer, body = post(server)

    assert answer.status == 401
    assert KEY in body.decode()


@pytest.mark.parametrize(
    ("fault", "status"),
    [(faults.too_many_items(2), 400), (faults.too_many_tokens(2), 400)],
    ids=repr,
)
def test_smaller_batches_pass_where_large_ones_do_not(
    server: FaultServer, fault: Fault, status: int
) -> None:
    """So that halving a batch can be seen to help."""
    server.always(fault)

    assert [post(server, texts=texts)[0].status for texts in (TEXTS, TEXTS[:2])] == [status, 200]


def test_reset_before_the_answer(server: FaultServer) -> None:
    """Not one byte comes."""
    server.play(faults.reset_before())

    with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
        post(server)


def test_reset_in_the_middle_of_the_body(server: FaultServer) -> None:
    """The head promises more than there is."""
    server.play(faults.reset_mid_body())

    with pytest.raises((ConnectionResetError, http.client.IncompleteRead)):
        post(server)


def test_truncated_json_looks_complete_to_http(server: FaultServer) -> None:
    """Only the parser can tell."""
    server.play(faults.truncated_json())
    answer, body = post(server)

    assert answer.status == 200
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)


@pytest.mark.parametrize(
    ("fault", "content_type", "beginning"),
    [
        (faults.captive_portal(), "text/html", b"<!doctype html>"),
        (faults.empty_body(), "application/json", b""),
        (faults.error_with_200(), "application/json", b'{"error":'),
    ],
    ids=repr,
)
def test_a_success_that_is_none(
    server: FaultServer, fault: Fault, content_type: str, beginning: bytes
) -> None:
    """Status 200 with a page for people, with nothing, or with an error inside."""
    server.play(fault)
    answer, body = post(server)

    assert (answer.status, answer.headers["Content-Type"]) == (200, content_type)
    assert body.startswith(beginning)


def test_silence_lasts_until_the_client_gives_up(server: FaultServer) -> None:
    """And no longer: the server notices that the client is gone."""
    server.play(faults.silent())
    with pytest.raises(TimeoutError):
        post(server, timeout=0.05)

    server.wait_until_idle()
    assert server.requests[0].status == 0


def test_a_client_that_has_the_answer_finds_its_status(server: FaultServer) -> None:
    """It is noted before the first byte goes out, on a connection that had another answer before."""
    connection = http.client.HTTPConnection("127.0.0.1", port_of(server))
    body = json.dumps({"model": MODEL, "input": TEXTS})
    server.play(faults.status(503), faults.dripping(pause=3600))
    with contextlib.closing(connection):
        connection.request("POST", "/v1/embeddings", body)
        connection.getresponse().read()
        connection.request("POST", "/v1/embeddings", body)
        connection.getresponse()

        assert [record.status for record in server.requests] == [503, 200]
        assert server.in_flight == 1


def test_a_stopped_server_leaves_no_handler_waiting() -> None:
    """The end of a test never waits for a fault that has no end."""
    with FaultServer() as server:
        server.always(faults.silent())
        thread = threading.Thread(target=post_in_vain, args=[server])
        thread.start()
        server.wait_for(requests=1)

    thread.join()  # it ends: nothing else is asked


def test_drops_come_one_by_one(server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """No single read ever waits long, and yet the whole takes its time: a pause after each byte."""
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def recorded(seconds: float) -> None:
        pauses.append(seconds)
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", recorded)
    server.play(faults.dripping(pause=0.5))
    _, body = post(server, texts=["only"])
    server.wait_until_idle()  # the last pause comes after the last byte

    assert pauses == [0.5] * len(body)
    assert len(rows_of(body)) == 1


def test_a_bomb_is_small_on_the_wire(server: FaultServer) -> None:
    """A few kilobytes unpack to mebibytes."""
    server.play(faults.gzip_bomb(mebibytes=8))
    answer, body = post(server)

    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(body) < 10_000
    assert len(gzip.decompress(body)) == 8 << 20


def test_a_redirect_names_another_host(server: FaultServer) -> None:
    """A client that follows it would carry its key there."""
    server.play(faults.redirected("http://other.invalid/v1/embeddings"))
    answer, _ = post(server)

    assert answer.status == 307
    assert answer.headers["Location"] == "http://other.invalid/v1/embeddings"


# Answers that parse but are wrong.


@pytest.mark.parametrize(
    ("row", "indexes"),
    [
        ("R01", [2, 1, 0]),
        ("R02", [1, 2]),
        ("R03", [0, 1]),
        ("R04", [0, 1]),
        ("R05", [0, 1, 2, 3]),
        ("R06", [0, 0, 0]),
        ("R07", [0, 0, 0]),
        ("R20", []),
    ],
)
def test_rows_that_are_misnumbered(server: FaultServer, row: str, indexes: list[int]) -> None:
    """Wrong order, wrong count and wrong numbers, each as the matrix describes it."""
    server.play(faults.ROWS[row])
    _, body = post(server)

    assert [row["index"] for row in rows_of(body)] == indexes


@pytest.mark.parametrize(
    ("row", "widths"), [("R08", [4, 8, 8]), ("R09", [4, 4, 4]), ("R18", [0, 0, 0])]
)
def test_vectors_of_a_wrong_width(server: FaultServer, row: str, widths: list[int]) -> None:
    """One of them, or all."""
    server.play(faults.ROWS[row])
    _, body = post(server)

    assert [len(row["embedding"]) for row in rows_of(body)] == widths


@pytest.mark.parametrize(
    ("row", "value"), [("R10", np.nan), ("R11", np.inf), ("R12", 0.0)], ids=["NaN", "Inf", "zero"]
)
def test_values_that_are_no_direction(server: FaultServer, row: str, value: float) -> None:
    """NaN and infinity are no JSON, and yet servers send them."""
    server.play(faults.ROWS[row])
    _, body = post(server)

    assert np.array_equal(rows_of(body)[0]["embedding"][0], value, equal_nan=True)


@pytest.mark.parametrize("row", ["R13", "R14", "R15"])
def test_base64_that_strict_decoders_refuse(server: FaultServer, row: str) -> None:
    """A cut string, foreign characters beside the right ones, and instead of them."""
    server.play(faults.ROWS[row])
    _, body = post(server, encoding_format="base64")

    with pytest.raises(ValueError, match=r"base64|padd"):
        base64.b64decode(rows_of(body)[0]["embedding"], validate=True)


@pytest.mark.parametrize(
    ("row", "kinds"),
    [("R16", [list, str, list]), ("R17", [type(None)] * 3), ("R19", [list] * 3)],
)
def test_vectors_of_a_wrong_kind(server: FaultServer, row: str, kinds: list[type]) -> None:
    """Floats and base64 side by side, nulls, and lists of strings."""
    server.play(faults.ROWS[row])
    _, body = post(server, encoding_format="base64")

    assert [type(row["embedding"]) for row in rows_of(body)] == kinds


def test_no_list_at_all(server: FaultServer) -> None:
    """`data` is null."""
    server.play(faults.ROWS["R21"])

    assert rows_of(post(server)[1]) is None


def test_a_server_that_knows_floats_only(server: FaultServer) -> None:
    """It ignores what was asked for, or refuses it."""
    server.play(faults.ignores_base64(), faults.refuses_base64())
    _, ignored = post(server, encoding_format="base64")
    refused, _ = post(server, encoding_format="base64")

    assert isinstance(rows_of(ignored)[0]["embedding"], list)
    assert refused.status == 400


def test_a_server_that_stops_leaves_no_connection_open() -> None:
    """Not even one that was accepted at that moment: its warning would fail a later test."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for _ in range(20):
            with contextlib.ExitStack() as clients, FaultServer() as server:
                address = ("127.0.0.1", port_of(server))
                for _ in range(3):
                    clients.enter_context(socket.create_connection(address))
        gc.collect()

    assert [str(one.message) for one in warned] == []


def test_the_matrix_is_covered() -> None:
    """Every row of HTTP faults and wrong answers is played here, or the docstring says where."""
    elsewhere = {"H02", "H18", "H19", "H20"}
    rows = {f"H{number:02}" for number in range(1, 21)} | {f"R{n:02}" for n in range(1, 22)}

    assert set(faults.ROWS) == rows - elsewhere


@pytest.mark.parametrize(
    ("status", "said", "sent"),
    [
        (402, {"detail": "Payment required"}, b'{"detail": "Payment required"}'),
        (200, [], b"[]"),
        (498, "Token expired: says the gateway", b"Token expired: says the gateway"),
    ],
)
def test_a_reply_of_any_kind(server: FaultServer, status: int, said: object, sent: bytes) -> None:
    """Text as it is, everything else as JSON; also with a status that no standard knows."""
    server.play(faults.reply(status, said, headers={"Retry-After": "7"}))
    answer, body = post(server)
    server.wait_until_idle()

    assert (answer.status, body) == (status, sent)
    assert answer.headers["Retry-After"] == "7"
    assert answer.headers["Content-Type"] is None
    assert server.requests[0].status == status


def test_a_server_that_cannot_listen_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no port is free, the start fails; it waited without end."""

    async def refuse(*_: object, **__: object) -> None:
        raise OSError("no port is free")

    monkeypatch.setattr(asyncio, "start_server", refuse)
    with pytest.raises(OSError, match="no port is free"), FaultServer():
        pass
