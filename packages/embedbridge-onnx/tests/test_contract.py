"""The contract that every provider keeps."""

from collections.abc import Mapping
from typing import ClassVar

import pytest

from embedbridge.contract import Limits, ModelCard
from embedbridge.core import Embedder
from embedbridge.testing import EmbeddingModelContract


@pytest.mark.slow
class TestBundled(EmbeddingModelContract):
    """The model that comes with the package."""

    unseen_options: ClassVar[Mapping[str, str]] = {
        "pooling": "`mean_sqrt_len_tokens` is `mean` of another length, and the model normalises"
    }

    @pytest.fixture
    def embedder(self, default: Embedder) -> Embedder:
        return default


class TestFolder(EmbeddingModelContract):
    """A folder whose model does not normalise."""

    card: ClassVar[ModelCard | None] = ModelCard(
        name="tiny", limits=Limits(max_tokens_per_input=256)
    )

    @pytest.fixture
    def embedder(self, tiny: Embedder) -> Embedder:
        return tiny


class TestTowers(EmbeddingModelContract):
    """A CLIP as two ONNX files, for its texts and its images."""

    card: ClassVar[ModelCard | None] = ModelCard(
        name="tiny-clip",
        modalities=("text", "image"),
        normalized=True,
        limits=Limits(max_tokens_per_input=77),
    )

    @pytest.fixture
    def embedder(self, tiny_towers: Embedder) -> Embedder:
        return tiny_towers
