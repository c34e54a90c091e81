"""A model as an ONNX file: request in, vectors out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from embedbridge.contract.batch import Batch, BatchResult, Prepared
from embedbridge.contract.local import LazyModel, manifest_path, memory_errors
from embedbridge.contract.options import ModelOptions
from embedbridge.contract.usage import Usage
from embedbridge.contract.vocabulary import Role
from embedbridge.providers.onnx._loaded import Loaded, load
from embedbridge.providers.onnx._source import find_source
from embedbridge.providers.onnx.options import OnnxOptions, check_backend

if TYPE_CHECKING:
    from embedbridge.providers.onnx._towers import LoadedTowers


class OnnxModel(LazyModel["Loaded | LoadedTowers"]):
    """Any sentence-transformers model or CLIP with an ONNX export: the same vectors, without torch.

    One comes with this package.

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
    not_in_weights: ClassVar[frozenset[str]] = LazyModel.not_in_weights | {
        "document_prompt",
        "query_prompt",
    }

    def __init__(self, name: str, **options: object) -> None:
        super().__init__(name, **options)
        check_backend(self.options)

    def _open(self) -> Loaded | LoadedTowers:
        source = find_source(self.name, self.place, self.options)
        if manifest_path(source.folder).is_file():
            from embedbridge.providers.onnx._towers import load_towers  # late: most are texts

            return load_towers(self.name, source, self.options)
        return load(self.name, source, self.options)

    def embed_batch(self, batch: Batch) -> BatchResult:
        """Embed texts or images in one pass.

        Raises:
            RequestTooLargeError: There is too little memory for so many of them.
            EmbedBridgeError: There is too little for a single one.
        """
        loaded = self._load()
        with memory_errors(batch, loaded.device):
            usage = Usage(images=len(batch.images)) if batch.images else None
            return BatchResult(vectors=loaded.encode(batch), usage=usage)

    def prepare(self, texts: Sequence[str], *, role: Role, prompt: str) -> Prepared:
        """Tokenise texts, once for the plan and the model; queries and documents are read alike."""
        return self._load().tokens.prepare(texts)

    def count_tokens(self, texts: Sequence[str]) -> Sequence[int]:
        """Tokens of each text, special ones included and nothing cut."""
        return self._load().tokens.count(texts)
