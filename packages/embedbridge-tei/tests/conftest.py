"""Fault servers that speak TEI's format, and models that talk to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from embedbridge.providers.tei.catalog import VENDOR
from embedbridge.testing import FaultServer, TeiWire, hosted_fixtures

isolated, key, server, load = hosted_fixtures(
    "tei",
    "acme/embed",
    wire=TeiWire(),
    dimensions=64,
    variables=VENDOR.variables,
)


@pytest.fixture
def serve() -> Iterator[Callable[..., FaultServer]]:
    """A server with these prompts and this `/info`."""
    with ExitStack() as servers:
        yield lambda *args, **info: servers.enter_context(
            FaultServer(wire=TeiWire(*args, **info), dimensions=64)
        )
