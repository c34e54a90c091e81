"""A CLIP of the Hugging Face Hub, or of a local folder: texts and images in, vectors out."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from typing import ClassVar

from embedbridge.contract.batch import Batch, BatchResult, Usage
from embedbridge.contract.card import ModelCard
from embedbridge.contract.model import LocalEmbeddingModel
from embedbridge.contract.options import ModelOptions
from embedbridge.providers.clip._loaded import Loaded, load
from embedbridge.providers.clip._memory import memory_errors
from embedbridge.providers.clip.options import CLIPOptions

# One at a time in the whole process: transformers changes torch's default dtype while it loads.
_loading = threading.Lock()


class CLIPModel(LocalEmbeddingModel):
    """CLIP, SigLIP or one of their kin: a text lies near the images that it describes.

    It is loaded when it is first used, not when it is made.

    Example:
        model = CLIPModel("ViT-B/32", device="cpu")
        with Embedder(model) as embedder:
            images = embedder.embed_images([Image.from_path("cat.jpg")])
            scores = images @ embedder.embed_query("a photo of a cat")

    Args:
        name: One of OpenAI's short names such as `"ViT-B/32"`, a Hub id such as
            `"google/siglip2-base-patch16-224"`, or a folder such as `"./my-model"`.
        options: See `CLIPOptions`.
    """

    provider: ClassVar[str] = "clip"
    Options: ClassVar[type[ModelOptions]] = CLIPOptions
    options: CLIPOptions

    def __init__(self, name: str, **options: object) -> None:
        super().__init__(name, **options)
        self._loaded: Loaded | None = None

    def embed_batch(self, batch: Batch) -> BatchResult:
        """Embed texts or images together.

        Raises:
            RequestTooLargeError: The device has too little memory for them.
        """
        loaded = self._load()
        with memory_errors(batch, loaded.device):
            if batch.modality == "image":
                images = batch.images
                vectors = loaded.embed_images(images)
                return BatchResult(vectors=vectors, usage=Usage(images=len(images)))
            return BatchResult(vectors=loaded.embed_texts(batch.texts))

    @property
    def card(self) -> ModelCard:
        """What the model can do, as its files say."""
        return self._load().card

    def count_tokens(self, texts: Sequence[str]) -> Sequence[int]:
        """Tokens of each text, special ones included and nothing cut."""
        return self._load().counter.count(texts)

    def identity(self) -> Mapping[str, object]:
        """Which weights these are, and every option that changes a vector; never the device."""
        return {**self.options.identity(), **self._load().identity}

    def close(self) -> None:
        """Give the weights' memory back."""
        with _loading:
            loaded, self._loaded = self._loaded, None
        if loaded is not None:
            loaded.close()
            on_cuda = loaded.device.startswith("cuda")
            del loaded
            if on_cuda:
                import torch

                torch.cuda.empty_cache()

    def _load(self) -> Loaded:
        loaded = self._loaded
        if loaded is None:
            with _loading:
                if self._loaded is None:
                    self._loaded = load(self.name, self.options)
                loaded = self._loaded
        return loaded


def _after_fork_in_child() -> None:
    global _loading  # noqa: PLW0603
    _loading = threading.Lock()  # a thread of the parent may have held it


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
