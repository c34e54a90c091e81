"""Connecting a check: a fault server, and the embedder under test connected to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from embedbridge.core import Embedder
from embedbridge.testing.contract.applies import DoesNotApply, Need
from embedbridge.testing.contract.base import ContractBase
from embedbridge.testing.contract.material import TEXTS
from embedbridge.testing.fault_server import FaultServer
from embedbridge.testing.virtual_time import no_backoff
from embedbridge.testing.wires.format import WireFormat
from embedbridge.testing.wires.openai import OpenAIWire

SOME = TEXTS[:4]
AT_A_SERVER = Need(
    "`load_at` names no way to a fault server",
    "suite",
    lambda suite: suite.load_at is not ContractBase.load_at,
)


def wire_of(suite: type[ContractBase]) -> WireFormat:
    """What the fault server speaks for a suite."""
    return suite.wire or OpenAIWire()


def some(remote: Embedder) -> tuple[str, ...]:
    """A few texts that go in one request, so that requests can be counted."""
    return SOME[: remote.card.limits.items("text")]


class ServedChecks(ContractBase):
    """What the checks over real HTTP on loopback stand on. Asked where `load_at` names a way."""

    @contextmanager
    def served(
        self, embedder: Embedder, **settings: object
    ) -> Iterator[tuple[FaultServer, Embedder]]:
        """A fault server and the embedder that talks to it, with no pauses between retries."""
        width = embedder.card.dimensions or 64
        with FaultServer(wire=self.wire, dimensions=width) as server, no_backoff():
            remote = self.load_at(server, **settings)
            if remote is None:
                raise DoesNotApply(AT_A_SERVER.without)
            with remote:
                yield server, remote

    def expect_idle(self, server: FaultServer, matter: str) -> None:
        """No request is in flight any more, or the check fails."""
        try:
            server.wait_until_idle(timeout=self.patience)
        except TimeoutError:
            pytest.fail(matter)
