"""Sequence length: how many tokens of a text a model reads. A query may have another one than a document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, get_args

from embedbridge.contract.errors import ConfigurationError, InvalidOptionError, short_repr
from embedbridge.contract.local import check_length
from embedbridge.contract.vocabulary import Role
from embedbridge.providers.huggingface._inputs import first_module, named_texts
from embedbridge.providers.huggingface._own_code import reads_by_itself

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Lengths: TypeAlias = Mapping[Role, int | None]
"""Tokens of a text that are read, by role; `None` means any number."""

UNLIMITED = 10**9
"""Tokenizers without a limit of their own claim a far larger one."""
INFINITE = float("inf")
"""What static embeddings say of themselves."""
WORD = "a "
"""What a text is made of that is as long as a model reads, or longer."""
ENDLESS = 10_000
"""Words of a text for a model that reads texts of any length."""


def limit_length(transformer: SentenceTransformer, wanted: int | None) -> Lengths:
    """Set the length to which texts are cut.

    Args:
        transformer: A loaded model.
        wanted: Tokens, special ones included; `None` leaves it to the model.

    Returns:
        Tokens that it reads from now on.

    Raises:
        InvalidOptionError: The model has no positions for so many tokens, or never cuts.
        ConfigurationError: Its files say a length that is no number.
    """
    first: dict[Role, Any] = {role: first_module(transformer, role) for role in get_args(Role)}
    if wanted is not None:
        _want({id(module): module for module in first.values()}.values(), wanted)
    stated = {role: _stated(module) for role, module in first.items()}
    return {role: _measured(transformer, role, length) for role, length in stated.items()}


def longest(lengths: Lengths) -> int | None:
    """Tokens of any text that are read; `None` if it is any number for one of the roles."""
    known = [length for length in lengths.values() if length is not None]
    return max(known) if len(known) == len(lengths) else None


def differing(lengths: Lengths) -> Lengths:
    """The lengths, where they differ by role; else nothing."""
    return lengths if len(set(lengths.values())) > 1 else {}


def _want(modules: Any, wanted: int) -> None:
    """Let those modules read so many tokens that cut at all: static embeddings never do."""
    cut = [module for module in modules if _cuts(module)]
    for module in cut:
        check_length(wanted, _positions(module))
        _set(module, wanted)
        for name in ("query_length", "document_length"):
            if getattr(module, name, None) is not None:
                setattr(module, name, wanted)
        for options in (getattr(module, "processing_kwargs", None) or {}).values():
            if "max_length" in options:
                options["max_length"] = wanted
    if not cut or any(module.max_seq_length != wanted for module in cut):
        raise InvalidOptionError(
            "This model reads texts of any length, so that max_length has no meaning."
            if not cut
            else "The code of this model does not let anybody set its length.",
            hint="Leave max_length out.",
        )


def _cuts(module: Any) -> bool:
    length = getattr(module, "max_seq_length", INFINITE)
    return getattr(module, "tokenizer", None) is not None and length != INFINITE


def _set(module: Any, length: int) -> bool:
    """Whether a module's length could be set."""
    try:
        module.max_seq_length = length
    except AttributeError:  # some only say it
        return False
    return True


def _stated(module: Any) -> int | None:
    """What a module says of itself, and no more than it has positions for."""
    length = getattr(module, "max_seq_length", None)
    if not isinstance(length, int | float | None):
        raise ConfigurationError(
            f"The model's files say that it reads {short_repr(length)} tokens of a text, which is no "
            "number.",
            hint="Correct max_seq_length in its sentence_bert_config.json, or set max_length.",
        )
    most = _positions(module)
    # A tokenizer may promise too much.
    if most is not None and (length is None or length > most) and _set(module, most):
        length = most
    return None if length is None or length >= UNLIMITED else int(length)


def _measured(transformer: SentenceTransformer, role: Role, stated: int | None) -> int | None:
    """What the library leaves of a text that is too long: several settings may have a say in it."""
    from sentence_transformers.base.modules import Transformer

    module = first_module(transformer, role)
    if not isinstance(module, Transformer) or reads_by_itself(module):
        return stated  # of other code, one text proves nothing
    if not transformer.supports("text"):
        return stated
    words = ENDLESS if stated is None else 2 * stated
    texts = named_texts([WORD * words], transformer, role)
    try:
        left = int(transformer.preprocess(texts, task=role)["input_ids"].shape[-1])
    except Exception:  # noqa: BLE001  # whoever embeds such a text is told
        return stated
    return left if left < words else stated  # each word is one token at least


def _positions(module: Any) -> int | None:
    """Tokens for which a text model has learnt a position; `None` if it has no table of them."""
    from torch.nn import Embedding

    if getattr(module, "modalities", ["text"]) != ["text"]:
        return None  # the first table that is found might be that of pictures
    for part in module.modules():
        table: Any = getattr(part, "position_embeddings", None)
        if isinstance(table, Embedding):
            # RoBERTa and its kin count from the position after that of padding.
            padding: Any = getattr(part, "padding_idx", None)
            return table.num_embeddings - (padding + 1 if isinstance(padding, int) else 0)
    return None
