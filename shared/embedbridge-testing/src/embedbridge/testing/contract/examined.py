"""The suite for whatever model is asked about at run time; see `embedbridge.testing.examine`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from embedbridge.core import Embedder
from embedbridge.testing.contract.suite import EmbeddingModelContract
from embedbridge.testing.examine import LOAD


class TestExamined(EmbeddingModelContract):
    """One embedder for all checks: weights are loaded once."""

    @pytest.fixture(scope="class")
    def embedder(self, request: pytest.FixtureRequest) -> Iterator[Embedder]:
        """What the caller of `examine` makes."""
        with request.config.stash[LOAD]() as embedder:
            yield embedder
