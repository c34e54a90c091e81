"""The fakes are as good as a model that means nothing can be."""

import subprocess
import sys

import numpy as np

from embedbridge.contract import Image, RateLimitedError
from embedbridge.core import Embedder
from embedbridge.testing import (
    FakeModel,
    FlakyModel,
    RecordingModel,
    fake_embedder,
    real_texts,
    tiny_png,
)


def test_every_input_has_a_unit_vector_of_its_own() -> None:
    """A shuffled batch must be visible, hence no two inputs look alike."""
    vectors = fake_embedder(64).embed_documents([str(number) for number in range(500)])

    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert (vectors @ vectors.T - np.eye(500)).max() < 0.9


def test_vectors_are_the_same_in_every_process() -> None:
    """No process's hash seed or address enters a vector."""
    code = (
        "from embedbridge.testing import fake_embedder;"
        "print(fake_embedder(4, seed=3).embed_query('same?').tolist())"
    )
    elsewhere = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert elsewhere.stdout.strip() == str(fake_embedder(4, seed=3).embed_query("same?").tolist())


def test_another_seed_is_another_model() -> None:
    """Seeds differ in their vectors and in their fingerprints."""
    one, two = fake_embedder(seed=1), fake_embedder(seed=2)

    assert not np.array_equal(one.embed_query("a"), two.embed_query("a"))
    assert one.fingerprint != two.fingerprint


def test_images_have_vectors_too() -> None:
    """The fake is multimodal: an image differs from another one and from its own bytes as text."""
    red, blue = Image.from_bytes(tiny_png(255, 0, 0)), Image.from_bytes(tiny_png(0, 0, 255))
    vectors = fake_embedder().embed_images([red, blue, red])

    assert np.array_equal(vectors[0], vectors[2])
    assert not np.array_equal(vectors[0], vectors[1])


def test_the_recording_model_remembers_what_the_engine_sent() -> None:
    """Duplicates were removed before the model saw them."""
    model = RecordingModel("text")
    Embedder(model).embed_documents(["a", "b", "a"])

    assert sorted(map(str, model.seen)) == ["passage: a", "passage: b"]


def test_the_flaky_model_fails_as_often_as_told() -> None:
    """One failure costs one more request, and no vector."""
    model = FlakyModel("small", failures=[RateLimitedError("slow down", retry_after=0.0)])
    vector = Embedder(model).embed_query("a")

    assert model.requests == 2
    assert np.array_equal(vector, Embedder(FakeModel("small")).embed_query("a"))


def test_real_texts_are_different_and_as_long_as_asked() -> None:
    """The corpus has no duplicates and keeps its limits, the same at every call."""
    texts = real_texts(500)
    words = [len(text.split()) for text in texts]

    assert len(set(texts)) == 500
    assert min(words) >= 5
    assert 500 < max(words) <= 2000
    assert texts == real_texts(500)
