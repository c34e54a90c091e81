"""`EmbedBridgeEmbeddings`: an embedder, in the words of LangChain.

No `from __future__ import annotations` here: a chain takes the schema of its input from the
annotation of a step's parameter, and LangChain does not resolve one that is text.
"""

import asyncio
import copy
from collections.abc import Iterable, Mapping
from typing import Any, Self

from langchain_core.embeddings import Embeddings
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, model_serializer

from embedbridge.contract import (
    ConfigurationError,
    EmbeddingModel,
    Input,
    InvalidOptionError,
    Role,
)
from embedbridge.contract.errors import short_repr
from embedbridge.core import Embedder, load_embedder
from embedbridge.core.adapting import (
    ImageLike,
    add_async_twins,
    as_images,
    deepcopy_adapter,
    update_fields,
)


class EmbedBridgeEmbeddings(BaseModel, Embeddings):
    """Embeddings of any provider, with the model's own prompts for queries and documents.

    A whole job goes to the engine at once, which plans it into batches; nothing is sliced here.
    A subclass may override sync methods only, as in LangChain: the async ones then run them.

    Example:
        embeddings = EmbedBridgeEmbeddings(model="huggingface:BAAI/bge-small-en-v1.5")
        store = InMemoryVectorStore(embeddings)
        store.add_texts(["one text", "another"])
        store.similarity_search("which text?")

    Args:
        model: `"provider:model"`.
        embedder: Instead of a name: an `Embedder`, a model, or what `Embedder.to_config()` gave.
        show_progress: A progress bar for documents and images; `None` leaves it to the settings.
        options: Fields of the model's `Options` and of `embedbridge.core.Settings`; beside an
            `embedder`, of `Settings` only.

    Raises:
        UnknownProviderError: No installed package announces the provider.
        InvalidOptionError: Neither the model nor the engine takes an option of that name; or
            `on_empty` is `"skip"`, for which LangChain's lists have no place.
        ConfigurationError: Neither `model` nor a usable `embedder` is given, or both are.
    """

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, validate_assignment=True)

    model: str = Field(frozen=True)
    """`"provider:model"`."""
    show_progress: bool | None = None
    """Whether to show a progress bar (takes tqdm)."""
    _embedder: Embedder = PrivateAttr()

    def __init__(
        self,
        model: str | None = None,
        *,
        embedder: Embedder | EmbeddingModel | Mapping[str, Any] | None = None,
        show_progress: bool | None = None,
        **options: Any,
    ) -> None:
        added = {name: options.pop(name) for name in self._added_fields() & options.keys()}
        held = _load(model, embedder, options)
        name = f"{held.model.provider}:{held.model.name}"
        super().__init__(model=name, show_progress=show_progress, **added)
        self._embedder = held

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        add_async_twins(cls, EmbedBridgeEmbeddings)

    @classmethod
    def _added_fields(cls) -> set[str]:
        """Fields of a subclass, which are no options of the model."""
        return cls.model_fields.keys() - EmbedBridgeEmbeddings.model_fields.keys()

    @property
    def embedder(self) -> Embedder:
        """The engine and the model behind it, for all that LangChain has no words for."""
        return self._embedder

    # Texts.

    def embed_documents(self, texts: Iterable[str]) -> list[list[float]]:
        """Vectors of texts that are searched in, one list of floats per text.

        Raises:
            InvalidInputError: A text cannot be embedded; it names the position. A single `str`
                is refused too.
            EmbedBridgeError: The model failed.
        """
        return self.embed_content(texts)

    async def aembed_documents(self, texts: Iterable[str]) -> list[list[float]]:
        """The async twin of `embed_documents`; the event loop is free meanwhile."""
        return await self.aembed_content(texts)

    def embed_query(self, text: str) -> list[float]:
        """Vector of a text that is searched for."""
        vector: list[float] = self._embedder.embed_query(text).tolist()
        return vector

    async def aembed_query(self, text: str) -> list[float]:
        """The async twin of `embed_query`."""
        vector: list[float] = (await self._embedder.aembed_query(text)).tolist()
        return vector

    # Images.

    def embed_images(self, images: Iterable[ImageLike]) -> list[list[float]]:
        """Vectors of images, comparable with those of texts if the model has one space for both.

        Args:
            images: Paths, data URLs, bytes of image files, binary file objects, Pillow images or
                `Image`s. URLs are fetched only if `allow_urls` was set.

        Raises:
            InvalidImageError: An image cannot be read; it names the position. With
                `errors="collect"` the others are embedded first, and `error.partial.vectors` holds
                what they gave.
            UnsupportedModalityError: The model embeds texts only.
        """
        return self.embed_content(as_images(images))

    async def aembed_images(self, images: Iterable[ImageLike]) -> list[list[float]]:
        """The async twin of `embed_images`."""
        return await self.aembed_content(await asyncio.to_thread(as_images, images))

    def embed_image(self, uris: Iterable[ImageLike]) -> list[list[float]]:
        """The same as `embed_images`, under the name that LangChain's multimodal stores call."""
        return self.embed_images(uris)

    async def aembed_image(self, uris: Iterable[ImageLike]) -> list[list[float]]:
        """The async twin of `embed_image`."""
        return await self.aembed_images(uris)

    # Texts, images, and texts with images that become one vector.

    def embed_content(
        self, contents: Iterable[Input], role: Role = "document"
    ) -> list[list[float]]:
        """Vectors of any inputs, one list of floats for each.

        Example:
            embeddings.embed_content(
                ["a cat", Image.from_path("cat.png"), Mixed("A cat:", Image.from_path("cat.png"))]
            )

        Args:
            contents: `Text`s, `Image`s and `Mixed`s; a `str` is a text here, never a path.
            role: Whether they are searched in or searched for.

        Raises:
            InvalidInputError: An input cannot be embedded; it names the position.
            UnsupportedModalityError: The model embeds no such thing.
        """
        result = self._embedder.embed(contents, role=role, show_progress=self.show_progress)
        return result.complete().tolist()

    async def aembed_content(
        self, contents: Iterable[Input], role: Role = "document"
    ) -> list[list[float]]:
        """The async twin of `embed_content`."""
        result = await self._embedder.aembed(contents, role=role, show_progress=self.show_progress)
        return await result.complete().atolist()

    # Itself.

    @model_serializer
    def _configuration(self) -> dict[str, Any]:
        """What the constructor takes to make it again; secrets come from the environment."""
        config = self._embedder.to_config()
        arguments = {"model": config["model"], **config["options"], **config["settings"]}
        if "cache" in config:
            arguments["cache"] = config["cache"]
        if self.show_progress is not None:
            arguments["show_progress"] = self.show_progress
        for name in self._added_fields() & self.model_fields_set:
            arguments[name] = getattr(self, name)
        return arguments

    def __embedbridge__(self) -> Embedder:
        # What the bridge of core asks an adapter of ours for.
        return self._embedder

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        return deepcopy_adapter(self, EmbedBridgeEmbeddings, memo)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with other fields, or other settings of the engine.

        Example:
            careful = embeddings.model_copy(update={"on_too_long": "error", "batch_size": 8})

        Args:
            update: Fields, and whatever `Embedder.using` takes. The model stays the same.
            deep: Whether to copy what a subclass keeps.

        Raises:
            InvalidOptionError: It names another model, an option of the model, or nothing known.
        """
        changes = dict(update or {})
        fields = {name: changes.pop(name) for name in type(self).model_fields & changes.keys()}
        name = fields.pop("model", self.model)
        if name != self.model:
            raise InvalidOptionError(
                f"A copy of embeddings of {self.model!r} cannot be of {short_repr(name)}.",
                hint="Make others: EmbedBridgeEmbeddings(model='provider:model').",
            )
        held = _load(None, self._embedder, changes)
        twin = copy.deepcopy(self) if deep else self.__copy__()
        update_fields(twin, EmbedBridgeEmbeddings, fields)
        twin._embedder = held  # noqa: SLF001  # of our own class
        return twin


def _load(
    model: str | None,
    embedder: Embedder | EmbeddingModel | Mapping[str, Any] | None,
    options: dict[str, Any],
) -> Embedder:
    """The embedder that the constructor's arguments stand for."""
    given = [one for one in (model, embedder) if one is not None]
    if len(given) != 1:
        raise ConfigurationError(
            "EmbedBridgeEmbeddings takes a model's name, or an embedder, and not both.",
            hint="Write model='provider:model' or embedder=load_embedder(…).",
        )
    held = load_embedder(given[0], **options)
    if held.settings.on_empty == "skip":
        raise InvalidOptionError(
            'on_empty="skip" cannot be: LangChain wants a vector for each text.',
            hint='Leave empty documents out before they are added, or set on_empty="embed".',
        )
    return held
