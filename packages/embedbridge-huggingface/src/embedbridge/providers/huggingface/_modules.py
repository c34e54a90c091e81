"""The modules that an input passes through, and what they make of it: width, length 1, prompts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, get_args

from embedbridge.contract.local import torch_inference
from embedbridge.contract.vocabulary import Role
from embedbridge.providers.huggingface._inputs import first_module, named_texts
from embedbridge.providers.huggingface._own_code import reads_by_itself

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


def ways_through(modules: Iterable[Any]) -> list[list[Any]]:
    """The modules of each way that an input may take: a router has several."""
    from sentence_transformers.base.modules import Router

    way = list(modules)
    for place, module in enumerate(way):
        if isinstance(module, Router):
            before, behind = way[:place], way[place + 1 :]
            routes: Any = module.sub_modules
            return [
                whole
                for route in routes.values()
                for whole in ways_through([*before, *route, *behind])
            ]
    return [way]


def pooling_of(way: Sequence[Any]) -> Any:
    """The module that makes one vector of those of tokens; `None` where there is none."""
    from sentence_transformers.sentence_transformer.modules import Pooling

    return next((module for module in way if isinstance(module, Pooling)), None)


def ends_normalized(transformer: SentenceTransformer) -> bool:
    """Whether all vectors leave with length 1."""
    from sentence_transformers.sentence_transformer.modules import Dropout, Normalize

    # Dropout does nothing outside of training.
    ways = [
        [module for module in way if not isinstance(module, Dropout)]
        for way in ways_through(transformer.children())
    ]
    # A model whose own configuration shortens vectors does so afterwards.
    return transformer.truncate_dim is None and all(isinstance(way[-1], Normalize) for way in ways)


def width_of(transformer: SentenceTransformer) -> int | None:
    """Dimensions of a vector: as the modules say, or as one comes out where they contradict each other."""
    ways = ways_through(transformer.children())
    if transformer.supports("text") and any(map(_contradicts_itself, ways)):
        texts = named_texts(["a"], transformer, "document")
        with torch_inference(transformer.device.type):
            return int(
                transformer.encode(texts, task="document", show_progress_bar=False).shape[-1]
            )
    return transformer.get_embedding_dimension()


def _contradicts_itself(way: Sequence[Any]) -> bool:
    """Whether pooling says another width than what comes to it. sentence-transformers takes any."""
    pooling = pooling_of(way)
    if pooling is None:
        return False
    before = way[: way.index(pooling)]
    told = [module for module in before if hasattr(module, "get_embedding_dimension")]
    try:
        return bool(told) and told[-1].get_embedding_dimension() != pooling.embedding_dimension
    except ValueError:  # a transformer whose configuration does not say it
        return True


def separates_prompt(transformer: SentenceTransformer) -> bool:
    """Whether pooling leaves the prompt out, a chat template puts it elsewhere, or the model's code may."""
    modules: Iterable[Any] = transformer.modules()
    excludes = any(getattr(module, "include_prompt", True) is False for module in modules)
    own = any(reads_by_itself(first_module(transformer, role)) for role in get_args(Role))
    return excludes or own or transformer.supports("message")
