"""What a model makes of a text while it counts comes back with the text, once, and is then dropped."""

from __future__ import annotations

import gc
import weakref
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedbridge.contract import (
    Batch,
    BatchResult,
    EmbedBridgeError,
    Limits,
    LoadedMixed,
    Mixed,
    ModelCard,
    Prepared,
    RequestTooLargeError,
    Role,
)
from embedbridge.core import Embedder, MemoryCache
from embedbridge.core.engine.local_driver import LocalDriver
from embedbridge.testing import FakeModel

PROMPT = "passage: "


@dataclass(eq=False, slots=True, weakref_slot=True)
class Tokenised:
    """A payload that can be watched."""

    text: str


class PreparingModel(FakeModel):
    """Tokenises texts for the plan, and makes sure that it gets back what it made."""

    limits = Limits(max_items=4)
    truncates = True

    def __init__(self, *, takes: int = 100) -> None:
        super().__init__("small", document_prompt=PROMPT)
        self.takes = takes
        self.seen: Counter[str] = Counter()
        self.alive: weakref.WeakSet[Tokenised] = weakref.WeakSet()
        self.alive_at_calls: list[int] = []
        self.modalities: list[str] = []

    @property
    def card(self) -> ModelCard:
        return replace(super().card, limits=self.limits, truncates=self.truncates)

    def prepare(self, texts: Sequence[str], *, role: Role, prompt: str) -> Prepared:
        assert (role, prompt) == ("document", PROMPT)
        self.seen.update(texts)
        payloads = [Tokenised(text) for text in texts]
        self.alive.update(payloads)
        return Prepared(counts=[len(text) for text in texts], payloads=payloads)

    def embed_batch(self, batch: Batch) -> BatchResult:
        self.alive_at_calls.append(len(self.alive))
        self.modalities.append(batch.modality)
        texts = {text: getattr(payload, "text", "") for text, payload in batch.prepared.items()}
        wanted = batch.texts if batch.modality == "text" else []
        assert texts == {text: text for text in wanted}
        if len(batch) > self.takes:
            raise RequestTooLargeError("There is not enough memory.")
        return super().embed_batch(batch)


@settings(max_examples=50)
@given(
    st.lists(st.text("ab ", min_size=1, max_size=9).filter(str.strip), max_size=30),
    st.sampled_from([1, 2, 3, 100]),
    st.booleans(),
)
def test_each_text_is_tokenised_once(texts: list[str], takes: int, cached: bool) -> None:
    """Whatever the plan, also where batches are halved; what a cache knows is not tokenised."""
    model = PreparingModel(takes=takes)
    embedder = Embedder(model, cache=MemoryCache() if cached else None)
    known = texts[: len(texts) // 2] if cached else []
    for job in (known, texts):
        embedder.embed_documents(job)

    assert set(model.seen) == {PROMPT + text for text in texts}
    assert set(model.seen.values()) <= {1}


def test_tokens_are_dropped_with_the_vector() -> None:
    """A long job holds the tokens of those texts only that have no vector yet."""
    model = PreparingModel()
    result = Embedder(model).embed([f"text {number}" for number in range(12)], role="document")
    gc.collect()

    assert model.alive_at_calls == [12, 8, 4]
    assert len(model.alive) == 0
    assert len(result.vectors) == 12


def test_a_text_that_the_engine_cuts_is_tokenised_again() -> None:
    """The model gets the tokens of what is left of it."""
    model = PreparingModel()
    model.truncates = False
    model.limits = Limits(max_tokens_per_input=len(PROMPT) + 5)
    result = Embedder(model).embed(["a much longer text", "short"], role="document")

    assert result.truncated.tolist() == [True, False]
    assert model.modalities == ["text"]


def test_a_mixed_input_has_no_tokens_of_its_own() -> None:
    """Its text is counted, and stands between images: only the model knows how."""

    class Mixing(PreparingModel):
        @property
        def card(self) -> ModelCard:
            return replace(super().card, modalities=("text", "mixed"))

    model = Mixing()
    Embedder(model).embed([Mixed("a", "b"), "text"], role="document")

    assert sorted(model.modalities) == ["mixed", "text"]


def test_calls_that_are_merged_bring_their_tokens_along() -> None:
    """By text; what one of them lacks, the model tokenises by itself."""
    model = PreparingModel()
    driver = LocalDriver()
    called: list[Batch] = []

    def noting(batch: Batch) -> BatchResult:
        called.append(batch)
        return BatchResult(vectors=np.ones((len(batch), 2), dtype=np.float32))

    model.embed_batch = noting  # type: ignore[method-assign]
    batches = [
        Batch(inputs=[text], modality="text", role="document", prepared={text: text.upper()})
        for text in "abc"
    ]
    without = replace(batches[0], inputs=["d"], prepared={})
    for group in (batches, [*batches, without]):
        driver._serve_together([_request(model, batch) for batch in group])

    assert [batch.prepared for batch in called] == [{"a": "A", "b": "B", "c": "C"}] * 2
    assert [batch.texts for batch in called] == [list("abc"), list("abcd")]


def _request(model: PreparingModel, batch: Batch) -> Any:
    from embedbridge.core.engine.local_driver import _Request

    return _Request(model, batch, None)


@pytest.mark.parametrize("payloads", [["one"], ["one", "two", "three"]])
def test_payloads_for_another_number_of_texts(payloads: list[str]) -> None:
    """They are the provider's fault, by name."""

    class Wrong(FakeModel):
        def prepare(self, texts: Sequence[str], *, role: Role, prompt: str) -> Prepared:
            return Prepared(counts=[1] * len(texts), payloads=payloads)

    with pytest.raises(EmbedBridgeError, match=r"payloads came back.*fake:small"):
        Embedder(Wrong("small")).embed_documents(["a", "b"])


def test_counting_is_enough() -> None:
    """A model that only counts gets no payloads, and none of its batches claims any."""

    class Counting(FakeModel):
        def count_tokens(self, texts: Sequence[str]) -> list[int]:
            return [len(text) for text in texts]

        def embed_batch(self, batch: Batch) -> BatchResult:
            assert batch.prepared == {}
            return super().embed_batch(batch)

    model = Counting("small")

    assert model.prepare(["ab"], role="query", prompt="") == Prepared(counts=[2])
    assert Embedder(model).embed(["ab", "c"], role="query").usage.tokens == 3


def test_inputs_without_their_prompt() -> None:
    """Exactly what the engine has put in front is taken off, and nothing else."""

    def unprompted(*inputs: Any, prompt: str = "a: ") -> list[Any]:
        return Batch(inputs=inputs, modality="text", role="query", prompt=prompt).unprompted

    assert unprompted("a: a: b", "a: ") == ["a: b", ""]
    assert unprompted("a: b", prompt="") == ["a: b"]
    (mixed,) = unprompted(LoadedMixed(("a: ", "a: ", "b")))
    assert mixed.parts == ("a: ", "b")
    (plain,) = unprompted(LoadedMixed(("b", "a: ")))
    assert plain.parts == ("b", "a: ")
