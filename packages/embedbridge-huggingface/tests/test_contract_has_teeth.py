"""Faults planted in copies of this provider, each caught by the check meant for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embedbridge.contract import Batch, BatchResult
from embedbridge.core import Embedder
from embedbridge.providers.huggingface import HuggingFaceModel
from embedbridge.testing.contract.by_hand import failure_of


class SortsForLessPadding(HuggingFaceModel):
    """Sorts by length, and forgets to undo it."""

    def embed_batch(self, batch: Batch) -> BatchResult:
        return super().embed_batch(replace(batch, inputs=[*sorted(batch.texts, key=len)]))


class ForgetsTheMask(HuggingFaceModel):
    """Pads with a word that the model reads."""

    def embed_batch(self, batch: Batch) -> BatchResult:
        longest = max(len(text.split()) for text in batch.texts)
        padded = [text + " pad" * (longest - len(text.split())) for text in batch.texts]
        return super().embed_batch(replace(batch, inputs=padded))


class DropsOut(HuggingFaceModel):
    """Was never set to eval()."""

    def embed_batch(self, batch: Batch) -> BatchResult:
        result = super().embed_batch(batch)
        kept = np.random.default_rng().random(result.vectors.shape) > 0.1
        return replace(result, vectors=(result.vectors * kept).astype(np.float32))


class AnswersHalves(HuggingFaceModel):
    """Hands on the dtype that the weights are loaded in."""

    def embed_batch(self, batch: Batch) -> BatchResult:
        result = super().embed_batch(batch)
        return replace(result, vectors=result.vectors.astype(np.float16))


class ReadsFewerTokens(HuggingFaceModel):
    """A tokenizer with a maximum of its own."""

    def embed_batch(self, batch: Batch) -> BatchResult:
        cut = [" ".join(text.split()[:64]) for text in batch.texts]
        return super().embed_batch(replace(batch, inputs=cut))


class CountsTexts(HuggingFaceModel):
    """Counts texts where tokens are due."""

    def count_tokens(self, texts: Sequence[str]) -> Sequence[int] | None:
        return [1 for _ in texts]


@dataclass(frozen=True)
class Planted:
    model: type[HuggingFaceModel]
    check: str
    says: str


PLANTED = [
    Planted(SortsForLessPadding, "test_each_input_gets_its_own_vector", "order of the inputs"),
    Planted(ForgetsTheMask, "test_batch_size_does_not_matter", "Batches of"),
    Planted(DropsOut, "test_the_same_text_twice_is_the_same_vector", "again gives other vectors"),
    Planted(AnswersHalves, "test_count_width_and_type", "float16"),
    Planted(ReadsFewerTokens, "test_all_of_a_text_is_read", "truncated silently"),
    Planted(CountsTexts, "test_tokens_are_counted", "count_tokens"),
]


def said_of(model: type[HuggingFaceModel], check: str, folder: str, tmp_path: Path) -> Any:
    with Embedder(model(folder, device="cpu")) as embedder:
        return failure_of(check, embedder, tmp_path=tmp_path)


@pytest.mark.parametrize("fault", PLANTED, ids=lambda fault: fault.model.__name__)
def test_a_planted_fault_is_caught(fault: Planted, tiny_folder: str, tmp_path: Path) -> None:
    """The check that is meant for a fault fails on it, and its message is about the matter."""
    said = said_of(fault.model, fault.check, tiny_folder, tmp_path)

    assert said is not None, f"{fault.check} passes"
    assert fault.says in said


@pytest.mark.parametrize("fault", PLANTED, ids=lambda fault: fault.check)
def test_the_model_without_the_fault_passes(
    fault: Planted, tiny_folder: str, tmp_path: Path
) -> None:
    """No check is simply always red."""
    assert said_of(HuggingFaceModel, fault.check, tiny_folder, tmp_path) is None
