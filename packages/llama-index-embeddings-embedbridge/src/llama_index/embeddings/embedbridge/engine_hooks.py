"""LlamaIndex's hooks, which its other models implement and a subclass may override, over one embedder."""

from __future__ import annotations

from collections.abc import Iterable

from llama_index.core.base.embeddings.base import Embedding
from llama_index.core.embeddings import MultiModalEmbedding

from embedbridge.contract import Image, Input, Mixed, Role
from embedbridge.core import Embedder
from embedbridge.core.adapting import in_new_thread
from llama_index.embeddings.embedbridge.images import ImageLike, MixedLike, to_images, to_mixed


class EngineHooks(MultiModalEmbedding):
    """Every hook of LlamaIndex's embedding models, sync and async: the engine's vectors, without events."""

    def _engine(self) -> Embedder:
        # Not abstract: LlamaIndex records a span for each implementation of an abstract method.
        raise NotImplementedError

    def _embed(
        self, inputs: Iterable[Input], role: Role, progress: str | None = None
    ) -> list[Embedding]:
        result = self._engine_for_lists().embed(inputs, role=role, show_progress=progress)
        return result.complete().tolist()

    async def _aembed(
        self, inputs: Iterable[Input], role: Role, progress: str | None = None
    ) -> list[Embedding]:
        result = await self._engine_for_lists().aembed(inputs, role=role, show_progress=progress)
        return await result.complete().atolist()

    def _engine_for_lists(self) -> Embedder:
        """The engine of methods that owe a vector for each input: there, nothing can be skipped."""
        engine = self._engine()
        # Refused with its position before anything is sent, instead of after the rest was paid for.
        return engine.using(on_empty="error") if engine.settings.on_empty == "skip" else engine

    def _to_images(self, values: Iterable[ImageLike]) -> list[Image]:
        return to_images(values, self._engine().settings.errors)

    def _to_mixed(self, values: Iterable[MixedLike]) -> list[Mixed]:
        return to_mixed(values, self._engine().settings.errors)

    # For one input, and for several.

    def _get_query_embedding(self, query: str) -> Embedding:
        return self._embed([query], "query")[0]

    async def _aget_query_embedding(self, query: str) -> Embedding:
        return (await self._aembed([query], "query"))[0]

    def _get_text_embedding(self, text: str) -> Embedding:
        return self._embed([text], "document")[0]

    async def _aget_text_embedding(self, text: str) -> Embedding:
        return (await self._aembed([text], "document"))[0]

    def _get_text_embeddings(self, texts: Iterable[str]) -> list[Embedding]:
        return self._embed(texts, "document")

    async def _aget_text_embeddings(self, texts: Iterable[str]) -> list[Embedding]:
        return await self._aembed(texts, "document")

    def _get_image_embedding(self, img_file_path: ImageLike) -> Embedding:
        return self._embed(self._to_images([img_file_path]), "document")[0]

    async def _aget_image_embedding(self, img_file_path: ImageLike) -> Embedding:
        images = await in_new_thread(self._to_images, [img_file_path])
        return (await self._aembed(images, "document"))[0]

    def _get_image_embeddings(self, img_file_paths: Iterable[ImageLike]) -> list[Embedding]:
        return self._embed(self._to_images(img_file_paths), "document")

    async def _aget_image_embeddings(self, img_file_paths: Iterable[ImageLike]) -> list[Embedding]:
        images = await in_new_thread(self._to_images, img_file_paths)
        return await self._aembed(images, "document")

    # LlamaIndex's would key by the bare text, and charge the limiter a second time.

    def _get_text_embeddings_cached(self, texts: Iterable[str]) -> list[Embedding]:
        return self._get_text_embeddings(texts)

    async def _aget_text_embeddings_cached(self, texts: Iterable[str]) -> list[Embedding]:
        return await self._aget_text_embeddings(texts)

    async def _aget_text_embeddings_rate_limited(self, texts: Iterable[str]) -> list[Embedding]:
        return await self._aget_text_embeddings(texts)
