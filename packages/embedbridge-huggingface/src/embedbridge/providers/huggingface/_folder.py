"""Fallbacks for what a folder's configuration leaves open: pooling and special tokens."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedbridge.contract.errors import InvalidOptionError
from embedbridge.contract.local import (
    check_pooling,
    mode_of,
    warn_of_contradiction,
    warn_of_default,
)
from embedbridge.contract.pooling import Pooling
from embedbridge.providers.huggingface._modules import pooling_of, ways_through

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


def set_pooling(transformer: SentenceTransformer, wanted: str | None) -> str:
    """Pool as the user wants it.

    Args:
        transformer: A loaded model.
        wanted: The option `pooling`; `None` leaves it to the model.

    Returns:
        The word of sentence-transformers for it, if that is not the model's own pooling, else `""`.

    Raises:
        InvalidOptionError: The model does not pool vectors of tokens, or a layer takes those of several
            poolings.
    """
    if wanted is None:
        return ""
    ways = [way for way in ways_through(transformer.children()) if pooling_of(way) is not None]
    if not ways:
        raise InvalidOptionError(
            "This model does not pool vectors of tokens, so that pooling has no meaning.",
            hint="Leave pooling out.",
        )
    mode = mode_of(Pooling(wanted))
    changed = ""
    for way in ways:
        module = pooling_of(way)
        own = modes_of(module)
        if own == [mode]:
            continue
        behind = way[way.index(module) + 1 :]
        check_pooling(own, [mode], layers=[type(layer).__name__ for layer in behind])
        module.pooling_mode = changed = mode
        module.pooling_output_dimension = module.embedding_dimension
    return changed


def modes_of(module: Any) -> list[str]:
    """The poolings of one module, in the words of sentence-transformers; their vectors are joined."""
    mode = module.pooling_mode
    return [mode] if isinstance(mode, str) else list(mode)


def warn_of_folder(
    name: str, folder: Path | None, transformer: SentenceTransformer, pooling: str | None
) -> None:
    """Warn of what a model's files do not say, or say twice.

    Args:
        name: The model, as the user wrote it.
        folder: Where its files lie, if that is known.
        transformer: The loaded model.
        pooling: The option.
    """
    if folder is None:
        return
    module = pooling_of([*transformer.children()])
    if module is not None and pooling is None and not (folder / "modules.json").is_file():
        warn_of_default(name, Pooling.LAST if module.pooling_mode == "lasttoken" else "mean")
    tokenizer: Any = getattr(transformer[0], "tokenizer", None)
    if hasattr(tokenizer, "convert_ids_to_tokens"):
        tokens = tokenizer.convert_ids_to_tokens(tokenizer("a")["input_ids"])
        warn_of_contradiction(folder, tokens)
