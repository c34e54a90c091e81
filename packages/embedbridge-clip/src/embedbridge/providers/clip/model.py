"""A CLIP of the Hugging Face Hub, or of a local folder: texts and images in, vectors out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from embedbridge.contract.batch import Batch, BatchResult, Prepared
from embedbridge.contract.local import LazyModel, memory_errors
from embedbridge.contract.options import ModelOptions
from embedbridge.contract.usage import Usage
from embedbridge.contract.vocabulary import Role
from embedbridge.providers.clip._loaded import Loaded, load
from embedbridge.providers.clip.options import CLIPOptions


class CLIPModel(LazyModel[Loaded]):
    """CLIP, SigLIP or one of their kin: a text lies near the images that it describes.

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

    def _open(self) -> Loaded:
        return load(self.name, self.place, self.options)

    def embed_batch(self, batch: Batch) -> BatchResult:
        """Embed texts or images together.

        Raises:
            RequestTooLargeError: The device has too little memory for so many of them.
            EmbedBridgeError: It has too little for a single one.
        """
        loaded = self._load()
        with memory_errors(batch, loaded.device):
            if batch.modality == "image":
                images = batch.images
                vectors = loaded.embed_images(images)
                return BatchResult(vectors=vectors, usage=Usage(images=len(images)))
            return BatchResult(vectors=loaded.embed_texts(batch))

    def prepare(self, texts: Sequence[str], *, role: Role, prompt: str) -> Prepared:
        """Tokenise texts, once for the plan and the tower; queries and documents are read alike."""
        return self._load().texts.prepare(texts)

    def count_tokens(self, texts: Sequence[str]) -> Sequence[int]:
        """Tokens of each text, special ones included and nothing cut."""
        return self._load().texts.count(texts)
