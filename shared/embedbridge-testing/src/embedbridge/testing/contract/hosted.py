"""The suite for a hosted model: its embedder talks to a fault server that plays the vendor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from embedbridge.core import Embedder, load_embedder
from embedbridge.testing.contract.suite import EmbeddingModelContract
from embedbridge.testing.fault_server import FaultServer
from embedbridge.testing.virtual_time import no_backoff

FEW = 64
"""Dimensions of a model that does not say how many it has."""


class HostedModelContract(EmbeddingModelContract):
    """The contract suite for a model behind HTTP, with the fixture `embedder` and `load_at` written.

    Example:
        class TestAcme(HostedModelContract):
            model = "acme:acme-1"
            card = CARDS[0]
            wire = AcmeWire()
            key_variable = "ACME_API_KEY"

    Must override: `model`; `wire`, unless the vendor's format is OpenAI's. May override: what is named
    here, and what `ContractBase` names. Never override: the checks; see `xfail`.
    """

    model: ClassVar[str]
    """Its name, `provider:model`."""
    key_variable: ClassVar[str | None] = None
    """Environment variable that holds the key; `None` tests the model without a key."""
    key: ClassVar[str] = "canary5f0c9e8b7a6d4c3b2a1908170f1e2d3c4b"
    """The key, for a vendor whose keys have a form. The checks look for it in all that is shown."""

    @pytest.fixture
    def embedder(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Embedder]:
        """The model at a server as wide as its card says, with the key."""
        settings = {}
        if self.key_variable is not None:
            monkeypatch.setenv(self.key_variable, self.key)  # where a pickle finds it again
            settings["api_key"] = self.key
        with (
            no_backoff(),  # a model that reads nothing fails at once
            FaultServer(wire=self.wire) as server,
            self.load_at(server, **settings) as embedder,
        ):
            server.dimensions = embedder.card.dimensions or FEW
            yield embedder

    def load_at(self, server: FaultServer, **settings: Any) -> Embedder:
        """The model at a fault server.

        Args:
            server: Speaks `wire`, at `server.url`.
            settings: Options of `load_embedder`.
        """
        return load_embedder(self.model, base_url=server.url, **settings)
