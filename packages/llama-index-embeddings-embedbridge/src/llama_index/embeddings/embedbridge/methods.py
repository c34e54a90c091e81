"""LlamaIndex's methods: its words outside, the engine's inside."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from llama_index.core.base.embeddings.base import Embedding, dispatcher, mean_agg
from llama_index.core.embeddings import MultiModalEmbedding
from llama_index.core.schema import BaseNode, MetadataMode

from embedbridge.contract import Input, InvalidInputError, Role
from embedbridge.core import Embedder
from embedbridge.core.adapting import refuse_single
from llama_index.embeddings.embedbridge.events import announced
from llama_index.embeddings.embedbridge.images import ImageLike, MixedLike, to_images, to_mixed

TEXTS = "Generating embeddings"
IMAGES = "Generating image embeddings"
MIXED = "Generating mixed embeddings"


class EngineMethods(MultiModalEmbedding):
    """Every method of LlamaIndex's embedding models, sync and async, over one embedder.

    A job reaches the engine whole: it removes duplicates, reads the cache, plans batches by tokens
    and calls the model. Queries are embedded as queries, texts and images as documents.
    """

    def _engine(self) -> Embedder:
        # Not abstract: LlamaIndex records a span for each implementation of an abstract method.
        raise NotImplementedError

    # Queries.

    @dispatcher.span
    def get_query_embedding(self, query: str) -> Embedding:
        """Vector of a text that is searched for."""
        return self._run([query], "query")[0]

    @dispatcher.span
    async def aget_query_embedding(self, query: str) -> Embedding:
        """The async twin of `get_query_embedding`."""
        return (await self._arun([query], "query"))[0]

    @dispatcher.span
    def get_agg_embedding_from_queries(
        self, queries: Iterable[str], agg_fn: Callable[..., Embedding] | None = None
    ) -> Embedding:
        """One vector for several queries, which are embedded together; their mean by default.

        Raises:
            InvalidInputError: A query cannot be embedded; or there is none, and so no mean.
        """
        return (agg_fn or _mean)(self._run(_listed(queries), "query"))

    @dispatcher.span
    async def aget_agg_embedding_from_queries(
        self, queries: Iterable[str], agg_fn: Callable[..., Embedding] | None = None
    ) -> Embedding:
        """The async twin of `get_agg_embedding_from_queries`."""
        return (agg_fn or _mean)(await self._arun(await _alisted(queries), "query"))

    # Texts.

    @dispatcher.span
    def get_text_embedding(self, text: str) -> Embedding:
        """Vector of a text that is searched in."""
        return self._run([text], "document")[0]

    @dispatcher.span
    async def aget_text_embedding(self, text: str) -> Embedding:
        """The async twin of `get_text_embedding`."""
        return (await self._arun([text], "document"))[0]

    @dispatcher.span
    def get_text_embedding_batch(
        self, texts: Iterable[str], show_progress: bool = False, **kwargs: Any
    ) -> list[Embedding]:
        """Vectors of texts that are searched in, in their order.

        Args:
            texts: All of the job: planned as a whole. `embed_batch_size`, if it is set, is the most
                texts of one call to the model.
            show_progress: Show a bar.
            kwargs: Ignored, as in LlamaIndex.
        """
        return self._run(_listed(texts), "document", TEXTS if show_progress else None)

    @dispatcher.span
    async def aget_text_embedding_batch(
        self, texts: Iterable[str], show_progress: bool = False, **kwargs: Any
    ) -> list[Embedding]:
        """The async twin of `get_text_embedding_batch`."""
        bar = TEXTS if show_progress else None
        return await self._arun(await _alisted(texts), "document", bar)

    # Images.

    @dispatcher.span
    def get_image_embedding(self, img_file_path: ImageLike) -> Embedding:
        """Vector of an image.

        Args:
            img_file_path: A path or data URL, the bytes of an image file, a binary file object, a
                Pillow image, an image node or document, or an `Image`. URLs are fetched only if
                the model was made with `allow_urls`.

        Raises:
            InvalidImageError: It is no image, or one that is not taken.
            UnsupportedModalityError: The model embeds texts only.
        """
        return self._run(to_images([img_file_path]), "document")[0]

    @dispatcher.span
    async def aget_image_embedding(self, img_file_path: ImageLike) -> Embedding:
        """The async twin of `get_image_embedding`."""
        images = await asyncio.to_thread(to_images, [img_file_path])
        return (await self._arun(images, "document"))[0]

    @dispatcher.span
    def get_image_embedding_batch(
        self, img_file_paths: Iterable[ImageLike], show_progress: bool = False
    ) -> list[Embedding]:
        """Vectors of images, in their order.

        Args:
            img_file_paths: All of the job, as `get_image_embedding` takes them.
            show_progress: Show a bar.

        Raises:
            InvalidImageError: An image is bad; it names the position. With `errors="collect"` the
                others are embedded first, and `error.partial.vectors` holds what they gave.
        """
        bar = IMAGES if show_progress else None
        return self._run(to_images(img_file_paths), "document", bar)

    @dispatcher.span
    async def aget_image_embedding_batch(
        self, img_file_paths: Iterable[ImageLike], show_progress: bool = False
    ) -> list[Embedding]:
        """The async twin of `get_image_embedding_batch`."""
        bar = IMAGES if show_progress else None
        images = await asyncio.to_thread(to_images, img_file_paths)
        return await self._arun(images, "document", bar)

    # Texts and images that become one vector, for which LlamaIndex has no method.

    @dispatcher.span
    def get_mixed_embedding(self, mixed: MixedLike, role: Role = "document") -> Embedding:
        """One vector of texts and images together.

        Example:
            model.get_mixed_embedding(Mixed("A cat on a sofa:", Image.from_path("cat.png")))
            model.get_mixed_embedding(ImageNode(text="A cat on a sofa", image_path="cat.png"))

        Args:
            mixed: A `Mixed`, or an image node or document that has a text, too.
            role: Whether it is searched in or searched for.

        Raises:
            UnsupportedModalityError: The model embeds no such thing.
        """
        return self._run(to_mixed([mixed]), role)[0]

    @dispatcher.span
    async def aget_mixed_embedding(self, mixed: MixedLike, role: Role = "document") -> Embedding:
        """The async twin of `get_mixed_embedding`."""
        inputs = await asyncio.to_thread(to_mixed, [mixed])
        return (await self._arun(inputs, role))[0]

    @dispatcher.span
    def get_mixed_embedding_batch(
        self, mixed: Iterable[MixedLike], role: Role = "document", show_progress: bool = False
    ) -> list[Embedding]:
        """Vectors of mixed inputs, in their order."""
        return self._run(to_mixed(mixed), role, MIXED if show_progress else None)

    @dispatcher.span
    async def aget_mixed_embedding_batch(
        self, mixed: Iterable[MixedLike], role: Role = "document", show_progress: bool = False
    ) -> list[Embedding]:
        """The async twin of `get_mixed_embedding_batch`."""
        inputs = await asyncio.to_thread(to_mixed, mixed)
        return await self._arun(inputs, role, MIXED if show_progress else None)

    # Nodes, as a transformation of a pipeline, which may hand fewer on.

    def __call__(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        """The nodes with their vectors; with `on_empty="skip"`, without those that have no text."""
        return super().__call__(self._worth_embedding(nodes), **kwargs)

    async def acall(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        """The async twin of `__call__`."""
        return await super().acall(self._worth_embedding(nodes), **kwargs)

    def _worth_embedding(self, nodes: Sequence[BaseNode]) -> Sequence[BaseNode]:
        if self._engine().settings.on_empty != "skip":
            return nodes
        texts = (node.get_content(metadata_mode=MetadataMode.EMBED) for node in nodes)
        return [node for node, text in zip(nodes, texts, strict=True) if text.strip()]

    # One job.

    def _run(
        self, inputs: Sequence[Input], role: Role, progress: str | None = None
    ) -> list[Embedding]:
        with announced(self, inputs) as finish:
            vectors = self._embed(inputs, role, progress)
            finish(vectors)
        return vectors

    async def _arun(
        self, inputs: Sequence[Input], role: Role, progress: str | None = None
    ) -> list[Embedding]:
        with announced(self, inputs) as finish:
            vectors = await self._aembed(inputs, role, progress)
            finish(vectors)
        return vectors

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

    # What LlamaIndex's other models implement, for code that calls it: the same without events.

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
        return self._embed(to_images([img_file_path]), "document")[0]

    async def _aget_image_embedding(self, img_file_path: ImageLike) -> Embedding:
        images = await asyncio.to_thread(to_images, [img_file_path])
        return (await self._aembed(images, "document"))[0]

    def _get_image_embeddings(self, img_file_paths: Iterable[ImageLike]) -> list[Embedding]:
        return self._embed(to_images(img_file_paths), "document")

    async def _aget_image_embeddings(self, img_file_paths: Iterable[ImageLike]) -> list[Embedding]:
        images = await asyncio.to_thread(to_images, img_file_paths)
        return await self._aembed(images, "document")

    # LlamaIndex's would key by the bare text, and charge the limiter a second time.

    def _get_text_embeddings_cached(self, texts: Iterable[str]) -> list[Embedding]:
        return self._embed(texts, "document")

    async def _aget_text_embeddings_cached(self, texts: Iterable[str]) -> list[Embedding]:
        return await self._aembed(texts, "document")

    async def _aget_text_embeddings_rate_limited(self, texts: Iterable[str]) -> list[Embedding]:
        return await self._aembed(texts, "document")


def _listed(texts: Iterable[str]) -> list[Any]:
    """The texts of a job, which are looked at more than once; a generator cannot be."""
    refuse_single(texts)
    return list(texts)


async def _alisted(texts: Iterable[str]) -> list[Any]:
    """The same; what is no list yet is read in a thread, as the engine reads it."""
    return (
        _listed(texts)
        if isinstance(texts, list | tuple)
        else await asyncio.to_thread(_listed, texts)
    )


def _mean(vectors: list[Embedding]) -> Embedding:
    """LlamaIndex's mean; that of nothing was NaN before its 0.14.13, and is an error here."""
    if not vectors:
        raise InvalidInputError("No embeddings to aggregate.", hint="Pass at least one query.")
    return mean_agg(vectors)
