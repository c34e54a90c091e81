"""The contract suite passes on good models, local and remote."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pytest

from embedbridge.contract import ModelCard
from embedbridge.core import Embedder
from embedbridge.testing import EmbeddingModelContract, FakeModel, RemoteFakeModel, xfail


class TestLocalFake(EmbeddingModelContract):
    """Text and images, the role as a field of the request."""

    option_samples: ClassVar[Mapping[str, Sequence[Any]]] = {"width": [5]}
    card: ClassVar[ModelCard | None] = FakeModel("small").card

    @pytest.fixture
    def embedder(self) -> Embedder:
        return Embedder(FakeModel("small"))


@xfail("test_the_plugin_leads_to_this_model", reason="the plugin `fake` announces its local twin")
class TestRemoteFake(EmbeddingModelContract):
    """The same through the background loop."""

    card: ClassVar[ModelCard | None] = RemoteFakeModel("small").card

    @pytest.fixture
    def embedder(self) -> Embedder:
        return Embedder(RemoteFakeModel("small"))


class TestFakeWithPrompts(EmbeddingModelContract):
    """Text only, the role as a prompt."""

    card: ClassVar[ModelCard | None] = FakeModel("text").card

    @pytest.fixture
    def embedder(self) -> Embedder:
        return Embedder(FakeModel("text"))
