"""Images: in order, in batches, and with the memory there is."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image as Pillow

from embedbridge.contract import EmbedBridgeError, Image, LoadedImage
from embedbridge.contract.local import ImageThreads
from embedbridge.core import Embedder, load_embedder
from embedbridge.providers.clip._preprocess import preprocessing


def test_the_role_makes_no_difference(clip: Embedder, photos: list[Pillow.Image]) -> None:
    """An image that one searches with lies where the same image lies that is searched for."""
    images = [Image.from_pil(photo) for photo in photos]
    query, document = (clip.embed(images, role=role) for role in ("query", "document"))

    np.testing.assert_array_equal(query.vectors, document.vectors)
    assert query.usage.images == len(photos)


def test_texts_and_images_side_by_side(clip: Embedder, photos: list[Pillow.Image]) -> None:
    """One job may hold both; each input keeps its place."""
    images = [Image.from_pil(photo) for photo in photos[:2]]
    result = clip.embed(["one", images[0], "two", images[1]], role="document")
    expected = [*clip.embed_documents(["one", "two"]), *clip.embed_images(images)]

    np.testing.assert_allclose(result.vectors[[0, 2, 1, 3]], expected, rtol=0, atol=1e-6)


def test_pixels_are_scaled_as_by_the_processor(clip_folder: str, photos: list[Any]) -> None:
    """What is done in a processor's place changes no bit."""
    from transformers import AutoImageProcessor

    processors: Any = AutoImageProcessor
    plain = processors.from_pretrained(clip_folder, backend="pil")
    images = [LoadedImage(pixels=photo.convert("RGB"), described="") for photo in photos]
    expected = plain(images=[image.pixels for image in images], return_tensors="np")
    (made,) = ImageThreads(preprocessing(plain)).prepare(images, 1)

    np.testing.assert_array_equal(made["pixel_values"], expected["pixel_values"])


def test_fewer_images_at_once_are_embedded_after_all(
    clip: Embedder, own_folder: str, photos: list[Pillow.Image]
) -> None:
    """A job that does not fit into memory at once is done in smaller batches."""
    images = [Image.from_pil(photo) for photo in photos]
    with load_embedder(f"clip:{own_folder}", device="cpu") as embedder:
        network = embedder.model._load().parts.network  # type: ignore[attr-defined]
        tower, sizes = network.get_image_features, []

        def small(pixel_values: Any) -> Any:
            sizes.append(len(pixel_values))
            if len(pixel_values) > 2:
                raise MemoryError
            return tower(pixel_values=pixel_values)

        network.get_image_features = small
        vectors = embedder.embed_images(images)

    assert sizes[0] == len(photos)
    np.testing.assert_allclose(vectors, clip.embed_images(images), rtol=0, atol=1e-6)


def test_fewer_texts_at_once_are_embedded_after_all(clip: Embedder, own_folder: str) -> None:
    """The same for texts; one that does not fit alone is an error with its remedy."""
    import torch

    texts = [f"text {number}" for number in range(12)]
    with load_embedder(f"clip:{own_folder}", device="cpu") as embedder:
        network = embedder.model._load().parts.network  # type: ignore[attr-defined]
        tower, sizes, most = network.get_text_features, [], 2

        def small(input_ids: Any, **others: Any) -> Any:
            sizes.append(len(input_ids))
            if len(input_ids) > most:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
            return tower(input_ids=input_ids, **others)

        network.get_text_features = small
        vectors = embedder.embed_documents(texts)
        most = 0
        with pytest.raises(EmbedBridgeError, match=r"single input.*Set max_length"):
            embedder.embed_documents(texts[:2])

    assert sizes[0] == len(texts)
    np.testing.assert_allclose(vectors, clip.embed_documents(texts), rtol=0, atol=1e-6)


def changed(folder: str, twin: Path, **settings: Any) -> Path:
    """A copy of a model with other preprocessing."""
    made = Path(shutil.copytree(folder, twin))
    config = made / "preprocessor_config.json"
    known = json.loads(config.read_text(encoding="utf-8"))
    config.write_text(json.dumps(known | settings), encoding="utf-8")
    return made


@pytest.mark.parametrize("kind", ["clip", "siglip", "siglip2"])
def test_pictures_that_keep_their_size(kind: str, folders: dict[str, str], tmp_path: Path) -> None:
    """`do_resize: false` is for pictures that were resized before: the vectors of transformers."""
    folder = changed(folders[kind], tmp_path / "model", do_resize=False)
    network: Any = transformers.AutoModel.from_pretrained(folder).eval()
    processors: Any = transformers.AutoImageProcessor
    plain = processors.from_pretrained(folder, backend="pil")
    side = network.config.vision_config.patch_size * 4
    random = np.random.default_rng(0)
    noise = [random.integers(0, 256, (side, side, 3), dtype=np.uint8) for _ in range(3)]
    pictures = [Pillow.fromarray(pixels) for pixels in noise]
    with torch.inference_mode():
        inputs = plain(images=pictures, return_tensors="pt")
        vectors = network.get_image_features(**inputs).pooler_output
        expected = torch.nn.functional.normalize(vectors).numpy()
    with load_embedder(f"clip:{folder}", device="cpu") as embedder:
        found = embedder.embed_images([Image.from_pil(picture) for picture in pictures])
        assert embedder.embed_documents(["a cat"]).shape == (1, found.shape[1])

    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", ["clip", "siglip", "siglip2"])
def test_texts_need_no_preprocessing_of_pictures(
    kind: str, folders: dict[str, str], photos: list[Pillow.Image], tmp_path: Path
) -> None:
    """Where it cannot work, pictures are a typed error, and texts are embedded."""
    folder = changed(folders[kind], tmp_path / "model", do_normalize=True, image_mean=None)
    with (
        load_embedder(f"clip:{folders[kind]}", device="cpu") as whole,
        load_embedder(f"clip:{folder}", device="cpu") as embedder,
    ):
        np.testing.assert_allclose(
            embedder.embed_query("a cat"), whole.embed_query("a cat"), rtol=0, atol=1e-6
        )
        with pytest.raises(EmbedBridgeError, match="image_mean"):
            embedder.embed_images([Image.from_pil(photos[0])])
