"""Loading a folder's tokenizer, without transformers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from embedbridge.contract.errors import ConfigurationError, UnknownModelError, short_path
from embedbridge.contract.local import Tokens, fast_encode, first_line, warn_of_contradiction

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from embedbridge.contract.local import SentenceFolder

PADDING = ("[PAD]", "<pad>", "<|endoftext|>")
"""Tokens that fill up short texts, where no file says which one does."""


def load_tokens(recipe: SentenceFolder, max_length: int | None) -> tuple[Tokens, int]:
    """Read a folder's tokenizer.

    Args:
        recipe: The folder's configuration.
        max_length: Tokens of a text that are read.

    Returns:
        What makes tokens of texts, and the number of the token that fills up short ones.

    Raises:
        UnknownModelError: It has none that can be read without transformers.
        ConfigurationError: It is damaged.
    """
    tokenizer = read_tokenizer(recipe.transformer / "tokenizer.json")
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
        vocabulary=tokenizer.get_vocab_size(),
    )
    warn_of_contradiction(recipe.transformer, tokenizer.encode("a").tokens)
    return tokens, padding


def read_tokenizer(path: Path) -> Tokenizer:
    """A tokenizer from its file.

    Raises:
        UnknownModelError: There is none.
        ConfigurationError: It is damaged.
    """
    from tokenizers import Tokenizer

    if not path.is_file():
        raise UnknownModelError(
            f"{short_path(path.parent)} has no tokenizer.json.",
            hint="Save the model's tokenizer again with a current transformers.",
        )
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises nothing narrower
        raise ConfigurationError(
            f"{short_path(path)} cannot be used: {first_line(error)}.",
            hint="Copy or download the model again.",
        ) from error


def _put_lower_case_first(tokenizer: Tokenizer) -> None:
    from tokenizers.normalizers import Lowercase, Sequence

    own = [] if tokenizer.normalizer is None else [tokenizer.normalizer]
    tokenizer.normalizer = Sequence([Lowercase(), *own])
