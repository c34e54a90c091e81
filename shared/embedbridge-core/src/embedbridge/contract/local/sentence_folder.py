"""The configuration of a sentence-transformers model, read as sentence-transformers reads it, without it.

    modules.json                      which modules there are; see modules.py
    1_Pooling/config.json             pooling: how token vectors become one
    sentence_bert_config.json         length; the file has seven names
    config.json, tokenizer_config.json   the architecture, and what limits the length
    config_sentence_transformers.json prompts, truncate_dim

What sentence-transformers knows and this reader does not is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from embedbridge.contract.errors import short_path, short_repr
from embedbridge.contract.local.json_files import read_object
from embedbridge.contract.local.modules import Step, read_modules, refuse_folder
from embedbridge.contract.local.pooling import default_pooling, read_pooling
from embedbridge.contract.local.saved_files import Saved, is_count, read_saved
from embedbridge.contract.pooling import Pooling

LENGTH_FILES = tuple(
    f"sentence_{kind}_config.json"
    for kind in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)
"""Names of the Transformer module's own file; the first that says anything counts."""
COUNT_FROM_PADDING = frozenset({"camembert", "mpnet", "roberta", "xlm-roberta"})
"""Architectures whose first position is the one after that of padding."""
ROTARY = re.compile(r"(\w+_)?rope_|rotary_emb_base$")
"""Keys of rotary embeddings, such as `rope_theta` and `global_rope_theta`."""
COMPUTED = frozenset({"alibi", "rope", "rotary"})
"""Kinds of positions that are computed, where an architecture has several kinds."""
UNLIMITED = 10**9
"""Tokenizers without a limit of their own claim a far larger one."""
LEFT_OUT = ("document_length", "processing_kwargs", "query_expansion", "query_length")
"""Keys of the Transformer module that are not supported."""
USUAL = {"module_output_name": "token_embeddings", "transformer_task": "feature-extraction"}
"""Keys that may have one value only."""
READS = {"method": "forward", "method_output_name": "last_hidden_state"}
"""How a transformer makes vectors of texts."""
OWN_TYPE = "SentenceTransformer"
"""The kind of model whose modules are taken as they are saved; of another kind, only the transformer is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentenceFolder:
    """What a folder says about its model."""

    transformer: Path
    """Where `config.json` and the tokenizer lie."""
    weighs_layers: bool = False
    """Whether token vectors are a weighted mean of several layers, and not those of the last one."""
    on_tokens: tuple[Step, ...] = ()
    """What happens to token vectors before pooling."""
    pooling: tuple[Pooling, ...]
    """How token vectors become one; the vectors of several are joined."""
    says_pooling: bool
    """Whether a file says so; else it is the default of sentence-transformers."""
    include_prompt: bool = True
    """Whether pooling takes the tokens of the prompt as well."""
    on_sentences: tuple[Step, ...] = ()
    """What happens to the pooled vectors."""
    truncate_dim: int | None = None
    """Dimensions that are kept at the very end."""
    max_length: int | None = None
    """Tokens of a text that the model reads by itself, special ones included; `None` means all."""
    positions: int | None = None
    """Tokens for which it has learnt a position; `None` if nothing says so, or it has no table of them."""
    lower_case: bool = False
    """Whether texts are put into lower case first, whatever the tokenizer does."""
    padding: int | None = None
    """The number of the token that fills up short texts."""
    tokenizer: Mapping[str, Any] = field(default_factory=dict)
    """What `tokenizer_config.json` says, and the Transformer module's file in its place."""
    prompts: Mapping[str, str | None]
    """Registered prompts by name."""

    @property
    def splits_special(self) -> bool:
        """Whether the name of a special token in a text is text like any other."""
        return bool(self.tokenizer.get("split_special_tokens"))

    @property
    def truncation_side(self) -> str | None:
        """Where a text is cut that is too long: `"left"` or `"right"`; `None` leaves it to the tokenizer."""
        return self.tokenizer.get("truncation_side")

    @property
    def normalizes(self) -> bool:
        """Whether vectors leave with length 1."""
        last = self.on_sentences[-1].kind if self.on_sentences else None
        return last == "Normalize" and self.truncate_dim is None


def read_sentence_folder(folder: Path) -> SentenceFolder:
    """Read a folder's configuration.

    Args:
        folder: As `SentenceTransformer.save` writes it, or a plain transformer.

    Raises:
        ConfigurationError: A file is damaged, or asks for what is not supported here.
        UnknownModelError: The folder says that it pools, but not how.
    """
    modules = read_modules(folder)
    transformer = modules.transformer if modules else folder
    # Without a list of modules, sentence-transformers opens neither of these two files.
    own = _first_object(transformer / name for name in LENGTH_FILES) if modules else {}
    saved = read_saved(folder) if modules else Saved()
    _check_supported(transformer, own)
    if saved.model_type not in (None, OWN_TYPE):
        refuse_folder(
            f"{short_path(folder)} is a model of the kind {short_repr(saved.model_type)}."
        )
    config = read_object(transformer / "config.json")
    tokenizer = read_object(transformer / "tokenizer_config.json") | _options(
        own, "processor", "tokenizer"
    )
    pooling, include_prompt = (
        read_pooling(modules.pooling / "config.json")
        if modules
        else ((default_pooling(config),), True)
    )
    padding = config.get("pad_token_id")
    most = _built_for(config)
    positions = most if _has_positions(config) else None
    return SentenceFolder(
        transformer=transformer,
        weighs_layers=modules is not None and modules.weighs_layers and _gives_layers(config, own),
        on_tokens=modules.on_tokens if modules else (),
        pooling=pooling,
        says_pooling=modules is not None,
        include_prompt=include_prompt,
        on_sentences=modules.on_sentences if modules else (),
        truncate_dim=saved.truncate_dim,
        max_length=_length(own, tokenizer, most, positions),
        positions=positions,
        lower_case=bool(own.get("do_lower_case")),
        padding=padding if is_count(padding) else None,
        tokenizer=tokenizer,
        prompts=saved.prompts,
    )


def _first_object(paths: Iterable[Path]) -> dict[str, Any]:
    return next(filter(None, map(read_object, paths)), {})


def _check_supported(transformer: Path, own: Mapping[str, Any]) -> None:
    """Refuse what the Transformer module does beside reading tokens and giving their vectors."""
    asked = [key for key in LEFT_OUT if own.get(key)]
    asked += [key for key, usual in USUAL.items() if own.get(key, usual) != usual]
    modalities = own.get("modality_config")
    if isinstance(modalities, dict) and "message" in modalities:
        asked.append("a chat template (modality_config)")
    elif isinstance(modalities, dict) and modalities.get("text") != READS:
        asked.append("another way from a text to vectors (modality_config)")
    if asked:
        refuse_folder(f"The transformer in {short_path(transformer)} asks for {', '.join(asked)}.")


def _options(own: Mapping[str, Any], new: str, old: str) -> dict[str, Any]:
    """What the Transformer module's file hands on to transformers, by the newer name or the older."""
    options = own.get(f"{new}_kwargs") or own.get(f"{old}_args")
    return options if isinstance(options, dict) else {}


def _gives_layers(config: dict[str, Any], own: Mapping[str, Any]) -> bool:
    """Whether the transformer gives the vectors of all layers; else there is nothing to weigh."""
    return bool((config | _options(own, "config", "config")).get("output_hidden_states"))


def _length(
    own: Mapping[str, Any], tokenizer: Mapping[str, Any], most: int | None, positions: int | None
) -> int | None:
    """Tokens that are read.

    Args:
        own: The Transformer module's file. A length in it counts, up to the learnt positions.
        tokenizer: The tokenizer's configuration. A length in it counts up to `most`.
        most: For how many tokens the model was built.
        positions: For how many it has learnt a position.
    """
    given = "model_max_length" in _options(own, "processor", "tokenizer")
    stated = own.get("max_seq_length")
    if given or not is_count(stated):
        stated = tokenizer.get("model_max_length")
        most = positions if given else most
    else:
        most = positions
    if not is_count(stated) or stated >= UNLIMITED:
        return most
    return stated if most is None else min(stated, most)


def _built_for(config: Mapping[str, Any]) -> int | None:
    """Tokens for which a transformer was built."""
    most = config.get("max_position_embeddings")
    if not is_count(most):
        return None
    if config.get("model_type") in COUNT_FROM_PADDING:
        padding = config.get("pad_token_id", 1)
        return int(most) - (padding + 1 if is_count(padding) else 0)
    return int(most)


def _has_positions(config: Mapping[str, Any]) -> bool:
    """Whether a transformer looks positions up in a table, which has an end.

    Others compute them (rotary embeddings, ALiBi), or know distances only (DeBERTa): they read longer
    texts as well, and whoever trained them says how long.
    """
    return not (
        any(ROTARY.match(key) for key in config)
        or config.get("position_embedding_type") in COMPUTED
        or config.get("position_biased_input") is False
    )
