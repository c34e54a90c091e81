"""The fault matrix for one hosted provider, through core and both frameworks.

A provider subclasses `HostedFaults` and says what is particular about it: its wire format, model and
words. `docs/faults.md` is about one vendor; here each row that has to do with a server is run for all
of them. What has to do with the engine alone is proven once, for OpenAI.
"""

from __future__ import annotations

import asyncio
import base64
import multiprocessing
import os
import time
import urllib.parse
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

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
from embedbridge.contract.remote import Vendor
from embedbridge.core import Embedder
from embedbridge.testing import Fault, FaultServer, Gate, WireFormat, faults, loader
from embedbridge.testing.audit import audited
from embedbridge.testing.leaks import everything_about

from .matrix import ROWS
from .routes import ROUTES, Route

Load: TypeAlias = Callable[..., Embedder]
Right: TypeAlias = Callable[..., bool]

KEY = "canary5f0c9e8b7a6d4c3b2a1908170f1e2d3c4b"
TEXTS = ["first", "second", "third"]
SOON = faults.rate_limited(retry_after="0.05")
ENGINE_ONLY = {
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
    "P11": "jobs from files to files, whatever the vendor",
    "P12": "the engine's arrays, see T12",
    "T12": "the engine's arrays",
}
"""Rows that are not about a vendor."""
UNNUMBERED = {
    "R06": "the answer numbers nothing that could occur twice",
    "R07": "as R06",
}
"""Rows that are not about a vendor whose answers number nothing: a vector belongs to a place."""
NO_BASE64 = dict.fromkeys(("R13", "R14", "R15", "R16"), "vectors never travel as base64")
"""Rows that are not about a vendor whose answers are numbers."""

LASTING: Mapping[str, tuple[Fault, type[EmbedBridgeError], int, str]] = {
    "H01": (SOON, RateLimitedError, 3, "Rate limit reached"),
    "H03": (faults.ROWS["H03"], RateLimitedError, 1, "Rate limit reached"),
    "H04": (faults.ROWS["H04"], QuotaExhaustedError, 1, "429"),
    "H05": (faults.ROWS["H05"], ProviderUnavailableError, 3, "500"),
    "H06": (faults.ROWS["H06"], ProviderUnavailableError, 3, "503"),
    "H07": (faults.ROWS["H07"], InvalidInputError, 5, "Inputs 0, 1, 2 were sent alone"),
    "H09": (faults.ROWS["H09"], ProviderUnavailableError, 3, "connection"),
    "H10": (faults.ROWS["H10"], ProviderUnavailableError, 3, "connection"),
    "H11": (faults.ROWS["H11"], InvalidResponseError, 3, "is no JSON"),
    "H12": (faults.ROWS["H12"], InvalidResponseError, 3, "'text/html', not JSON"),
    "H13": (faults.ROWS["H13"], InvalidResponseError, 3, "0 bytes is no JSON"),
    "H14": (faults.ROWS["H14"], InvalidResponseError, 3, "The upstream provider failed."),
}
"""By row: the fault, its error, the requests that it costs, and what the error says."""
WRONG: Mapping[str, str] = {
    "R01": "in another order",
    "R02": "3 inputs were sent and 2 vectors came back",
    "R03": "3 inputs were sent and 2 vectors came back",
    "R04": "3 inputs were sent and 2 vectors came back",
    "R05": "3 inputs were sent and 4 vectors came back",
    "R06": "not numbered 0 to 2",
    "R07": "not numbered 0 to 2",
    "R08": "differ in width",
    "R09": "dimensions were expected",
    "R10": "not finite",
    "R11": "not finite",
    "R13": "neither numbers nor base64",
    "R14": "neither numbers nor base64",
    "R15": "neither numbers nor base64",
    "R17": "neither numbers nor base64",
    "R18": "neither numbers nor base64",
    "R19": "neither numbers nor base64",
    "R20": "3 inputs were sent and 0 vectors came back",
    "R21": "no list of vectors",
}
"""By row: what the error says of a wrong answer."""
BAD_TEXTS = (
    ("T02", [""], 0, "empty or only white space"),
    ("T03", ["first", "second", ""], 2, "empty or only white space"),
    ("T04", ["first", " \n\t\u2003"], 1, "empty or only white space"),
    ("T05", ["first", "half \ud83d of it"], 1, "lone surrogate"),
    ("T08", ["first", None], 1, "NoneType cannot be embedded"),
    ("T08", [b"bytes", "second"], 0, "bytes cannot be embedded"),
)
"""Row, texts, which of them is refused, and how."""


class HostedFaults:
    """Every row that has to do with a server, for one provider."""

    provider: ClassVar[str]
    """Its name, as in `provider:model`."""
    vendor: ClassVar[Vendor]
    """The provider's own description of its vendor."""
    wire: ClassVar[WireFormat]
    """What the fault server speaks."""
    model: ClassVar[str]
    """A model that is in the catalogue."""
    width: ClassVar[int] = 256
    """Dimensions of the server's vectors; asked for, where `asks_width`."""
    asks_width: ClassVar[bool] = True
    """Whether `dimensions` may be asked for; else `width` is the model's own."""
    document: ClassVar[str] = ""
    """What the vendor calls the role of documents; empty if it knows no roles."""
    query: ClassVar[str] = ""
    """What it calls that of queries."""
    numbered: ClassVar[bool] = True
    """Whether answers number their vectors, so that another order is repaired (R01)."""
    remedy: ClassVar[str] = ""
    """What the error of a refused key says, where that is not to set the vendor's variable."""
    in_base64: ClassVar[Mapping[str, Any]] = {}
    """Options with which vectors travel as base64."""
    others: ClassVar[tuple[Mapping[str, Any], ...]]
    """Options with which the same text has another vector, for the cache: another model (`name`),
    width, output type."""
    excused: ClassVar[Mapping[str, str]] = {}
    """Rows that cannot be about this vendor, each with the reason."""

    @classmethod
    def pytest_generate_tests(cls, metafunc: pytest.Metafunc) -> None:
        """A row is collected for what it is about; three of the six routes, the others nightly."""
        if "route" in metafunc.fixturenames:
            often = [ROUTES[0], ROUTES[3], ROUTES[5]]  # each package once; sync and async
            routes = [
                pytest.param(route, marks=() if route in often else pytest.mark.slow)
                for route in ROUTES
            ]
            metafunc.parametrize("route", routes, ids=str, indirect=True)
        if "lasting" in metafunc.fixturenames:
            metafunc.parametrize("lasting", [row for row in LASTING if row not in cls.excused])
        if "wrong" in metafunc.fixturenames:
            repaired = {"R01"} if cls.numbered else set()
            rows = [row for row in WRONG if row not in cls.excused and row not in repaired]
            metafunc.parametrize("wrong", rows)
        if "odd" in metafunc.fixturenames:
            rows = ["R01", "R16"] if cls.numbered else ["R16"]
            metafunc.parametrize("odd", [row for row in rows if row not in cls.excused])

    # What the tests work with.

    @pytest.fixture(autouse=True)
    def _no_vendor_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A developer's own keys and addresses have no say in a test."""
        for name in self.vendor.variables:
            monkeypatch.delenv(name, raising=False)

    @pytest.fixture
    def route(self, request: pytest.FixtureRequest) -> Route:
        """One package, sync or async."""
        chosen: Route = request.param
        return chosen

    @pytest.fixture
    def server(self) -> Iterator[FaultServer]:
        with FaultServer(wire=self.wire, dimensions=self.width) as server:
            yield server

    @pytest.fixture
    def load(self, server: FaultServer) -> Iterator[Load]:
        """`load_embedder` for the model on the fault server; all are closed in the end."""
        width = {"dimensions": self.width} if self.asks_width else {}
        with loader(base_url=server.url, api_key=KEY, **width) as load_with:
            yield lambda name=f"{self.provider}:{self.model}", **options: load_with(name, **options)

    def sent(self, text: str, role: str) -> str:
        """The text as it travels: with a prompt in front, where the model wants one.

        Args:
            text: The user's.
            role: `document` or `query`, in the vendor's words.
        """
        return text

    @pytest.fixture
    def right(self, server: FaultServer) -> Right:
        """Whether these are the vectors of these documents, one each and in this order."""

        def are_right(found: Any, texts: Iterable[str], role: str = self.document) -> bool:
            expected = [
                server.vector(self.sent(text, role), self.model, self.width, role=role)
                for text in texts
            ]
            return np.shape(found) == np.shape(expected) and np.allclose(found, expected, atol=1e-6)

        return are_right

    # H: HTTP.

    def test_h_a_fault_that_lasts(
        self, server: FaultServer, load: Load, route: Route, lasting: str
    ) -> None:
        """Its own class of error, in a sentence that says what happened, after so many requests."""
        fault, error, requests, says = LASTING[lasting]
        server.always(fault)
        with pytest.raises(error) as caught:
            route.through(load()).documents(TEXTS)

        assert type(caught.value) is error
        assert says in str(caught.value)
        assert len(server.requests) == requests == caught.value.attempts

    def test_h02_a_date_is_understood(self, server: FaultServer, load: Load, route: Route) -> None:
        """One that is far away is an error at once, with the moment in it."""
        begun = time.time()
        server.always(faults.rate_limited_until(begun + 3600))
        with pytest.raises(RateLimitedError) as caught:
            route.through(load()).documents(TEXTS)

        assert len(server.requests) == 1
        assert caught.value.retry_at is not None
        assert (
            begun + 3599 <= caught.value.retry_at <= time.time() + 3600
        )  # dates have whole seconds

    def test_h08_a_key_that_the_server_repeats_goes_no_further(
        self, server: FaultServer, load: Load, route: Route
    ) -> None:
        """Not in the error, what it holds, what it is chained to, nor a traceback; in no encoding."""
        server.always(faults.ROWS["H08"])
        remedy = self.remedy or f"Set {self.vendor.keys[0]}"
        with pytest.raises(AuthenticationError, match=remedy) as caught:
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
    def test_h_no_answer_in_time(
        self, server: FaultServer, load: Load, route: Route, row: str
    ) -> None:
        """`timeout` ends each attempt, also where a byte comes now and then, and we hang up."""
        server.always(faults.ROWS[row])
        with pytest.raises(RequestTimeoutError) as caught:
            route.through(load(timeout=0.15, max_attempts=2)).documents(TEXTS)

        assert caught.value.attempts == 2
        assert len(server.requests) <= 2  # on a busy machine some are never sent
        server.wait_until_idle()

    def test_h17_a_bomb_is_not_unpacked(self, server: FaultServer, load: Load) -> None:
        """200 KB that stand for 200 MiB; through core alone, where all routes meet before it."""
        server.always(faults.ROWS["H17"])
        with pytest.raises(InvalidResponseError, match="larger than 64 MiB") as caught:
            load().embed_documents(TEXTS)

        assert len(server.requests) == 3 == caught.value.attempts

    def test_h18_a_redirect_never_takes_the_key_along(
        self, server: FaultServer, load: Load, route: Route
    ) -> None:
        """It is an error that says so, and the other host hears nothing."""
        with FaultServer(wire=self.wire) as other:
            server.always(faults.redirected(f"{other.url}{self.wire.endpoint}?token=x"))
            with pytest.raises(ConfigurationError, match="Redirects are not followed") as caught:
                route.through(load()).documents(TEXTS)

            assert not other.requests
        assert len(server.requests) == 1
        assert "token" not in str(caught.value)

    @pytest.mark.parametrize(
        "fault", [SOON, faults.ROWS["H05"], faults.ROWS["H09"], faults.ROWS["H10"]], ids=repr
    )
    def test_h19_a_fault_that_passes(
        self, server: FaultServer, load: Load, route: Route, right: Right, fault: Fault
    ) -> None:
        """What happens once costs one more request and nothing else."""
        server.play(fault)

        assert right(route.through(load()).documents(TEXTS), TEXTS)
        assert len(server.requests) == 2

    def test_h20_nothing_but_the_server_is_asked(self, load: Load, route: Route) -> None:
        """No tokenizer is fetched, also where a text may have to be cut."""
        door = route.through(load())
        with audited() as events:
            door.documents(["word " * 100_000, *TEXTS])
        connected: list[Any] = [told[1] for name, told in events if name == "socket.connect"]

        assert {address[0] for address in connected} == {"127.0.0.1"}

    # R: answers that parse.

    def test_r_a_wrong_answer_is_refused(
        self, server: FaultServer, load: Load, route: Route, right: Right, wrong: str
    ) -> None:
        """Wrong once, it is asked for again; three times, it is an error that says what is wrong."""
        options = self.in_base64 if wrong in NO_BASE64 else {}
        door = route.through(load(**options))
        server.play(faults.ROWS[wrong])
        assert right(door.documents(TEXTS), TEXTS)
        assert len(server.requests) == 2

        server.always(faults.ROWS[wrong])
        with pytest.raises(InvalidResponseError) as caught:
            door.documents(TEXTS)
        assert WRONG[wrong] in str(caught.value)
        kept = caught.value.partial
        assert (None if kept is None else kept.ok.sum()) == (2 if wrong in ("R10", "R11") else None)
        assert len(server.requests) == 2 + 3

    def test_r_an_odd_answer_that_is_right(
        self, server: FaultServer, load: Load, route: Route, right: Right, odd: str
    ) -> None:
        """Another order with numbers, or floats where base64 was asked for, side by side with it."""
        server.always(faults.ROWS[odd])
        options = self.in_base64 if odd in NO_BASE64 else {}

        assert right(route.through(load(**options)).documents(TEXTS), TEXTS)
        assert len(server.requests) == 1

    def test_r12_a_vector_of_zeros_is_told(
        self, server: FaultServer, load: Load, route: Route
    ) -> None:
        """It has no direction: a warning says so."""
        server.always(faults.ROWS["R12"])
        with pytest.warns(UserWarning, match="zero"):
            assert np.shape(route.through(load()).documents(TEXTS)) == (3, self.width)

    # T: texts.

    @pytest.mark.parametrize(
        ("texts", "at", "says"),
        [pytest.param(*case, id=f"{row}-{case[1]}") for row, *case in BAD_TEXTS],
    )
    def test_t_a_bad_text_is_named(
        self, server: FaultServer, load: Load, route: Route, texts: list[Any], at: int, says: str
    ) -> None:
        """T02 to T05, T08: its position is in the error, and nothing is sent."""
        with pytest.raises(InvalidInputError, match=says) as caught:
            route.through(load()).documents(texts)

        assert caught.value.index == at
        assert not server.requests

    def test_t_texts_that_are_odd_but_good(
        self, server: FaultServer, load: Load, route: Route, right: Right
    ) -> None:
        """T01, T06, T10, T11: none, NUL, a generator, and equal ones, which are paid for once."""
        door = route.through(load())
        assert len(door.documents([])) == 0
        assert not server.requests
        texts = ["a\x00b", "data:image/png;base64,AAAA", *["again"] * 9, "ab"]

        assert right(door.documents(text for text in texts), texts)
        assert sum(len(record.inputs) for record in server.requests) == 4

    def test_t07_a_text_that_is_too_long(
        self, server: FaultServer, load: Load, route: Route
    ) -> None:
        """Cut once where the server refuses it in its own words, or refused by position."""
        long = "All work and no play makes a text long. " * 60_000
        server.always(faults.too_long(len(long.split()) // 2))
        found = route.through(load()).documents(["first", long])
        server.wait_until_idle()  # a record is complete a moment after its answer came
        taken = [t for record in server.requests if record.status == 200 for t in record.inputs]
        kept = max(taken, key=len)

        assert np.shape(found) == (2, self.width)
        assert self.sent("first", self.document) in taken
        assert self.sent(long, self.document).startswith(kept)
        assert len(kept) <= len(long) // 2
        with pytest.raises(InputTooLongError) as caught:
            route.through(load(on_too_long="error")).documents(["first", long])
        assert caught.value.index == 1

    def test_t_more_inputs_than_the_server_takes(
        self, server: FaultServer, load: Load, route: Route, right: Right
    ) -> None:
        """Refused in its own words, the batch is halved, and what the server takes is remembered."""
        most = 4
        server.always(faults.too_many_items(most))
        door = route.through(load(batch_size=8, max_concurrency=1))
        texts = [f"text {number}" for number in range(32)]
        assert right(door.documents(texts), texts)
        server.wait_until_idle()  # a record is complete a moment after its answer came
        refused = [record for record in server.requests if record.status != 200]

        assert 1 <= len(refused) <= 2
        assert len(server.requests) - len(refused) <= 32 // most + 1

    def test_t09_a_bare_text_is_no_list(
        self, server: FaultServer, load: Load, route: Route
    ) -> None:
        """It is not embedded letter by letter."""
        with pytest.raises(InvalidInputError, match="Wrap it in a list"):
            route.through(load()).documents("abc")

        assert not server.requests

    # C: the cache.

    def test_c_the_cache_never_mixes(
        self, server: FaultServer, load: Load, route: Route, right: Right, tmp_path: Path
    ) -> None:
        """C01, C02, C03, C12: models, roles, widths and types are entries of their own."""
        path = tmp_path / "vectors.db"
        door = route.through(load(cache=path))
        assert right(door.documents([*TEXTS, "first"]), [*TEXTS, "first"])
        assert right([door.query("first")], ["first"], role=self.query)
        asked = len(server.requests)
        for other in (*self.others, {"document_prompt": "passage: "}):
            width = other.get("dimensions", self.width)
            with FaultServer(wire=self.wire, dimensions=width) as elsewhere:
                settings = {"cache": path, "base_url": elsewhere.url, **other}
                route.through(load(**settings)).documents(TEXTS)
                assert elsewhere.requests

        assert right(door.documents(TEXTS), TEXTS)
        assert len(server.requests) == asked

    @pytest.mark.parametrize("row", ["R04", "R05"])
    def test_c_a_wrong_answer_is_not_kept(
        self,
        server: FaultServer,
        load: Load,
        route: Route,
        right: Right,
        tmp_path: Path,
        row: str,
    ) -> None:
        """C10, C11: after the error the texts are asked for again."""
        door = route.through(load(cache=tmp_path / "vectors.db", max_attempts=1))
        server.play(faults.ROWS[row])
        with pytest.raises(InvalidResponseError):
            door.documents(TEXTS)

        assert right(door.documents(TEXTS), TEXTS)
        assert len(server.requests) == 2

    # P: processes and concurrency.

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
    @pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Python 3.12 on: threads and fork
    def test_p01_forked_children_get_their_own_answers(
        self, load: Load, route: Route, right: Right
    ) -> None:
        """A warm client is inherited by three children that ask at once."""
        door = route.through(load(batch_size=1))
        door.documents([f"warm {number}" for number in range(8)])
        context = multiprocessing.get_context("fork")
        pipe = context.SimpleQueue()

        def ask(child: int) -> None:
            texts = [f"child {child}, text {number}" for number in range(8)]
            pipe.put(right(door.documents(texts), texts))

        children = [context.Process(target=ask, args=[child]) for child in range(3)]
        for process in children:
            process.start()
        answers = [pipe.get() for _ in children]
        for process in children:
            process.join()

        assert all(answers)

    def test_p03_several_event_loops(self, load: Load, route: Route, right: Right) -> None:
        """One object, three times `asyncio.run`."""
        door = route.through(load())

        assert all(right(asyncio.run(door.adocuments([text])), [text]) for text in TEXTS)

    async def test_p04_cancelling_hangs_up(
        self, server: FaultServer, load: Load, route: Route
    ) -> None:
        """The server sees the connection go away."""
        server.always(faults.silent())
        task = asyncio.create_task(route.through(load()).adocuments(TEXTS))
        await asyncio.to_thread(server.wait_for, 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        await asyncio.to_thread(server.wait_until_idle)

    def test_p_an_error_late_in_a_job(self, server: FaultServer, load: Load, route: Route) -> None:
        """P05, P09, P10: no further request, what is finished is on the error, nothing twice."""
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
        self, server: FaultServer, load: Load, route: Route, right: Right
    ) -> None:
        """Whatever number of batches a job has."""
        texts = [f"text {number}" for number in range(30)]
        found = route.through(load(batch_size=1, max_concurrency=3)).documents(texts)

        assert right(found, texts)
        assert server.max_in_flight <= 3

    def test_every_row_is_run_or_excused(self) -> None:
        """What is in the matrix is in this file, by its name, or has a reason not to be."""
        here = Path(__file__).read_text(encoding="utf-8").partition("\n}\n")[2]
        missing = [
            row.id
            for row in ROWS
            if row.id[0] != "I"  # images are decoded before any vendor sees them
            and row.id not in ENGINE_ONLY
            and row.id not in here
            and f"test_{row.id.lower()}_" not in here
        ]

        assert missing == []
        assert self.excused.keys() <= {*LASTING, *WRONG, "R16"}
