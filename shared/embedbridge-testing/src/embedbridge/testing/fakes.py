"""Models for tests: instant, deterministic in every process, and different for every input.

A fake that answered all ones would hide a shuffled batch; these give each input a unit vector of
its own, and the same input another one as a query than as a document.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from embedbridge.contract import (
    Batch,
    BatchResult,
    EmbeddingModel,
    LocalEmbeddingModel,
    ModelCard,
    ModelOptions,
    Usage,
    Vectors,
)
from embedbridge.contract.loaded import Loaded, loaded_digest
from embedbridge.core import Embedder, Settings
from embedbridge.testing.fake_cards import CARDS


class FakeOptions(ModelOptions):
    """What can be set on the fakes."""

    seed: int = 0
    """Another seed is another model: all its vectors differ."""
    width: int | None = Field(default=None, gt=0)
    """Dimensions as the model makes them; `None` means what its card says."""


class _Fake(EmbeddingModel):
    """What the fakes have in common."""

    provider: ClassVar[str] = "fake"
    Options: ClassVar[type[ModelOptions]] = FakeOptions
    cards: ClassVar[Sequence[ModelCard]] = CARDS
    options: FakeOptions

    @property
    def card(self) -> ModelCard:
        """The card of the name, with the width that was asked for."""
        card = super().card
        width = self.options.width or self._own_width
        space = card.space if width == self._own_width else f"fake:{card.name}:{width}"
        return replace(card, dimensions=width, normalized=True, space=space)

    def identity(self) -> Mapping[str, object]:
        """The options that change a vector; the width that it has anyway does not."""
        options = dict(super().identity())
        if self.options.width == self._own_width:
            del options["width"]
        return options

    @property
    def _own_width(self) -> int:
        return super().card.dimensions or CARDS[0].dimensions or 1

    def make_up(self, batch: Batch) -> BatchResult:
        """A unit vector for each input, made from its content, its role and the seed alone."""
        # What has its role as a prompt has it in the text.
        role = batch.role if self.card.roles == "field" else "document"
        rows = [
            _unit_vector(content, role, self.card.dimensions or 1, self.options.seed)
            for content in batch.inputs
        ]
        images = sum(not isinstance(content, str) for content in batch.inputs)
        return BatchResult(vectors=np.stack(rows), usage=Usage(tokens=batch.tokens, images=images))


class FakeModel(_Fake, LocalEmbeddingModel):
    """A local model of texts, images and mixed inputs.

    Example:
        embedder = Embedder(FakeModel("small", seed=7))
    """

    def embed_batch(self, batch: Batch) -> BatchResult:
        """Make vectors up."""
        return self.make_up(batch)


class RemoteFakeModel(_Fake):
    """The same vectors as `FakeModel`, through the driver for remote models.

    Args:
        name: Like `FakeModel`'s.
        delay: Seconds that each request takes.
        options: See `FakeOptions`.
    """

    def __init__(self, name: str = "small", *, delay: float = 0.0, **options: Any) -> None:
        super().__init__(name, **options)
        self.delay = delay

    async def embed_batch(self, batch: Batch) -> BatchResult:
        """Make vectors up after a while."""
        await asyncio.sleep(self.delay)
        return self.make_up(batch)


class RecordingModel(FakeModel):
    """A `FakeModel` that remembers what it was asked."""

    def __init__(self, name: str = "small", **options: Any) -> None:
        super().__init__(name, **options)
        self.batches: list[Batch] = []
        """Every batch, in the order of the calls."""

    @property
    def seen(self) -> list[Loaded]:
        """Every input of every batch."""
        return [content for batch in self.batches for content in batch.inputs]

    def embed_batch(self, batch: Batch) -> BatchResult:
        """Remember the batch, and make vectors up."""
        self.batches.append(batch)
        return super().embed_batch(batch)


class FlakyModel(RemoteFakeModel):
    """A `RemoteFakeModel` that fails first.

    Args:
        name: Like `FakeModel`'s.
        failures: Raised one per request, in this order; afterwards all goes well.
        options: See `FakeOptions`.
    """

    def __init__(
        self, name: str = "small", *, failures: Iterable[Exception] = (), **options: Any
    ) -> None:
        super().__init__(name, **options)
        self._failures = list(failures)
        self.requests = 0
        """How often it was asked."""

    async def embed_batch(self, batch: Batch) -> BatchResult:
        """Fail, or make vectors up."""
        self.requests += 1
        if self._failures:
            raise self._failures.pop(0)
        return await super().embed_batch(batch)


def fake_embedder(dimensions: int = 8, *, seed: int = 0, **settings: Any) -> Embedder:
    """An embedder of texts and images without any model: LlamaIndex's `MockEmbedding`, with seeds.

    Args:
        dimensions: Width of the vectors.
        seed: Another seed gives other vectors.
        settings: Fields of `Settings`.
    """
    model = FakeModel("small", seed=seed, width=dimensions)
    return Embedder(model, settings=Settings(**settings))


def _unit_vector(content: Loaded, role: str, dimensions: int, seed: int) -> Vectors:
    digest = hashlib.sha256(f"{seed}|{role}|".encode() + loaded_digest(content)).digest()
    # PCG64 gives the same stream on every platform and in every process.
    generator = np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))
    vector = generator.standard_normal(dimensions)
    return (vector / np.linalg.norm(vector)).astype(np.float32)
