"""Liveness of the contract suite: whatever a provider does, each check comes to an end."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any, ClassVar

import pytest

from embedbridge.contract import Batch, BatchResult
from embedbridge.core import Embedder, Settings
from embedbridge.testing import EmbeddingModelContract, FaultServer, WireFormat
from embedbridge.testing.contract import CHECKS
from embedbridge.testing.contract.by_hand import failure_of

from .acme import AcmeModel, AcmeWire
from .planted import RaisesBeforeItSends


class NeverAnswers(AcmeModel):
    async def embed_batch(self, batch: Batch) -> BatchResult:
        await asyncio.Event().wait()
        raise AssertionError


def suite_of(model: type[AcmeModel]) -> type[EmbeddingModelContract]:
    """The suite without patience, and an engine without patience as well."""

    class Hasty(EmbeddingModelContract):
        wire: ClassVar[WireFormat | None] = AcmeWire()
        patience: ClassVar[float] = 0.05

        def load_at(self, server: FaultServer, **settings: Any) -> Embedder:
            usual = {"deadline": 0.05, "max_attempts": 1}
            made = Settings(**{**usual, **settings, "deadline": 0.05})
            return Embedder(model("acme-1", base_url=server.url), settings=made)

    return Hasty


@pytest.mark.parametrize("check", sorted(CHECKS))
@pytest.mark.parametrize("model", [RaisesBeforeItSends, NeverAnswers])
def test_a_check_ends(
    check: str,
    model: type[AcmeModel],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also of a provider that raises before it sends a request, or that never answers.

    One that does not is ended by the runner's guard against hangs.
    """
    monkeypatch.setenv("ACME_API_KEY", "canary5f0c9e8b7a6d4c3b2a1908170f1e2d3c4b")
    suite = suite_of(model)

    with (
        FaultServer(wire=suite.wire, dimensions=1024) as server,
        suite().load_at(server) as embedder,  # type: ignore[union-attr]  # it never is None
        contextlib.suppress(Exception),  # what it says is the matter of other tests
    ):
        failure_of(check, embedder, suite=suite, tmp_path=tmp_path, caplog=caplog)
