"""A static model: request in, vectors out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from embedbridge.contract.batch import Batch, BatchResult, Prepared
from embedbridge.contract.local import LazyModel, memory_errors
from embedbridge.contract.options import ModelOptions
from embedbridge.contract.vocabulary import Role
from embedbridge.providers.static._loaded import Loaded, load
from embedbridge.providers.static.options import StaticOptions


class StaticModel(LazyModel[Loaded]):
    """One vector per token and no network: the vector of a text is the mean of its tokens.

    Example:
        with Embedder(StaticModel("minishlab/potion-base-8M")) as embedder:
            query = embedder.embed_query("Where do penguins live?")

    Args:
        name: A folder such as `"./my-model"`, or a Hub id.
        options: See `StaticOptions`.
    """

    provider: ClassVar[str] = "static"
    Options: ClassVar[type[ModelOptions]] = StaticOptions
    options: StaticOptions
    not_in_weights: ClassVar[frozenset[str]] = LazyModel.not_in_weights | {
        "document_prompt",
        "normalize",
        "query_prompt",
    }

    def _open(self) -> Loaded:
        return load(self.name, self.place, self.options)

    def embed_batch(self, batch: Batch) -> BatchResult:
        """Embed texts in one pass.

        Raises:
            RequestTooLargeError: There is too little memory for so many of them.
        """
        loaded = self._load()
        with memory_errors(batch, loaded.device):
            return BatchResult(vectors=loaded.encode(batch))

    def prepare(self, texts: Sequence[str], *, role: Role, prompt: str) -> Prepared:
        """Tokenise texts, once for the plan and the model; queries and documents are read alike."""
        return self._load().tokens.prepare(texts)

    def count_tokens(self, texts: Sequence[str]) -> Sequence[int]:
        """Tokens of each text, nothing cut."""
        return self.prepare(texts, role="document", prompt="").counts
