"""LlamaIndex's methods: its words outside, the engine's inside.

No `from __future__ import annotations` here: a `FunctionTool` takes its schema from these
annotations, and LlamaIndex does not resolve one that is text.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from llama_index.core.base.embeddings.base import Embedding, dispatcher, mean_agg
from llama_index.core.schema import BaseNode, MetadataMode

from embedbridge.contract import InvalidInputError, Role
from embedbridge.core.adapting import in_new_thread
from llama_index.embeddings.embedbridge.images import ImageLike, MixedLike
from llama_index.embeddings.embedbridge.jobs import EngineJobs, alisted, listed
from llama_index.embeddings.embedbridge.overriding import follow_overridden

TEXTS = "Generating embeddings"
IMAGES = "Generating image embeddings"
MIXED = "Generating mixed embeddings"


class EngineMethods(EngineJobs):
    """Every method of LlamaIndex's embedding models, sync and async, over one embedder.

    A job reaches the engine whole: it removes duplicates, reads the cache, plans batches by tokens
    and calls the model. Queries are embedded as queries, texts and images as documents.
    """

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        cls._overridden = follow_overridden(cls, EngineMethods)

    # Queries.

    @dispatcher.span
    def get_query_embedding(self, query: str) -> Embedding:
        """Vector of a text that is searched for."""
        return self._run([query], "query", "_get_query_embedding")[0]

    @dispatcher.span
    async def aget_query_embedding(self, query: str) -> Embedding:
        """The async twin of `get_query_embedding`."""
        return (await self._arun([query], "query", "_aget_query_embedding"))[0]

    @dispatcher.span
    def get_agg_embedding_from_queries(
        self, queries: Iterable[str], agg_fn: Callable[..., Embedding] | None = None
    ) -> Embedding:
        """One vector for several queries, which are embedded together; their mean by default.

        Raises:
            InvalidInputError: A query cannot be embedded; or there is none, and so no mean.
        """
        asked = listed(queries)
        if "get_agg_embedding_from_queries" in self._overridden:
            vectors = [self.get_query_embedding(query) for query in asked]
        else:
            vectors = self._run(asked, "query", None)
        return (agg_fn or _mean)(vectors)

    @dispatcher.span
    async def aget_agg_embedding_from_queries(
        self, queries: Iterable[str], agg_fn: Callable[..., Embedding] | None = None
    ) -> Embedding:
        """The async twin of `get_agg_embedding_from_queries`."""
        asked = await alisted(queries)
        if "aget_agg_embedding_from_queries" in self._overridden:
            vectors = [await self.aget_query_embedding(query) for query in asked]
        else:
            vectors = await self._arun(asked, "query", None)
        return (agg_fn or _mean)(vectors)

    # Texts.

    @dispatcher.span
    def get_text_embedding(self, text: str) -> Embedding:
        """Vector of a text that is searched in."""
        return self._run([text], "document", "_get_text_embedding")[0]

    @dispatcher.span
    async def aget_text_embedding(self, text: str) -> Embedding:
        """The async twin of `get_text_embedding`."""
        return (await self._arun([text], "document", "_aget_text_embedding"))[0]

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
        bar = TEXTS if show_progress else None
        return self._run(listed(texts), "document", "_get_text_embeddings", bar)

    @dispatcher.span
    async def aget_text_embedding_batch(
        self, texts: Iterable[str], show_progress: bool = False, **kwargs: Any
    ) -> list[Embedding]:
        """The async twin of `get_text_embedding_batch`."""
        bar = TEXTS if show_progress else None
        return await self._arun(await alisted(texts), "document", "_aget_text_embeddings", bar)

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
        return self._run_images([img_file_path], "_get_image_embedding")[0]

    @dispatcher.span
    async def aget_image_embedding(self, img_file_path: ImageLike) -> Embedding:
        """The async twin of `get_image_embedding`."""
        return (await self._arun_images([img_file_path], "_aget_image_embedding"))[0]

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
        return self._run_images(img_file_paths, "_get_image_embeddings", bar)

    @dispatcher.span
    async def aget_image_embedding_batch(
        self, img_file_paths: Iterable[ImageLike], show_progress: bool = False
    ) -> list[Embedding]:
        """The async twin of `get_image_embedding_batch`."""
        bar = IMAGES if show_progress else None
        return await self._arun_images(img_file_paths, "_aget_image_embeddings", bar)

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
        return self._run(self._to_mixed([mixed]), role, None)[0]

    @dispatcher.span
    async def aget_mixed_embedding(self, mixed: MixedLike, role: Role = "document") -> Embedding:
        """The async twin of `get_mixed_embedding`."""
        inputs = await in_new_thread(self._to_mixed, [mixed])
        return (await self._arun(inputs, role, None))[0]

    @dispatcher.span
    def get_mixed_embedding_batch(
        self, mixed: Iterable[MixedLike], role: Role = "document", show_progress: bool = False
    ) -> list[Embedding]:
        """Vectors of mixed inputs, in their order; with `errors="collect"` as of images."""
        return self._run(self._to_mixed(mixed), role, None, MIXED if show_progress else None)

    @dispatcher.span
    async def aget_mixed_embedding_batch(
        self, mixed: Iterable[MixedLike], role: Role = "document", show_progress: bool = False
    ) -> list[Embedding]:
        """The async twin of `get_mixed_embedding_batch`."""
        inputs = await in_new_thread(self._to_mixed, mixed)
        return await self._arun(inputs, role, None, MIXED if show_progress else None)

    # Nodes, as a transformation of a pipeline, which may hand fewer on.

    def __call__(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        """The nodes with their vectors; with `on_empty="skip"`, without those that have no text."""
        # Not by `super()`: LlamaIndex records a span for each `__call__`.
        kept, texts = self._worth_embedding(nodes)
        return _with_vectors(kept, self.get_text_embedding_batch(texts, **kwargs))

    async def acall(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        """The async twin of `__call__`."""
        kept, texts = self._worth_embedding(nodes)
        return _with_vectors(kept, await self.aget_text_embedding_batch(texts, **kwargs))

    def _worth_embedding(self, nodes: Sequence[BaseNode]) -> tuple[Sequence[BaseNode], list[str]]:
        texts = [node.get_content(metadata_mode=MetadataMode.EMBED) for node in nodes]
        if self._engine().settings.on_empty != "skip":
            return nodes, texts
        kept = [node for node, text in zip(nodes, texts, strict=True) if text.strip()]
        return kept, [text for text in texts if text.strip()]


def _with_vectors(nodes: Sequence[BaseNode], vectors: Sequence[Embedding]) -> Sequence[BaseNode]:
    for node, vector in zip(nodes, vectors, strict=True):
        node.embedding = vector
    return nodes


def _mean(vectors: list[Embedding]) -> Embedding:
    """LlamaIndex's mean; that of nothing was NaN before its 0.14.13, and is an error here."""
    if not vectors:
        raise InvalidInputError("No embeddings to aggregate.", hint="Pass at least one query.")
    return mean_agg(vectors)
