"""A place to run a page in: servers, a model, pictures, and folders to write to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from .reader import Reader
from .stand_ins import Servers, open_servers


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """One fault server for each vendor's format; without faults until a page asks for some."""
    with ExitStack() as stack:
        yield open_servers(stack)


@pytest.fixture
def reader(servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    """Somebody with an empty folder, keys in the environment, and no model of the frameworks set."""
    reader = Reader(tmp_path, servers, monkeypatch)
    reader.settle_in()
    yield reader
    reader.leave()
