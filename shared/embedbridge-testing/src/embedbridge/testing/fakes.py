"""Models for tests: instant, deterministic in every process, and different for every input.

A fake that answered all ones would hide a shuffled batch; these give each input a unit vector of
its own, and the same input another one as a query than as a document.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

import numpy as np
from pydantic import Field

from embedbridge.contract import (
    Batch,
    BatchResult,
    EmbedBridgeError,
    EmbeddingModel,
    Limits,
    LocalEmbeddingModel,
    ModelCard,
    ModelOptions,
    Usage,
    Vectors,
)
from embedbridge.contract.inputs import Content, content_digest

CARDS = (
    ModelCard(
        name="small",
        modalities=("text", "image", "mixed"),
        roles="field",
        dimensions=8,
        allowed_dimensions=None,
        normalized=True,
        limits=Limits(max_items=32, max_tokens_per_input=8192),
    ),
    ModelCard(
        name="text",
        modalities=("text",),
        roles="prefix",
        prompts={"query": "query: ", "document": "passage: "},
        dimensions=32,
        allowed_dimensions=(8, 16),
        normalized=True,
        limits=Limits(max_items=16, max_tokens_per_input=512),
    ),
)


class FakeOptions(ModelOptions):
    """What can be set on the fakes."""

    seed: int = 0
    """Another seed is another model: all its vectors differ."""


def fake_vectors(inputs: Sequence[Content], *, role: str, dimensions: int, seed: int) -> Vectors:
    """A unit vector for each input, made from its content, its role and the seed alone."""
    return np.stack([_unit_vector(content, role, dimensions, seed) for content in inputs])


class FakeModel(LocalEmbeddingModel):
    """A local model of texts, images and mixed inputs.

    Example:
        embedder = Embedder(FakeModel("small"))
    """

    provider: ClassVar[str] = "fake"
    Options: ClassVar[type[ModelOptions]] = FakeOptions
    cards: ClassVar[Sequence[ModelCard]] = CARDS
    options: FakeOptions

    def embed_batch(self, batch: Batch) -> BatchResult:
        """Make vectors up."""
        return _answer(self, batch)


class RemoteFakeModel(EmbeddingModel):
    """The same vectors as `FakeModel`, through the driver for remote models.

    Args:
        name: Like `FakeModel`'s.
        delay: Seconds that each request takes.
        options: See `FakeOptions`.
    """

    provider: ClassVar[str] = "fake"
    Options: ClassVar[type[ModelOptions]] = FakeOptions
    cards: ClassVar[Sequence[ModelCard]] = CARDS
    options: FakeOptions

    def __init__(self, name: str = "small", *, delay: float = 0.0, **options: object) -> None:
        super().__init__(name, **options)
        self.delay = delay

    async def embed_batch(self, batch: Batch) -> BatchResult:
        """Make vectors up after a while."""
        if self.delay:
            await asyncio.sleep(self.delay)
        return _answer(self, batch)


def _answer(model: FakeModel | RemoteFakeModel, batch: Batch) -> BatchResult:
    width = model.card.dimensions
    if width is None:
        width = 8
    vectors = fake_vectors(
        batch.inputs, role=batch.role, dimensions=width, seed=model.options.seed
    )
    images = sum(not isinstance(content, str) for content in batch.inputs)
    return BatchResult(vectors=vectors, usage=Usage(tokens=batch.tokens, images=images))


def _unit_vector(content: Content, role: str, dimensions: int, seed: int) -> Vectors:
    digest = hashlib.sha256(f"{seed}|{role}|".encode() + content_digest(content)).digest()
    # NumPy's PCG64 stream is the same on every platform and in every process.
    generator = np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))
    vector = generator.standard_normal(dimensions)
    return (vector / np.linalg.norm(vector)).astype(np.float32)
