"""The contract that every provider keeps."""

import pytest

from embedbridge.core import Embedder
from embedbridge.testing import EmbeddingModelContract


@pytest.mark.slow
class TestBundled(EmbeddingModelContract):
    """The model that comes with the package."""

    @pytest.fixture
    def embedder(self, default: Embedder) -> Embedder:
        return default


class TestFolder(EmbeddingModelContract):
    """A folder whose model does not normalise."""

    @pytest.fixture
    def embedder(self, tiny: Embedder) -> Embedder:
        return tiny
