"""Loading a folder's tokenizer, without transformers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from embedbridge.contract.errors import ConfigurationError, UnknownModelError, short_path
from embedbridge.contract.local import Tokens, fast_encode, first_line

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from embedbridge.providers.onnx._recipe import Recipe

PADDING = ("[PAD]", "<pad>", "<|endoftext|>")
"""Tokens that fill up short texts, where no file says which one does."""


def load_tokens(folder: Path, recipe: Recipe) -> tuple[Tokens, int]:
    """Read a folder's tokenizer.

    Returns:
        What makes tokens of texts, and the number of the token that fills up short ones.

    Raises:
        UnknownModelError: It has none that can be read without transformers.
        ConfigurationError: It is damaged.
    """
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise UnknownModelError(
            f"{short_path(folder)} has no tokenizer.json.",
            hint="Save the model's tokenizer again with a current transformers.",
        )
    tokenizer = _read(path, recipe)
    padding = recipe.padding
    if padding is None:
        padding = (tokenizer.padding or {}).get("pad_id")
    if padding is None:
        named = (tokenizer.token_to_id(name) for name in PADDING)
        padding = next((number for number in named if number is not None), 0)
    tokens = Tokens(
        fast_encode(tokenizer), recipe.max_length, vocabulary=tokenizer.get_vocab_size()
    )
    return tokens, padding


def _read(path: Path, recipe: Recipe) -> Tokenizer:
    from tokenizers import Tokenizer
    from tokenizers.normalizers import Lowercase, Sequence

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises nothing narrower
        raise ConfigurationError(
            f"{short_path(path)} cannot be used: {first_line(error)}.",
            hint="Copy or download the model again.",
        ) from error
    if recipe.lower_case:
        own = [] if tokenizer.normalizer is None else [tokenizer.normalizer]
        tokenizer.normalizer = Sequence([Lowercase(), *own])
    return tokenizer
