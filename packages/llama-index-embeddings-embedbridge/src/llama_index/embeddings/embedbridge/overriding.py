"""Overriding: what a subclass overrides decides about the same methods as in LlamaIndex.

Our public methods hand a whole job to the engine; where a subclass overrides the hook beneath one,
they call that instead. It is decided once for each class, so that no other class pays for it.

In LlamaIndex, the hook for a batch calls that for one input, unless it is overridden as well; and
several queries are asked one by one. An async hook calls its sync twin there, or would miss what
that adds; here, it always calls it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from llama_index.core.async_utils import run_jobs
from llama_index.core.base.embeddings.base import Embedding
from llama_index.core.embeddings import MultiModalEmbedding
from llama_index.core.utils import get_tqdm_iterable

from embedbridge.contract import ConfigurationError
from embedbridge.core.adapting import add_async_twins

if TYPE_CHECKING:
    from llama_index.embeddings.embedbridge.jobs import EngineJobs

BATCH_OF = {
    "_get_text_embedding": "_get_text_embeddings",
    "_aget_text_embedding": "_aget_text_embeddings",
    "_get_image_embedding": "_get_image_embeddings",
    "_aget_image_embedding": "_aget_image_embeddings",
}
"""The hook for several inputs, by that for one."""
TWIN_OF = {
    "_get_query_embedding": "_aget_query_embedding",
    "_get_text_embedding": "_aget_text_embedding",
    "_get_text_embeddings": "_aget_text_embeddings",
    "_get_image_embedding": "_aget_image_embedding",
    "_get_image_embeddings": "_aget_image_embeddings",
}
"""The async hook, by the sync one."""
AGGREGATION_OF = {
    "get_query_embedding": "get_agg_embedding_from_queries",
    "_get_query_embedding": "get_agg_embedding_from_queries",
    "aget_query_embedding": "aget_agg_embedding_from_queries",
    "_aget_query_embedding": "aget_agg_embedding_from_queries",
}
"""The public method for several queries, by what it then calls for each."""
UNUSED = {
    "_get_text_embeddings_cached": "_get_text_embeddings",
    "_aget_text_embeddings_cached": "_aget_text_embeddings",
    "_aget_text_embeddings_rate_limited": "_aget_text_embeddings",
}
"""LlamaIndex's ways to its own cache and limiter, and what to override in their place."""

GIVEN = "_embedbridge_given"
"""In a class: the hooks that it has from here, and not from its author."""


def follow_overridden(kind: type, ours: type) -> frozenset[str]:
    """Let the hooks that a class does not override follow those that it does.

    Args:
        kind: The class; it is changed.
        ours: The class of ours that has the public methods.

    Returns:
        The methods that do something else than ours: public ones must call them.

    Raises:
        ConfigurationError: It overrides what nothing calls here.
    """
    for name, instead in UNUSED.items():
        if _author(kind, ours, name):
            raise ConfigurationError(
                f"{kind.__name__} overrides {name}, which nothing calls here.",
                hint=f"The engine asks the cache and the limiter itself. Override {instead}.",
            )
    changed = set()
    for name in {*TWIN_OF, *TWIN_OF.values(), *AGGREGATION_OF}:
        if author := _author(kind, ours, name):
            changed.add(name)
            if next(base for base in kind.__mro__ if name in vars(base)) is not author:
                # Of two bases, that which comes first was given the method.
                setattr(kind, name, vars(author)[name])
    given = set()
    for one, several in BATCH_OF.items():
        if one in changed and several not in changed:
            setattr(kind, several, getattr(MultiModalEmbedding, several))
            given.add(several)
    changed |= given
    twins = {twin for sync, twin in TWIN_OF.items() if sync in changed} - changed
    add_async_twins(kind, ours, twins)
    setattr(kind, GIVEN, given | twins)
    changed |= twins
    return frozenset(changed | {AGGREGATION_OF[name] for name in AGGREGATION_OF.keys() & changed})


def _author(kind: type, ours: type, name: str) -> type | None:
    """The class, beneath ours, whose author wrote this method."""
    for base in kind.__mro__[: kind.__mro__.index(ours)]:
        if name in vars(base) and name not in vars(base).get(GIVEN, ()):
            return base
    return None


def call_hook(
    model: EngineJobs, hook: str, inputs: Sequence[Any], progress: str | None
) -> list[Embedding]:
    """What an overridden hook gives for a job, in calls of `embed_batch_size`, if that is set."""
    function = getattr(model, hook)
    if hook not in BATCH_OF.values():
        return [function(one) for one in inputs]
    parts = get_tqdm_iterable(_parts(model, inputs), progress is not None, progress or "")
    return [vector for part in parts for vector in function(part)]


async def acall_hook(
    model: EngineJobs, hook: str, inputs: Sequence[Any], progress: str | None
) -> list[Embedding]:
    """The async twin of `call_hook`; calls run at once, and at most `num_workers`, if that is set."""
    function = getattr(model, hook)
    if hook not in BATCH_OF.values():
        return [await function(one) for one in inputs]
    jobs = [function(part) for part in _parts(model, inputs)]
    if len(jobs) == 1 and progress is None:
        return list(await jobs[0])
    most = model.num_workers or max(len(jobs), 1)
    rows = await run_jobs(jobs, progress is not None, most, progress)
    return [vector for part in rows for vector in part]


def _parts(model: EngineJobs, inputs: Sequence[Any]) -> list[Sequence[Any]]:
    size = model._most_per_call() or max(len(inputs), 1)  # noqa: SLF001  # of our own class
    return [inputs[start : start + size] for start in range(0, len(inputs), size)]
