"""Sequence length: how many tokens of a text a model reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from embedbridge.contract.errors import InvalidOptionError
from embedbridge.contract.local import check_length

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

UNLIMITED = 10**9
"""Tokenizers without a limit of their own claim a far larger one."""
INFINITE = float("inf")
"""What static embeddings say of themselves."""


def limit_length(transformer: SentenceTransformer, wanted: int | None) -> int | None:
    """Set the length to which texts are cut.

    Args:
        transformer: A loaded model.
        wanted: Tokens, special ones included; `None` leaves it to the model.

    Returns:
        Tokens that it reads from now on; `None` if it reads any number.

    Raises:
        InvalidOptionError: The model has no positions for so many tokens, or never cuts.
    """
    most = _positions(transformer)
    if wanted is not None:
        _check(transformer, wanted, most)
        transformer.max_seq_length = wanted
    length: Any = transformer.max_seq_length
    if most is not None and (length is None or length > most):
        transformer.max_seq_length = length = most  # a tokenizer that promises too much
    return None if length is None or length >= UNLIMITED else int(length)


def _check(transformer: SentenceTransformer, wanted: int, most: int | None) -> None:
    check_length(wanted, most)
    if getattr(transformer[0], "tokenizer", None) is None or transformer.max_seq_length == INFINITE:
        raise InvalidOptionError(
            "This model reads texts of any length, so that max_length has no meaning.",
            hint="Leave max_length out.",
        )


def _positions(transformer: SentenceTransformer) -> int | None:
    """Tokens for which a text model has learnt a position; `None` if it has no table of them."""
    from torch.nn import Embedding

    if transformer.modalities != ["text"]:
        return None  # the first table that is found might be that of pictures
    for module in transformer.modules():
        table: Any = getattr(module, "position_embeddings", None)
        if isinstance(table, Embedding):
            # RoBERTa and its kin count from the position after that of padding.
            padding: Any = getattr(module, "padding_idx", None)
            return table.num_embeddings - (padding + 1 if isinstance(padding, int) else 0)
    return None
