"""Models with any card, of both kinds, that remember what they were asked."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from embedbridge.contract import Batch, BatchResult, EmbeddingModel, Limits, ModelCard
from embedbridge.testing import FakeModel, RemoteFakeModel


class CardModel(FakeModel):
    """A local fake whose card and tokenizer a test chooses."""

    def __init__(
        self,
        name: str = "small",
        *,
        changes: dict[str, Any] | None = None,
        count: Callable[[str], int] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(name, **options)
        self.changes = changes or {}
        self.count = count
        self.batches: list[Batch] = []

    @property
    def card(self) -> ModelCard:
        return replace(super().card, **self.changes)

    def count_tokens(self, texts: Any) -> list[int] | None:
        return None if self.count is None else [self.count(text) for text in texts]

    def embed_batch(self, batch: Batch) -> BatchResult:
        self.batches.append(batch)
        return self.make_up(batch)


class RemoteCardModel(RemoteFakeModel):
    """The same behind a wire."""

    def __init__(
        self,
        name: str = "small",
        *,
        changes: dict[str, Any] | None = None,
        count: Callable[[str], int] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(name, **options)
        self.changes = changes or {}
        self.count = count
        self.batches: list[Batch] = []

    @property
    def card(self) -> ModelCard:
        return replace(super().card, **self.changes)

    def count_tokens(self, texts: Any) -> list[int] | None:
        return None if self.count is None else [self.count(text) for text in texts]

    async def embed_batch(self, batch: Batch) -> BatchResult:
        self.batches.append(batch)
        return self.make_up(batch)


MakeModel = Callable[..., Any]


@pytest.fixture(scope="session")
def local_model() -> MakeModel:
    """Make a local model; keywords that are fields of the card or its limits change the card."""
    return lambda **changes: _make(CardModel, changes)


@pytest.fixture(scope="session")
def remote_model() -> MakeModel:
    """Make a remote model, likewise."""
    return lambda **changes: _make(RemoteCardModel, changes)


@pytest.fixture(scope="session", params=["local", "remote"])
def any_model(request: pytest.FixtureRequest) -> MakeModel:
    """Make a model of either kind, likewise."""
    model_class = CardModel if request.param == "local" else RemoteCardModel
    return lambda **changes: _make(model_class, changes)


def _make(model_class: type[EmbeddingModel], values: dict[str, Any]) -> EmbeddingModel:
    card = {key: values.pop(key) for key in list(values) if key in ModelCard.__slots__}
    limits = {key: values.pop(key) for key in list(values) if key in Limits.__slots__}
    if limits:
        card["limits"] = Limits(**limits)
    name = card.pop("name", "small")
    return model_class(name, changes=card, **values)
