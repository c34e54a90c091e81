"""A model as an ONNX file: request in, vectors out."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Mapping, Sequence
from typing import ClassVar

from embedbridge.contract.batch import Batch, BatchResult
from embedbridge.contract.card import ModelCard
from embedbridge.contract.model import LocalEmbeddingModel
from embedbridge.contract.options import ModelOptions
from embedbridge.providers.onnx._loaded import Loaded, load
from embedbridge.providers.onnx.options import OnnxOptions, check_backend

_models: weakref.WeakSet[OnnxModel] = weakref.WeakSet()
_parents: list[Loaded] = []
"""Sessions of the process that was forked. Nobody may end them: their threads are not here."""


class OnnxModel(LocalEmbeddingModel):
    """Any sentence-transformers model with an ONNX export: the same vectors, without torch.

    It is loaded when it is first used, not when it is made. One comes with this package.

    Example:
        with Embedder(OnnxModel("all-MiniLM-L6-v2")) as embedder:
            query = embedder.embed_query("Where do penguins live?")

    Args:
        name: `"all-MiniLM-L6-v2"` for the one that is included, a folder such as `"./my-model"`,
            or a Hub id such as `"BAAI/bge-small-en-v1.5"`.
        options: See `OnnxOptions`.
    """

    provider: ClassVar[str] = "onnx"
    Options: ClassVar[type[ModelOptions]] = OnnxOptions
    options: OnnxOptions

    def __init__(self, name: str, **options: object) -> None:
        super().__init__(name, **options)
        check_backend(self.options)
        self._loaded: Loaded | None = None
        self._loading = threading.Lock()
        _models.add(self)

    def embed_batch(self, batch: Batch) -> BatchResult:
        """Embed texts in one pass.

        Raises:
            EmbedBridgeError: There is too little memory for them.
        """
        return BatchResult(vectors=self._load().encode(batch.texts, batch.prompt))

    @property
    def card(self) -> ModelCard:
        """What the model can do, as its files say."""
        return self._load().card

    def count_tokens(self, texts: Sequence[str]) -> Sequence[int]:
        """Tokens of each text, special ones included and nothing cut."""
        return self._load().tokens.count(texts)

    def identity(self) -> Mapping[str, object]:
        """Which weights these are, and every option that changes a vector; never the device."""
        return {**self.options.identity(), **self._load().identity}

    def close(self) -> None:
        """Give the memory back."""
        self._loaded = None

    def after_fork(self) -> None:
        """Forget a session whose threads did not come along; the next call loads another one."""
        self._loading = threading.Lock()
        if self._loaded is not None:
            _parents.append(self._loaded)
            self._loaded = None

    def _load(self) -> Loaded:
        loaded = self._loaded
        if loaded is None:
            with self._loading:
                if self._loaded is None:
                    self._loaded = load(self.name, self.options)
                loaded = self._loaded
        return loaded


def _after_fork_in_child() -> None:
    for model in list(_models):
        model.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
