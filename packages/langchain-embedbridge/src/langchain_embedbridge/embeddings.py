"""`EmbedBridgeEmbeddings`: an embedder, in the words of LangChain.

No `from __future__ import annotations` here: a chain takes the schema of its input from the
annotation of a step's parameter, and LangChain does not resolve one that is text.
"""

import copy
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Self

from langchain_core.embeddings import Embeddings
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    InstanceOf,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)
from pydantic.functional_validators import ModelWrapValidatorHandler
from pydantic.json_schema import SkipJsonSchema

from embedbridge.contract import (
    ConfigurationError,
    EmbeddingModel,
    Input,
    InvalidOptionError,
    Role,
)
from embedbridge.contract.errors import short_repr
from embedbridge.core import Embedder
from embedbridge.core.adapting import (
    ImageLike,
    add_async_twins,
    as_images,
    deepcopy_adapter,
    in_new_thread,
    update_fields,
)
from langchain_embedbridge.arguments import (
    as_arguments,
    as_fields,
    error_of_ours,
    is_wanted,
    usable,
    validation_error,
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

    model_config = ConfigDict(
        extra="forbid",
        hide_input_in_errors=True,
        validate_assignment=True,
        json_schema_extra={"additionalProperties": True},  # the options, which the model decides
    )

    model: str = Field(frozen=True)
    """`"provider:model"`."""
    embedder: SkipJsonSchema[InstanceOf[Embedder]] = Field(
        default=None,  # type: ignore[assignment]  # always given by `_with_embedder`
        frozen=True,
        repr=False,
        exclude=True,
    )
    """The engine and the model behind it, for all that LangChain has no words for."""
    show_progress: bool | None = None
    """Whether to show a progress bar (takes tqdm)."""

    def __init__(
        self,
        model: str | None = None,
        *,
        embedder: Embedder | EmbeddingModel | Mapping[str, Any] | None = None,
        show_progress: bool | None = None,
        **options: Any,
    ) -> None:
        named = {"model": model, "embedder": embedder, "show_progress": show_progress}
        given = {name: value for name, value in named.items() if value is not None}
        try:
            super().__init__(**given, **options)
        except ValidationError as error:
            failure = error_of_ours(error)
            if failure is None:
                raise
        else:
            return
        # Outside the handler: pydantic's own error has what was passed, which may be a secret.
        raise failure

    @model_validator(mode="before")
    @classmethod
    def _with_embedder(cls, values: Any) -> Any:
        # In validation, so that a subclass may change its arguments before and embed after.
        return as_fields(cls, values) if isinstance(values, Mapping) else values

    @model_validator(mode="wrap")
    @classmethod
    def _for_pydantic(cls, values: Any, validate: ModelWrapValidatorHandler[Self]) -> Self:
        """In a field of another class, a wrong configuration is a `ValidationError` like any other."""
        try:
            return validate(values)
        except (ConfigurationError, ValidationError) as error:
            failure = error_of_ours(error)
            if failure is None or isinstance(failure, ImportError):
                raise  # what is not installed says nothing about the values
        raise validation_error(cls, values, failure)  # as above

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        add_async_twins(cls, EmbedBridgeEmbeddings)

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
        result = self.embedder.embed([text], role="query", show_progress=self._bar_of_query())
        vector: list[float] = result[0].tolist()
        return vector

    async def aembed_query(self, text: str) -> list[float]:
        """The async twin of `embed_query`."""
        bar = self._bar_of_query()
        result = await self.embedder.aembed([text], role="query", show_progress=bar)
        vector: list[float] = result[0].tolist()
        return vector

    def _bar_of_query(self) -> bool | None:
        """`False` counts for everything; `True` is meant for what takes long."""
        return False if self.show_progress is False else None

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
        return self.embed_content(as_images(images, errors=self.embedder.settings.errors))

    async def aembed_images(self, images: Iterable[ImageLike]) -> list[list[float]]:
        """The async twin of `embed_images`."""
        read = partial(as_images, images, errors=self.embedder.settings.errors)
        return await self.aembed_content(await in_new_thread(read))

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
        result = self.embedder.embed(contents, role=role, show_progress=self.show_progress)
        return result.complete().tolist()

    async def aembed_content(
        self, contents: Iterable[Input], role: Role = "document"
    ) -> list[list[float]]:
        """The async twin of `embed_content`."""
        result = await self.embedder.aembed(contents, role=role, show_progress=self.show_progress)
        return await result.complete().atolist()

    # Itself.

    @model_serializer(mode="wrap")
    def _configuration(
        self, handler: SerializerFunctionWrapHandler, info: SerializationInfo
    ) -> dict[str, Any]:
        """What the constructor takes to make it again; secrets come from the environment."""
        unset = type(self).model_fields.keys() - self.model_fields_set
        left_out = unset | ({"show_progress"} if self.show_progress is None else set())
        fields = {name: value for name, value in handler(self).items() if name not in left_out}
        wanted = {
            name: value
            for name, value in as_arguments(self.embedder.to_config()).items()
            if is_wanted(name, info.include, info.exclude)
        }
        return {**wanted, **fields}

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        held = self.embedder  # its `to_config` would warn of a cache that stays here
        settings = held.settings.model_dump(exclude_unset=True)
        options = held.model.options.public()
        yield from {"model": self.model, **options, **settings}.items()
        for name, value in super().__repr_args__():
            if name != "model" and (name, value) != ("show_progress", None):
                yield name, value

    def __embedbridge__(self) -> Embedder:
        # What the bridge of core asks an adapter of ours for.
        return self.embedder

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
        names = type(self).model_fields.keys() - {"embedder"}
        fields = {name: changes.pop(name) for name in names & changes.keys()}
        name = fields.pop("model", self.model)
        if name != self.model:
            raise InvalidOptionError(
                f"A copy of embeddings of {self.model!r} cannot be of {short_repr(name)}.",
                hint="Make others: EmbedBridgeEmbeddings(model='provider:model').",
            )
        held = usable(self.embedder.using(**changes)) if changes else self.embedder
        twin = copy.deepcopy(self) if deep else self.__copy__()
        update_fields(twin, EmbedBridgeEmbeddings, fields)
        vars(twin)["embedder"] = held
        return twin
