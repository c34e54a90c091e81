"""Loading a folder's tokenizer, without transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from embedbridge.contract.local import (
    Tokens,
    fast_encode,
    read_tokenizer,
    vocabulary_of,
    warn_of_contradiction,
)
from embedbridge.providers.onnx._rebuilt import rebuild

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from embedbridge.contract.local import SentenceFolder

FILE = "tokenizer.json"
WITHOUT = "Save the model's tokenizer again with a current transformers."
"""What to do where there is no such file."""
PADDING = ("[PAD]", "<pad>", "<|endoftext|>")
"""Tokens that fill up short texts, where no file says which one does."""


def load_tokens(
    recipe: SentenceFolder, max_length: int | None
) -> tuple[Tokens, int, dict[str, Any]]:
    """Read a folder's tokenizer.

    Args:
        recipe: The folder's configuration.
        max_length: Tokens of a text that are read.

    Returns:
        What makes tokens of texts, the number of the token that fills up short ones, and the
        settings that count instead of what the tokenizer's file says.

    Raises:
        UnknownModelError: It has none that can be read without transformers.
        ConfigurationError: It is damaged.
    """
    tokenizer = read_tokenizer(
        recipe.transformer / FILE, hint=WITHOUT, splits_special=recipe.splits_special
    )
    settings = rebuild(tokenizer, recipe)
    if recipe.lower_case:
        _put_lower_case_first(tokenizer)
    padding = recipe.padding
    if padding is None:
        padding = (tokenizer.padding or {}).get("pad_id")
    if padding is None:
        named = (tokenizer.token_to_id(name) for name in PADDING)
        padding = next((number for number in named if number is not None), 0)
    # The tokenizer's own file says it as well, where its configuration does not.
    side = recipe.truncation_side or (tokenizer.truncation or {}).get("direction", "right")
    tokens = Tokens(
        fast_encode(tokenizer),
        max_length,
        left=side == "left",
        vocabulary=vocabulary_of(tokenizer),
    )
    warn_of_contradiction(recipe.transformer, tokenizer.encode("a").tokens)
    return tokens, padding, settings


def _put_lower_case_first(tokenizer: Tokenizer) -> None:
    from tokenizers.normalizers import Lowercase, Sequence

    own = [] if tokenizer.normalizer is None else [tokenizer.normalizer]
    tokenizer.normalizer = Sequence([Lowercase(), *own])
