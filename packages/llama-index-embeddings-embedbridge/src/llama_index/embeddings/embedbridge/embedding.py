"""`EmbedBridgeEmbedding`: a LlamaIndex component, its fields, and how it is written down."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Self

from llama_index.core.bridge.pydantic import (
    Field,
    PrivateAttr,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
)
from pydantic_core import PydanticUndefined

from embedbridge.contract import ConfigurationError, EmbeddingModel, InvalidOptionError
from embedbridge.contract.errors import short_repr
from embedbridge.core import Embedder, load_embedder
from embedbridge.core.adapting import (
    deepcopy_adapter,
    update_fields,
    warn_of_cache_left_behind,
)
from llama_index.embeddings.embedbridge.arguments import (
    class_defaults,
    pop_fields,
    refuse_reserved,
)
from llama_index.embeddings.embedbridge.kvstore import KVStoreCache
from llama_index.embeddings.embedbridge.limiter import RateLimiterBridge
from llama_index.embeddings.embedbridge.marks import MARKS, marks
from llama_index.embeddings.embedbridge.methods import EngineMethods
from llama_index.embeddings.embedbridge.pickling import reduced
from llama_index.embeddings.embedbridge.same_setting import refuse_contradictions

_making: ContextVar[Any] = ContextVar("_making")
"""The embedder of the component that is being made."""


class EmbedBridgeEmbedding(EngineMethods):
    """Any embedbridge model as an embedding model of LlamaIndex, for texts and images.

    Example:
        Settings.embed_model = EmbedBridgeEmbedding("huggingface:BAAI/bge-small-en-v1.5")
        index = VectorStoreIndex.from_documents(documents)

    It is written down as its configuration: secrets are found again in the environment, and so is a
    `cache` in a file. The callback manager, `embeddings_cache` and the rate limiter belong to this
    process and stay here.

    Every method raises `InvalidInputError`, with the index, for what cannot be embedded, and
    another `EmbedBridgeError` where the model fails.

    Args:
        model: `"provider:model"`.
        embedder: Instead of a name: an `Embedder`, a model, or what `Embedder.to_config()` gave.
        options: LlamaIndex's fields (`embed_batch_size`, `num_workers`, `callback_manager`,
            `embeddings_cache`, `rate_limiter`), and whatever `load_embedder` takes: options of the
            model, settings of the engine.

    Raises:
        UnknownProviderError: No installed package announces the provider.
        InvalidOptionError: There is no option of that name, or it contradicts a field of LlamaIndex's.
        MissingDependencyError: The provider needs a package that is not installed.
    """

    embeddings_cache: Any | None = Field(
        default=None,
        exclude=True,  # a store may hold a connection and its password
        description="Any BaseKVStore, for vectors that were paid for once.",
    )
    rate_limiter: Any | None = Field(
        default=None,
        exclude=True,
        description="Any BaseRateLimiter; charged per request with its tokens.",
    )

    # While it is made, a subclass may embed already, in its `model_post_init` or a validator.
    _embedder: Embedder = PrivateAttr(default_factory=lambda: _making.get(PydanticUndefined))
    _warned_of_cache: bool = PrivateAttr(default=False)
    _derived: tuple[tuple[object, ...], Embedder] | None = PrivateAttr(default=None)

    @field_validator("rate_limiter")
    @classmethod
    def _is_a_limiter(cls, rate_limiter: Any) -> Any:
        if rate_limiter is not None:
            RateLimiterBridge(rate_limiter)
        return rate_limiter

    @field_validator("num_workers")
    @classmethod
    def _is_a_number(cls, num_workers: int | None) -> int | None:
        if num_workers is not None and num_workers < 0:
            raise InvalidOptionError(
                f"num_workers is {num_workers}, which is no number of requests at once.",
                hint="Leave it out for the default.",
            )
        return num_workers

    def __init__(
        self,
        model: str | None = None,
        *,
        embedder: Embedder | EmbeddingModel | Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        for name in ("class_name", *MARKS):  # of what was written down, for `model_validate`
            options.pop(name, None)
        if embedder is not None:  # what was written down: these are no options
            for name in type(self).model_computed_fields.keys() - type(self).model_fields.keys():
                options.pop(name, None)
        fields = pop_fields(type(self), options)
        defaults = class_defaults(type(self), EmbedBridgeEmbedding)
        label = defaults.pop("model_name", None)
        fields = {**defaults, **fields}
        refuse_contradictions(fields, options)
        if embedder is None:
            # As other models of LlamaIndex are named.
            model = model or fields.get("model_name", label)
        made = _make_embedder(model, embedder, options)
        fields.setdefault("model_name", f"{made.model.provider}:{made.model.name}")
        token = _making.set(made)
        try:
            super().__init__(**fields)
        finally:
            _making.reset(token)
        self._embedder = made

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        refuse_reserved(cls)

    def __setattr__(self, name: str, value: Any) -> None:
        # A wrong value of ours fails where it is written. Fields of a subclass are as anywhere in
        # LlamaIndex: `validate_assignment` would call its validators, which may assign, for ever.
        if name in EmbedBridgeEmbedding.model_fields:
            blank = EmbedBridgeEmbedding.model_construct()
            EmbedBridgeEmbedding.__pydantic_validator__.validate_assignment(blank, name, value)
            value = vars(blank)[name]
        super().__setattr__(name, value)

    @classmethod
    def class_name(cls) -> str:
        """The name under which LlamaIndex writes this component down; a subclass has its own."""
        return cls.__name__

    @property
    def embedder(self) -> Embedder:
        """The embedder that does the work, for what LlamaIndex has no words for.

        The one that was handed over or loaded, and a copy with the fields where any is set.
        """
        return self._engine()

    def _engine(self) -> Embedder:
        """The embedder with the fields applied; fields may be assigned at any time."""
        size = self._most_per_call()
        wish = (size, self.num_workers, id(self.embeddings_cache), id(self.rate_limiter))
        derived = self._derived
        if derived is None or derived[0] != wish:
            changes = self._changes(size)
            engine = self._embedder.using(**changes) if changes else self._embedder
            derived = self._derived = (wish, engine)
        return derived[1]

    def _most_per_call(self) -> int | None:
        return self.embed_batch_size if "embed_batch_size" in self.model_fields_set else None

    def __embedbridge__(self) -> Embedder:
        # What the bridge of core asks an adapter of ours for.
        return self._engine()

    def _changes(self, batch_size: int | None) -> dict[str, Any]:
        changes: dict[str, Any] = {}
        if batch_size is not None:
            changes["batch_size"] = batch_size
        if self.num_workers:
            changes["max_concurrency"] = self.num_workers
        if self.embeddings_cache is not None:
            changes["cache"] = KVStoreCache(self.embeddings_cache)
        if self.rate_limiter is not None:
            changes["limiter"] = RateLimiterBridge(self.rate_limiter)
        return changes

    # Written down: for events, as a dictionary or JSON, as a pickle, as a text.

    def to_payload(self) -> dict[str, Any]:
        """What events say about this model."""
        return {
            "class_name": self.class_name(),
            "model_name": self.model_name,
            "embed_batch_size": self.embed_batch_size,
        }

    @model_serializer(mode="wrap")
    def custom_model_dump(
        self, handler: SerializerFunctionWrapHandler, info: SerializationInfo
    ) -> dict[str, Any]:
        """The configuration; named as LlamaIndex names it, which this replaces."""
        # Of ours only what was set: an embed_batch_size that was not must not cap anything over there.
        left_out = EmbedBridgeEmbedding.model_fields.keys() - self.model_fields_set
        fields = {name: value for name, value in handler(self).items() if name not in left_out}
        held = self._embedder
        written = {**fields, "embedder": held.to_config(), **marks(held)}
        return {**written, "class_name": self.class_name()}

    def __reduce__(self) -> tuple[Any, ...]:
        if self.embeddings_cache is not None and not self._warned_of_cache:
            self._warned_of_cache = True
            warn_of_cache_left_behind(self.embeddings_cache)
        private = {"_embedder": self._embedder, "_warned_of_cache": False, "_derived": None}
        return reduced(self, EmbedBridgeEmbedding, private)

    # Copies in this process: the model, the cache, the limiter and the callbacks are there once.

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        return deepcopy_adapter(self, EmbedBridgeEmbedding, memo)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with other fields, or other settings of the engine.

        Example:
            careful = embedding.model_copy(update={"embed_batch_size": 8, "on_too_long": "error"})

        Args:
            update: Fields, and whatever `Embedder.using` takes. The model stays the same.
            deep: Whether to copy what a subclass keeps.

        Raises:
            InvalidOptionError: It names another model, an option of the model, or nothing known.
        """
        changes = dict(update or {})
        fields = {name: changes.pop(name) for name in type(self).model_fields & changes.keys()}
        for named in (changes.pop("model", None), fields.pop("model_name", None)):
            if named not in (None, self.model_name):
                raise InvalidOptionError(
                    f"A copy of {self!r} cannot be of model {short_repr(named)}.",
                    hint="Make another EmbedBridgeEmbedding; assign a mere label to model_name.",
                )
        held = self._embedder.using(**changes) if changes else self._embedder
        twin = copy.deepcopy(self) if deep else self.__copy__()
        update_fields(twin, EmbedBridgeEmbedding, fields)
        twin._embedder, twin._derived = held, None  # noqa: SLF001  # of our own class
        return twin

    def __repr_args__(self) -> list[tuple[str | None, Any]]:
        # Spans and logs show it: no options, no stores, no addresses.
        return [(None, self.model_name)]

    def __str__(self) -> str:
        return repr(self)


def _make_embedder(
    model: str | None,
    embedder: Embedder | EmbeddingModel | Mapping[str, Any] | None,
    options: dict[str, Any],
) -> Embedder:
    if (model is None) == (embedder is None):
        raise ConfigurationError(
            "An embedding model takes either a model's name or an embedder.",
            hint="EmbedBridgeEmbedding('provider:model') or EmbedBridgeEmbedding(embedder=…).",
        )
    return load_embedder(model if embedder is None else embedder, **options)  # type: ignore[arg-type]
