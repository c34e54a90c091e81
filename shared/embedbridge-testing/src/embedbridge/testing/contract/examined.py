"""The suite for whatever model is asked about at run time; see `embedbridge.testing.examine`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import pytest

from embedbridge.core import Embedder
from embedbridge.testing.contract.suite import EmbeddingModelContract
from embedbridge.testing.examine import LOAD


class TestExamined(EmbeddingModelContract):
    """One embedder for all checks: weights are loaded once.

    What authors declare in a suite of their own, such as `unseen_options`, is not known here.
    """

    is_declared: ClassVar[bool] = False
    loads_quickly: ClassVar[bool] = False

    @pytest.fixture(scope="class")
    def embedder(self, request: pytest.FixtureRequest) -> Iterator[Embedder]:
        """What the caller of `examine` makes."""
        with request.config.stash[LOAD]() as embedder:
            yield embedder
