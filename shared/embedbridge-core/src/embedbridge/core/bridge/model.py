"""The bridged model: a framework's embedding object, called once per planned batch.

Where its documents are embedded by truly async code, it is driven like a remote model: on the
background loop, several batches at once. Any other is driven like a local one: in the caller's
thread, one batch at a time. Its own cache, limiter, callbacks and retries stay its own.
"""

from __future__ import annotations

import io
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from pydantic import Field

from embedbridge.contract.batch import Batch, BatchResult
from embedbridge.contract.card import Limits, ModelCard
from embedbridge.contract.errors import ConfigurationError
from embedbridge.contract.model import EmbeddingModel, LocalEmbeddingModel
from embedbridge.contract.options import ModelOptions
from embedbridge.core.bridge.errors import translated
from embedbridge.core.bridge.foreign import ForeignEmbedder, Method, Rows
from embedbridge.core.bridge.introspect import digest_of, model_name, public_config, secrets_of
from embedbridge.core.bridge.object_locks import lock_of
from embedbridge.core.changes import Changes
from embedbridge.core.threads import in_thread, one_call_at_a_time, threads_of

IMAGES = ("image/png", "image/jpeg", "image/webp", "image/bmp", "image/gif")
"""Files that are handed over as they are; others become PNG. Pillow opens them all."""


class BridgeOptions(ModelOptions):
    """What can be set on a bridged object; its own configuration is set on the object."""

    not_in_identity: ClassVar[frozenset[str]] = frozenset({"space", "max_items", "native_async"})

    fingerprint: str | None = Field(default=None, min_length=1)
    """A name of yours for exactly what decides the vectors, which an object need not tell. With
    one, a cache serves other objects and processes too; without, this object only."""
    max_items: int | None = Field(default=None, gt=0)
    """Documents or images per call; `None` means as many as the object says, else 32."""
    native_async: bool | None = None
    """Whether to await its async methods; `None` means where their code is native."""


class BridgeArguments(Changes, total=False):
    """What a bridge takes: the fields of `BridgeOptions`, and what `Embedder.using` changes."""

    dimensions: int | None
    normalize: bool | None
    query_prompt: str | None
    document_prompt: str | None
    space: str | None
    fingerprint: str | None
    max_items: int | None
    native_async: bool | None


class _Bridged(EmbeddingModel):
    """The common part of both kinds.

    Args:
        foreign: The object, and how it is called.
        options: See `BridgeOptions`.
    """

    Options: ClassVar[type[ModelOptions]] = BridgeOptions
    options: BridgeOptions

    def __init__(self, foreign: ForeignEmbedder, **options: Any) -> None:
        self.provider = foreign.framework  # type: ignore[misc]  # one class serves all frameworks
        self.foreign = foreign
        kind, model = type(foreign.wrapped).__name__, model_name(foreign.wrapped)
        super().__init__(f"{kind}/{model}" if model else kind, **options)
        self._mark = uuid.uuid4().hex
        # Taken once: an object that is changed later must not change its name with it.
        self._config = public_config(foreign.wrapped)
        self._space = self._name_space(named=model is not None)

    @property
    def card(self) -> ModelCard:
        """What is known about the object. Its width is known with its first answer."""
        foreign = self.foreign
        limits = Limits(max_queries=foreign.max_queries)
        items = self.options.max_items or foreign.max_items
        return ModelCard(
            name=self.name,
            modalities=("text", "image") if foreign.images else ("text",),
            roles="field",
            allowed_dimensions=None,
            limits=limits if items is None else replace(limits, max_items=items),
            space=self._space,
        )

    def identity(self) -> Mapping[str, object]:
        """Its class and configuration; and the user's own name for it, or else this very object.

        A configuration does not tell everything: LlamaIndex's `HuggingFaceEmbedding` forgets its
        `revision`, and a class of somebody's own may keep anything in private.
        """
        kind = type(self.foreign.wrapped)
        made = {} if self.options.fingerprint else {"object": self._mark}
        return {
            **super().identity(),
            "class": f"{kind.__module__}.{kind.__qualname__}",
            "config": self._config,
            **made,
        }

    def _name_space(self, *, named: bool) -> str:
        """By the model's name and the configuration; without a name, by object."""
        if not named:
            return f"{self.provider}:{self.name}@{self.options.fingerprint or self._mark}"
        config = f"@{digest_of(self._config)}" if self._config else ""
        return f"{self.provider}:{self.name}{config}"

    def _method(self, batch: Batch) -> tuple[Method, list[Any]]:
        if batch.modality == "image" and self.foreign.images is not None:
            return self.foreign.images, [io.BytesIO(i.encoded(IMAGES)[0]) for i in batch.images]
        return getattr(self.foreign, _METHODS[batch.role]), batch.texts

    def _call(self, method: Method, inputs: list[Any]) -> Rows:
        try:
            with lock_of(self.foreign.wrapped):
                return method.sync(inputs)
        except Exception as error:  # noqa: BLE001  # every kind is translated
            failure = translated(error, self.foreign.wrapped)
        raise failure  # outside: theirs is chained only where it holds no secret

    def __reduce__(self) -> tuple[object, ...]:
        # As the object pickles itself. Its class may write its key in clear, and ours never do.
        if secrets_of(self.foreign.wrapped):
            raise ConfigurationError(
                f"{self.name} holds a secret, and no pickle of ours may hold one.",
                hint="Make it in the process that needs it, or load the model with a provider of "
                "embedbridge, which finds its key in the environment again.",
            )
        return (_remade, (self.foreign.remake, self.foreign.wrapped, self.options.public()))


_METHODS = {"document": "documents", "query": "queries"}


class BridgedModel(_Bridged, LocalEmbeddingModel):
    """An object with sync methods only: one call at a time, in the caller's thread."""

    def embed_batch(self, batch: Batch) -> BatchResult:
        """Call the object once, with the whole batch.

        Raises:
            EmbedBridgeError: Translated from what it raised, which is the cause.
        """
        return BatchResult(vectors=self._call(*self._method(batch)))  # type: ignore[arg-type]  # `check` makes the array


class AsyncBridgedModel(_Bridged):
    """An object with native async methods: awaited on the background loop, several at once."""

    async def embed_batch(self, batch: Batch) -> BatchResult:
        """Call the object once, with the whole batch; what is sync in it never blocks the loop.

        Raises:
            EmbedBridgeError: Translated from what it raised, which is the cause.
        """
        method, inputs = self._method(batch)
        if method.is_truly_async or self.options.native_async:
            rows = await self._await(method, inputs)
        else:
            # In one thread: one call at a time is made anyhow, and who waits for one that hangs
            # leaves no thread behind.
            rows = await in_thread(threads_of(self, most=1), self._call, method, inputs)
        return BatchResult(vectors=rows)  # type: ignore[arg-type]  # `check` makes the array

    async def _await(self, method: Method, inputs: list[Any]) -> Rows:
        try:
            # A wrapper's async method may come down to a thread of what it wraps.
            with one_call_at_a_time(lock_of(self.foreign.wrapped)):
                return await method.asynchronous(inputs)
        except Exception as error:  # noqa: BLE001  # every kind is translated
            failure = translated(error, self.foreign.wrapped)
        raise failure  # as above


def _remade(remake: Any, wrapped: object, options: dict[str, Any]) -> EmbeddingModel:
    model: EmbeddingModel = remake(wrapped, **options)
    return model
