"""The contract that every provider keeps."""

import pytest

from embedbridge.core import Embedder
from embedbridge.testing import EmbeddingModelContract


@pytest.mark.filterwarnings("ignore:dtype=:DeprecationWarning")  # it tries every option
class TestContract(EmbeddingModelContract):
    """A CLIP, for its texts and its images."""

    @pytest.fixture
    def embedder(self, clip: Embedder) -> Embedder:
        return clip
