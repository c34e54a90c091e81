"""Whether code that no library brings stands between a text and the first layer of a model.

What such code does with a few texts proves nothing about others: it gets every text itself, and the
prompt beside it.
"""

from __future__ import annotations

from typing import Any

LIBRARIES = frozenset({"sentence_transformers", "tokenizers", "transformers"})
ENTRANCES = ("__call__", "_encode_plus")
"""What a tokenizer of transformers is called by, down to the one in Rust."""


def is_foreign(part: Any) -> bool:
    """Whether a module, a tokenizer or a processor is of a class that comes with the model."""
    return type(part).__module__.partition(".")[0] not in LIBRARIES


def reads_by_itself(module: Any) -> bool:
    """Whether a model's first module may make something of a text that its tokenizer in Rust would not.

    Args:
        module: The one that takes the inputs.
    """
    tokenizer = getattr(module, "tokenizer", None)
    parts = [module, tokenizer, getattr(module, "processor", None)]
    return any(is_foreign(part) for part in parts if part is not None) or _has_more(tokenizer)


def _has_more(tokenizer: Any) -> bool:
    """Whether a tokenizer of transformers has Python of its own in front of the one in Rust."""
    from transformers import PreTrainedTokenizerFast

    return isinstance(tokenizer, PreTrainedTokenizerFast) and any(
        getattr(type(tokenizer), name, None) is not getattr(PreTrainedTokenizerFast, name, None)
        for name in ENTRANCES
    )
