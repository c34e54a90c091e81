"""The embedder: what users and adapters hold, a model with the engine around it.

No `from __future__ import annotations` here, as in `embedding_methods`.
"""

import copy
from collections.abc import Iterable, Mapping
from functools import partial
from os import PathLike
from typing import Any, Self, Unpack

from embedbridge.contract.card import ModelCard
from embedbridge.contract.inputs import Input, Text
from embedbridge.contract.model import EmbeddingModel, LocalEmbeddingModel, as_model
from embedbridge.contract.vocabulary import Role, Task
from embedbridge.core import engine, remote
from embedbridge.core.cache.base import (
    VectorCache,
    as_cache,
    cache_config,
    warn_of_cache_left_behind,
)
from embedbridge.core.changes import Changes
from embedbridge.core.embedding_methods import EmbeddingMethods
from embedbridge.core.engine import identity, pipeline
from embedbridge.core.engine.job_spec import JobSpec
from embedbridge.core.engine.scatter import scatter
from embedbridge.core.explain import Explanation, explain
from embedbridge.core.listeners.announce import Announcer
from embedbridge.core.listeners.progress import Progress, with_bar
from embedbridge.core.notices import Notices
from embedbridge.core.remote.endpoint import endpoint_of
from embedbridge.core.remote.limit import Limiter, as_limiter, portable_limiter
from embedbridge.core.result import EmbeddingResult, OnBatch
from embedbridge.core.settings import Settings, as_settings, changed_settings
from embedbridge.core.streaming import read
from embedbridge.core.threads import in_thread, threads_of


class Embedder(EmbeddingMethods):
    """Embeds texts and images with one model. Thread-safe; what embeds or waits has an async twin.

    Example:
        with load_embedder("fake:small") as embedder:
            documents = embedder.embed_documents(["one text", "another"])
            query = embedder.embed_query("which text?")
            scores = documents @ query

    Args:
        model: The model.
        settings: How the engine behaves; from the environment if left out.
        cache: Where vectors are kept: `True` for the user's own file, a path, or a cache object.
        limiter: How fast requests may go out, beside the rates of the settings.
        listeners: Who hears the events, see `embedbridge.contract.hooks`.

    Raises:
        ConfigurationError: This is no model.
        InvalidOptionError: What was passed are no settings, no cache, no limiter, or no listener.
    """

    def __init__(
        self,
        model: EmbeddingModel,
        *,
        settings: Settings | None = None,
        cache: VectorCache | str | PathLike[str] | bool | None = None,
        limiter: Limiter | None = None,
        listeners: Iterable[object] = (),
    ) -> None:
        self.model = as_model(model)
        self.settings = as_settings(settings)
        self.cache = as_cache(cache)
        self.limiter = as_limiter(limiter)
        self._announcer = Announcer(listeners)
        self._identity = identity.KnownIdentity(model)
        self._warned_of_cache = False

    # Embedding.

    def embed(
        self,
        inputs: Iterable[Input],
        *,
        role: Role,
        task: Task | None = None,
        show_progress: Progress = None,
        on_batch: OnBatch | None = None,
    ) -> EmbeddingResult:
        """Embed texts, images and mixed inputs as one job.

        Args:
            inputs: What to embed; a bare `str` is always text.
            role: `"query"` or `"document"`.
            task: An optional hint for models that know tasks.
            show_progress: Show a bar; a `str` is its description.
            on_batch: Called with the vectors of each batch as soon as they are there.

        Returns:
            Vectors of shape (n, dimensions), usage, and per-input truncation and errors.

        Raises:
            InvalidInputError: An input is bad; it names the position. Texts are checked before
                anything is sent, images before their batch is; a server may refuse more.
            EmbedBridgeError: The model failed. What was embedded until then is its `partial`.
            Warning: A filter made it an error. The whole result is its `partial`.
        """
        if self.model.needs_discovery:
            remote.background_loop().run(engine.discover(self.model))
        with Notices() as notices:
            spec = self._spec(role, task, show_progress, on_batch, notices)
            if isinstance(self.model, LocalEmbeddingModel):
                return notices.over(pipeline.embed_locally(spec, inputs))
            job, planned = pipeline.prepare(spec, inputs)
            remote.background_loop().run(engine.embed_remotely(job, planned))
            return notices.over(scatter(job))

    async def aembed(
        self,
        inputs: Iterable[Input],
        *,
        role: Role,
        task: Task | None = None,
        show_progress: Progress = None,
        on_batch: OnBatch | None = None,
    ) -> EmbeddingResult:
        """The async twin of `embed`; never blocks the event loop: a generator is read in a thread."""
        inputs = await read(inputs)
        if self.model.needs_discovery:
            await remote.background_loop().run_async(engine.discover(self.model))
        with Notices() as notices:
            # Made in the job's thread: an identity may read files.
            spec = partial(self._spec, role, task, show_progress, on_batch, notices)
            if isinstance(self.model, LocalEmbeddingModel):
                from embedbridge.core.local_async import embed_in_threads  # late: it takes asyncio

                return notices.over(await embed_in_threads(self.model, spec, inputs))
            threads = threads_of(self.cache)
            job, planned = await in_thread(threads, lambda: pipeline.prepare(spec(), inputs))
            await remote.background_loop().run_async(engine.embed_remotely(job, planned))
            return notices.over(scatter(job))

    # What the vectors are.

    @property
    def card(self) -> ModelCard:
        """What the model can do."""
        return self.model.card

    @property
    def dimensions(self) -> int | None:
        """Width of the vectors; `None` while only the first answer could tell."""
        known = self.model.options.dimensions or self.card.dimensions
        return known or self._identity.pinned_dimensions

    @property
    def fingerprint(self) -> str:
        """64 hexadecimal digits that stand for exactly how the vectors are made."""
        return self._identity.latest().fingerprint

    @property
    def space(self) -> str:
        """Names the vectors that these may be compared with."""
        return self._identity.latest().space

    @property
    def learned_limits(self) -> Mapping[str, int]:
        """What the endpoint taught us: the most per request, by "items", "tokens" or a modality."""
        return endpoint_of(self.model).size_limits.learned

    def explain(self, text: str | Text, role: Role, task: Task | None = None) -> Explanation:
        """The exact string that would be sent for a text, its tokens, and whether it is cut."""
        return explain(self._spec(role, task, progress=False), text)

    def check_compatible(self, stored: object) -> None:
        """Make sure that stored vectors may be compared with new ones.

        Args:
            stored: A space's name, or anything with `space` and `fingerprint`: what
                `load_vectors` returned, an `EmbeddingResult`, another embedder.

        Raises:
            SpaceMismatchError: They are of another space.
        """
        identity.check_compatible(stored, space=self.space, fingerprint=self.fingerprint)

    # Itself.

    def using(self, **changes: Unpack[Changes]) -> Self:
        """The same model with other settings (`max_retries` too), `cache`, `limiter`, `listeners`.

        Example:
            careful = embedder.using(on_too_long="error", cache=MemoryCache())

        Raises:
            InvalidOptionError: A name is no setting, or a value cannot be.
        """
        cache = changes.pop("cache", self.cache)
        limiter = changes.pop("limiter", self.limiter)
        listeners = changes.pop("listeners", self._announcer.listeners) or ()
        settings = changed_settings(self.settings, changes, self.model)
        twin = type(self).__new__(type(self))
        twin.__dict__.update(vars(self))  # what a subclass added; its constructor may differ
        Embedder.__init__(
            twin, self.model, settings=settings, cache=cache, limiter=limiter, listeners=listeners
        )
        vars(twin).update(_identity=self._identity)
        return twin

    def to_config(self) -> dict[str, Any]:
        """What it takes to make this embedder again, as JSON values and without secrets.

        A cache in a file is among it. One that is not stays in this process, with a warning.
        """
        config = {
            "model": f"{self.model.provider}:{self.model.name}",
            "options": self.model.options.public(),
            "settings": self.settings.model_dump(exclude_unset=True),
        }
        cache = self._portable_cache()
        return config if cache is None else {**config, "cache": cache}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """An embedder from what `to_config` gave; secrets come from the environment again."""
        # Late: load.py knows the providers and imports this file.
        from embedbridge.core.load import load_embedder

        made = load_embedder(config)
        return cls(made.model, settings=made.settings, cache=made.cache)

    def __copy__(self) -> Self:
        # By `__reduce__`, which is for other processes, it would lose its listeners, its limiter, and
        # the key that was passed.
        return self.using()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        twin = memo[id(self)] = self.using()
        vars(twin).update(copy.deepcopy(self._added(), memo))  # what a subclass keeps is its own
        return twin

    def __reduce__(self) -> tuple[Any, ...]:
        # By configuration, with a cache in a file and a limiter that travels. Listeners stay here.
        parts = {"cache": self._portable_cache(), "limiter": portable_limiter(self.limiter)}
        settings = self.settings.model_dump(exclude_unset=True)
        return (_restore, (type(self), self.model, settings, parts), self._added() or None)

    def __repr__(self) -> str:
        return f"Embedder({self.model.provider}:{self.model.name})"

    def _added(self) -> dict[str, Any]:
        """What a subclass keeps in its instances."""
        ours = vars(Embedder(self.model, settings=self.settings))
        return {name: value for name, value in vars(self).items() if name not in ours}

    def _portable_cache(self) -> dict[str, Any] | None:
        config = cache_config(self.cache)
        if config is None and self.cache is not None and not self._warned_of_cache:
            self._warned_of_cache = True
            warn_of_cache_left_behind(self.cache)
        return config

    def _spec(
        self,
        role: Role,
        task: Task | None,
        progress: Progress,
        on_batch: OnBatch | None = None,
        notices: Notices | None = None,
    ) -> JobSpec:
        if progress is None:
            progress = self.settings.show_progress
        known = self._identity.for_job()
        endpoint = endpoint_of(self.model)
        return JobSpec(
            model=self.model,
            card=self.card.for_role(role),
            settings=self.settings,
            announcer=with_bar(self._announcer, progress) if progress else self._announcer,
            role=role,
            task=task,
            fingerprint=known.fingerprint,
            space=known.space,
            pinned=known.pinned,
            cache=self.cache,
            on_batch=on_batch,
            notices=notices or Notices(),
            endpoint=endpoint,
            limiter=endpoint.limiter(
                self.settings.requests_per_minute, self.settings.tokens_per_minute, self.limiter
            ),
        )


def _restore(kind: type[Embedder], model: Any, settings: Any, parts: Any) -> Embedder:
    made = kind.__new__(kind)
    Embedder.__init__(made, model, settings=Settings(**settings), **parts)
    return made
