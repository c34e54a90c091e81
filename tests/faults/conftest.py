"""A fault server, embedders that talk to it, the six routes, and a book of what the tests found."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

import numpy as np
import pytest

from embedbridge.core import Embedder
from embedbridge.testing import FaultServer, loader, no_backoff

from .matrix import Book, Found
from .routes import ROUTES, Route

KEY = "sk-canary-5f0c9e8b7a6d4c3b2a190817"
MODEL = "text-embedding-3-small"
WIDTH = 16

Load: TypeAlias = Callable[..., Embedder]


# The book: which tests stand for which row, and how they ended.

BOOK = pytest.StashKey[Book]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "row(id): proves a row of the fault matrix")
    config.stash[BOOK] = defaultdict(Found)


def pytest_itemcollected(item: pytest.Item) -> None:
    for row in rows_of(item):
        found = item.config.stash[BOOK][row]
        found.collected += 1
        found.tests[f"{item.path.name}::{getattr(item, 'originalname', item.name)}"] += 1


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report: pytest.TestReport = yield  # type: ignore[assignment]  # what a wrapper is sent
    for row in rows_of(item):
        if report.when == "call" or report.outcome != "passed":
            item.config.stash[BOOK][row].outcomes[report.outcome] += 1
    return report  # type: ignore[return-value]  # as pytest wants it of a wrapper


def rows_of(item: pytest.Item) -> list[str]:
    return [row for marker in item.iter_markers("row") for row in marker.args]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # A test of rows that are all excused for a vendor: there is nothing that it could check.
    items[:] = [item for item in items if not item.name.endswith(("[NOTSET]", "-NOTSET]"))]
    items.sort(key=lambda item: item.path.name == "test_table.py")  # stable: the others stay


@pytest.fixture
def book(request: pytest.FixtureRequest) -> Book:
    """What this run has found so far, by row."""
    return request.config.stash[BOOK]


# What the tests work with.


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own keys and addresses have no say in a test."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _no_backoff() -> Iterator[None]:
    """Retries follow at once."""
    with no_backoff():
        yield


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds of each sleep on an event loop, as asked for: a busy machine wakes up later."""
    asked: list[float] = []
    sleep = asyncio.sleep

    async def recorded(delay: float, result: object = None) -> object:
        if delay > 0:
            asked.append(delay)
        return await sleep(delay, result)

    monkeypatch.setattr(asyncio, "sleep", recorded)
    return asked


@pytest.fixture(params=ROUTES, ids=str)
def route(request: pytest.FixtureRequest) -> Route:
    """Core, LlamaIndex and LangChain, each sync and async."""
    chosen: Route = request.param
    return chosen


@pytest.fixture
def key() -> str:
    """The key that is sent and nobody may see."""
    return KEY


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(dimensions=WIDTH) as server:
        yield server


@pytest.fixture
def load(server: FaultServer) -> Iterator[Load]:
    """`load_embedder` for a model on the fault server; all are closed in the end."""
    with loader(base_url=server.url, api_key=KEY) as load_with:

        def load(name: str = f"openai:{MODEL}", **options: Any) -> Embedder:
            if name == f"openai:{MODEL}":
                options.setdefault("dimensions", WIDTH)
            return load_with(name, **options)

        yield load


@pytest.fixture
def right(server: FaultServer) -> Callable[..., bool]:
    """Whether these are the vectors of these texts, one each and in this order."""

    def are_right(found: Any, texts: Iterable[str], **asked: Any) -> bool:
        name, width = asked.get("model", MODEL), asked.get("dimensions", WIDTH)
        expected = [server.vector(text, name, width) for text in texts]
        return np.shape(found) == np.shape(expected) and np.allclose(found, expected, atol=1e-6)

    return are_right
