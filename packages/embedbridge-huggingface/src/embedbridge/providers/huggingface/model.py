"""A model of the Hugging Face Hub, or of a local folder: request in, vectors out."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from typing import ClassVar

from embedbridge.contract.batch import Batch, BatchResult
from embedbridge.contract.card import ModelCard
from embedbridge.contract.model import LocalEmbeddingModel
from embedbridge.contract.options import ModelOptions
from embedbridge.providers.huggingface._loaded import Loaded, load
from embedbridge.providers.huggingface._memory import memory_errors
from embedbridge.providers.huggingface.options import HuggingFaceOptions

# One at a time in the whole process: transformers changes torch's default dtype while it loads.
_loading = threading.Lock()


class HuggingFaceModel(LocalEmbeddingModel):
    """Any sentence-transformers model: the same vectors, with its own prompts.

    It is loaded when it is first used, not when it is made.

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

    def __init__(self, name: str, **options: object) -> None:
        super().__init__(name, **options)
        self._loaded: Loaded | None = None

    def embed_batch(self, batch: Batch) -> BatchResult:
        """Embed texts, images or mixed inputs in one forward pass.

        Raises:
            EmbedBridgeError: The device has too little memory for them.
        """
        loaded = self._load()
        with memory_errors(batch, loaded.device):
            return BatchResult(vectors=loaded.encode(batch))

    @property
    def card(self) -> ModelCard:
        """What the model can do, as its files say."""
        return self._load().card

    def count_tokens(self, texts: Sequence[str]) -> Sequence[int] | None:
        """Tokens of each text, special ones included and nothing cut."""
        counter = self._load().counter
        return None if counter is None else counter.count(texts)

    def identity(self) -> Mapping[str, object]:
        """Which weights these are, and every option that changes a vector; never the device."""
        return {**self.options.identity(), **self._load().identity}

    def close(self) -> None:
        """Stop worker processes and give the weights' memory back."""
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
