"""Whatever transformers computes, we return: pixel for pixel, and vector for vector."""

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

from embedbridge.contract import Image, LoadedImage
from embedbridge.core import Embedder, load_embedder
from embedbridge.testing import real_texts

KINDS = ("clip", "siglip", "siglip2", "align")
TEXTS = [*real_texts(8, max_words=120), "short", "A Cat, in CAPITALS!", "日本語", "a"]


class Raw:
    """The model without us, as transformers' documentation runs it."""

    def __init__(self, folder: str) -> None:
        model: Any = AutoModel
        tokenizer: Any = AutoTokenizer
        processor: Any = AutoImageProcessor
        self.model = model.from_pretrained(folder).eval()
        self.tokenizer = tokenizer.from_pretrained(folder)
        self.processor = processor.from_pretrained(folder, backend="pil")

    def texts(self, texts: list[str]) -> Any:
        filled = self.model.config.model_type.startswith("siglip")
        tokens = self.tokenizer(
            texts,
            padding="max_length" if filled else True,
            truncation=True,
            max_length=self.model.config.text_config.max_position_embeddings,
            return_tensors="pt",
        )
        with torch.no_grad():
            return self._unit(self.model.get_text_features(**tokens).pooler_output)

    def images(self, images: list[Pillow.Image]) -> Any:
        pixels = self.processor(images=images, return_tensors="pt")
        with torch.no_grad():
            return self._unit(self.model.get_image_features(**pixels).pooler_output)

    def _unit(self, vectors: torch.Tensor) -> Any:
        return (vectors / vectors.norm(dim=-1, keepdim=True)).numpy()


@pytest.fixture(scope="module", params=KINDS)
def pair(request: pytest.FixtureRequest, folders: dict[str, str]) -> tuple[Embedder, Raw]:
    """One architecture, with us and without."""
    folder = folders[request.param]
    return load_embedder(f"clip:{folder}", device="cpu"), Raw(folder)


def assert_same(ours: Any, theirs: Any) -> None:
    np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=0, atol=1e-5)


def test_texts(pair: tuple[Embedder, Raw]) -> None:
    """A text has the vector that transformers gives it, in a batch, alone, and in either role."""
    ours, raw = pair
    expected = np.concatenate([raw.texts([text]) for text in TEXTS])

    assert_same(ours.embed_documents(TEXTS), expected)
    assert_same(ours.embed_documents(TEXTS), raw.texts(TEXTS))
    assert_same([ours.embed_query(text) for text in TEXTS], expected)


def test_images(pair: tuple[Embedder, Raw], photos: list[Pillow.Image]) -> None:
    """An image has the vector that transformers gives it, in a batch and alone."""
    ours, raw = pair
    images = [Image.from_pil(photo) for photo in photos]
    expected = np.concatenate([raw.images([photo]) for photo in photos])

    assert_same(ours.embed_images(images), expected)
    assert_same(ours.embed_images(images), raw.images(photos))
    assert_same([ours.embed_images([image])[0] for image in images], expected)


@pytest.mark.parametrize("parts", [1, 3, 100])
def test_pixels(
    pair: tuple[Embedder, Raw],
    photos: list[Pillow.Image],
    loaded: list[LoadedImage],
    parts: int,
) -> None:
    """The image tower gets the very pixels that transformers' processor makes, in order."""
    ours, raw = pair
    preprocessor = ours.model._load().preprocessor  # type: ignore[attr-defined]
    portions = list(preprocessor.prepare(loaded, parts))
    expected = raw.processor(images=photos, return_tensors="pt")

    assert set(portions[0]) == set(expected)
    for name, theirs in expected.items():
        together = np.concatenate([portion[name] for portion in portions])
        np.testing.assert_array_equal(together, theirs.numpy(), err_msg=name)


def test_vectors_differ(pair: tuple[Embedder, Raw], photos: list[Pillow.Image]) -> None:
    """The comparisons above are not empty: each input has a vector of its own, of length 1."""
    ours, _ = pair
    images = ours.embed_images([Image.from_pil(photo) for photo in photos])
    texts = ours.embed_documents(TEXTS)

    assert len(np.unique(images.round(6), axis=0)) == len(photos)
    assert len(np.unique(texts.round(6), axis=0)) == len(TEXTS)
    np.testing.assert_allclose(
        np.linalg.norm(np.concatenate([images, texts]), axis=1), 1, atol=1e-5
    )


@pytest.mark.parametrize("kind", KINDS)
def test_without_normalisation(
    folders: dict[str, str], kind: str, photos: list[Pillow.Image]
) -> None:
    """`normalize=False` leaves the towers' vectors as they are."""
    raw = Raw(folders[kind])
    pixels = raw.processor(images=photos, return_tensors="pt")
    with torch.no_grad():
        expected = raw.model.get_image_features(**pixels).pooler_output.numpy()
    with load_embedder(f"clip:{folders[kind]}", device="cpu", normalize=False) as embedder:
        vectors = embedder.embed_images([Image.from_pil(photo) for photo in photos])

        assert not embedder.card.normalized
    np.testing.assert_allclose(vectors, expected, rtol=1e-5, atol=1e-5)
    assert abs(np.linalg.norm(vectors, axis=1) - 1).max() > 1e-3


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision(
    clip: Embedder, clip_folder: str, photos: list[Any], precision: str
) -> None:
    """Whatever the weights are, vectors are float32 of length 1, near the exact ones."""
    images = [Image.from_pil(photo) for photo in photos]
    with load_embedder(f"clip:{clip_folder}", device="cpu", precision=precision) as half:
        for ours, exact in (
            (half.embed_images(images), clip.embed_images(images)),
            (half.embed_documents(TEXTS), clip.embed_documents(TEXTS)),
        ):
            assert ours.dtype == np.float32
            np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-5)
            np.testing.assert_allclose(ours, exact, rtol=0, atol=0.05)
        assert half.fingerprint != clip.fingerprint
        assert half.space == clip.space


def test_autocast_around_a_call_changes_nothing(clip: Embedder, photos: list[Pillow.Image]) -> None:
    """The caller's thread may compute more coarsely; these vectors are the exact ones, and kept so."""
    images = [Image.from_pil(photo) for photo in photos]
    expected = clip.embed_images(images), clip.embed_documents(TEXTS)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        made = clip.embed_images(images), clip.embed_documents(TEXTS)

    np.testing.assert_allclose(made[0], expected[0], rtol=0, atol=1e-6)
    np.testing.assert_allclose(made[1], expected[1], rtol=0, atol=1e-6)
