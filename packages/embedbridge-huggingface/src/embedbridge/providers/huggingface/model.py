"""A model of the Hugging Face Hub, or of a local folder: request in, vectors out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from embedbridge.contract.batch import Batch, BatchResult, Prepared
from embedbridge.contract.local import LazyModel, memory_errors
from embedbridge.contract.options import ModelOptions
from embedbridge.contract.vocabulary import Role
from embedbridge.providers.huggingface._loaded import Loaded, load
from embedbridge.providers.huggingface.options import HuggingFaceOptions


class HuggingFaceModel(LazyModel[Loaded]):
    """Any sentence-transformers model: the same vectors, with its own prompts.

    Example:
        model = HuggingFaceModel("BAAI/bge-small-en-v1.5", device="cpu")
        with Embedder(model) as embedder:
            query = embedder.embed_query("Where do penguins live?")

    Args:
        name: A Hub id such as `"BAAI/bge-small-en-v1.5"`, or a folder such as `"./my-model"`.
        options: See `HuggingFaceOptions`.
    """

    provider: ClassVar[str] = "huggingface"
    Options: ClassVar[type[ModelOptions]] = HuggingFaceOptions
    options: HuggingFaceOptions

    def _open(self) -> Loaded:
        return load(self.name, self.place, self.options)

    def embed_batch(self, batch: Batch) -> BatchResult:
        """Embed texts, images or mixed inputs in one forward pass.

        Raises:
            RequestTooLargeError: The device has too little memory for so many of them.
            EmbedBridgeError: It has too little for a single one.
        """
        loaded = self._load()
        with memory_errors(batch, loaded.device):
            return BatchResult(vectors=loaded.encode(batch))

    def prepare(self, texts: Sequence[str], *, role: Role, prompt: str) -> Prepared | None:
        """Tokenise texts, once for the plan and the model; `None` without a tokenizer in Rust."""
        return self._load().features[role].prepare(texts, prompt)

    def count_tokens(self, texts: Sequence[str]) -> Sequence[int] | None:
        """Tokens of each text, special ones included and nothing cut."""
        return self._load().features["document"].count(texts)
