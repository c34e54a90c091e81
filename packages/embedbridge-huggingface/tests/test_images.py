"""Images, and texts with images, where the loaded model takes them; a clear word where it does not."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image as Pillow
from sentence_transformers import SentenceTransformer

from embedbridge.contract import Batch, Image, LoadedImage, LoadedMixed, Mixed
from embedbridge.contract.errors import UnsupportedModalityError
from embedbridge.core import Embedder, load_embedder
from embedbridge.providers.huggingface._inputs import inputs_of
from embedbridge.testing import EmbeddingModelContract

UNSEEN = {"trust_remote_code": "the models come without code"}
TEXTS = ["a cat", "https://example.org/cat.png", "two words"]


@pytest.fixture(scope="module")
def photos() -> list[Pillow.Image]:
    chance = np.random.default_rng(0)
    sizes = [(20, 16), (16, 16), (9, 40)]
    noise = [chance.integers(0, 256, (h, w, 3), dtype=np.uint8) for w, h in sizes]
    return [Pillow.fromarray(pixels) for pixels in noise]


@pytest.fixture(scope="module")
def talking(talking_folder: str) -> Iterator[Embedder]:
    with load_embedder(f"huggingface:{talking_folder}", device="cpu") as embedder:
        yield embedder


@pytest.fixture(scope="module")
def seeing(seeing_folder: str) -> Iterator[Embedder]:
    with load_embedder(f"huggingface:{seeing_folder}", device="cpu") as embedder:
        yield embedder


class TestTwoTowers(EmbeddingModelContract):
    """A CLIP."""

    loads_quickly: ClassVar[bool] = False  # another process imports torch
    unseen_options: ClassVar[Mapping[str, str]] = UNSEEN

    @pytest.fixture
    def embedder(self, seeing: Embedder) -> Embedder:
        return seeing


class TestChat(EmbeddingModelContract):
    """A language model that sees."""

    loads_quickly: ClassVar[bool] = False  # another process imports torch
    unseen_options: ClassVar[Mapping[str, str]] = UNSEEN

    @pytest.fixture
    def embedder(self, talking: Embedder) -> Embedder:
        return talking


def assert_same(ours: Any, theirs: Any) -> None:
    np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=0, atol=1e-5)


def test_the_card_says_what_the_model_takes(
    tiny: Embedder, seeing: Embedder, talking: Embedder
) -> None:
    """Modalities are those of the loaded model."""
    assert tiny.card.modalities == ("text",)
    assert seeing.card.modalities == ("text", "image")
    assert talking.card.modalities == ("text", "image", "mixed")


@pytest.mark.parametrize("name", ["seeing", "talking"])
def test_images_have_the_vectors_of_the_library(
    request: pytest.FixtureRequest, photos: list[Pillow.Image], name: str
) -> None:
    """As query and as document, in a batch and alone; texts beside them keep theirs."""
    ours: Embedder = request.getfixturevalue(name)
    raw = SentenceTransformer(request.getfixturevalue(f"{name}_folder"), device="cpu")
    images = [Image.from_pil(photo) for photo in photos]
    pictures: Any = [{"image": photo} for photo in photos]
    texts: Any = [{"text": text} for text in TEXTS]

    assert_same(ours.embed(images, role="query").vectors, raw.encode_query(pictures))
    assert_same(ours.embed_images(images), raw.encode_document(pictures))
    assert_same([ours.embed_images([i])[0] for i in images], raw.encode_document(pictures))
    assert_same(ours.embed_queries(TEXTS), raw.encode_query(texts))
    assert len(np.unique(ours.embed_images(images), axis=0)) == len(photos)


def test_mixed_inputs_have_the_vectors_of_the_library(
    talking: Embedder, talking_folder: str, photos: list[Pillow.Image]
) -> None:
    """Parts reach the model in their order, and the prompt stands where the library puts it."""
    raw = SentenceTransformer(talking_folder, device="cpu")
    first, second = (Image.from_pil(photo) for photo in photos[:2])
    mixed = [Mixed("a cat:", first), Mixed(first, "a cat:"), Mixed("a", first, "b", second)]

    def chat(*parts: object) -> list[dict[str, Any]]:
        content = [
            {"type": "text", "text": part} if isinstance(part, str)
            else {"type": "image", "image": part}
            for part in parts
        ]  # fmt: skip
        return [{"role": "user", "content": content}]

    one, two = photos[:2]
    chats: Any = [chat("a cat:", one), chat(one, "a cat:"), chat("a", one, "b", two)]
    expected = raw.encode_document(chats)

    assert_same(talking.embed(mixed, role="document").vectors, expected)
    assert_same(talking.embed(mixed, role="query").vectors, raw.encode_query(chats))
    assert abs(expected[0] - expected[1]).max() > 1e-4  # the order counts


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tiny", "image"),
        ("tiny", "mixed"),
        ("seeing", "mixed"),
    ],
)
def test_what_the_model_does_not_take_is_refused(
    request: pytest.FixtureRequest, photos: list[Pillow.Image], name: str, content: str
) -> None:
    """The error says which input is of a kind that this model does not embed."""
    ours: Embedder = request.getfixturevalue(name)
    image = Image.from_pil(photos[0])
    with pytest.raises(UnsupportedModalityError) as caught:
        ours.embed([image if content == "image" else Mixed("a cat:", image)], role="document")

    assert caught.value.index == 0


class SideBySide:
    """A model without chat template, which takes one text with one image."""

    def supports(self, modality: object) -> bool:
        return modality != "message"


def test_a_text_and_an_image_side_by_side(photos: list[Pillow.Image]) -> None:
    """Models without a chat template get a pair; what is more than a pair is refused."""
    image = LoadedImage(pixels=photos[0], described="")

    def given(*parts: str | LoadedImage) -> list[Any]:
        mixed = LoadedMixed(parts)
        batch = Batch(inputs=[mixed], modality="mixed", role="document")
        return inputs_of(batch, SideBySide(), separates_prompt=False)  # type: ignore[arg-type]  # a fake

    assert given("find:", image, "a cat") == [{"text": "find: a cat", "image": photos[0]}]
    with pytest.raises(UnsupportedModalityError, match="2 images"):
        given("a cat", image, image)


def test_a_file_and_its_pixels_have_one_vector(
    seeing: Embedder, photos: list[Pillow.Image], tmp_path: Path
) -> None:
    """By whatever route a picture comes, it reaches the model as the same pixels."""
    path = tmp_path / "photo.png"
    photos[0].save(path)
    vectors = seeing.embed_images([Image.from_path(path), Image.from_pil(photos[0])])

    np.testing.assert_array_equal(vectors[0], vectors[1])
