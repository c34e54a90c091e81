"""The configuration of a sentence-transformers model, read as sentence-transformers reads it, without it.

    modules.json                      Transformer, Pooling, then Dense and Normalize
    1_Pooling/config.json             pooling: how token vectors become one
    sentence_bert_config.json         length; the file has seven names
    config.json, tokenizer_config.json   the architecture, and what limits the length
    config_sentence_transformers.json prompts, truncate_dim

What sentence-transformers knows and this reader does not is refused by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeGuard

from embedbridge.contract.errors import ConfigurationError, short_path, short_repr
from embedbridge.contract.local.json_files import damaged, read_json, read_object
from embedbridge.contract.local.pooling import default_pooling, read_pooling
from embedbridge.contract.pooling import Pooling

LENGTH_FILES = tuple(
    f"sentence_{kind}_config.json"
    for kind in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)
"""Names of the Transformer module's own file; the first that says anything counts."""
COUNT_FROM_PADDING = frozenset({"camembert", "mpnet", "roberta", "xlm-roberta"})
"""Architectures whose first position is the one after that of padding."""
UNLIMITED = 10**9
"""Tokenizers without a limit of their own claim a far larger one."""
SAVED = "config_sentence_transformers.json"
"""The file of the model as a whole."""
SENTENCE = frozenset({"sentence_embedding", None})
"""What modules behind the pooling may read and write; `None` is the default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentenceFolder:
    """What a folder says about its model."""

    transformer: Path
    """Where `config.json` and the tokenizer lie."""
    pooling: Pooling
    """How token vectors become one."""
    says_pooling: bool
    """Whether a file says so; else it is the default of sentence-transformers."""
    include_prompt: bool = True
    """Whether pooling takes the tokens of the prompt as well."""
    after: tuple[Path | None, ...] = ()
    """What follows pooling: `None` scales to length 1, a path is the folder of a dense layer."""
    truncate_dim: int | None = None
    """Dimensions that are kept at the very end."""
    max_length: int | None = None
    """Tokens of a text that the model reads by itself, special ones included; `None` means all."""
    positions: int | None = None
    """Tokens for which it has learnt a position; `None` if nothing says so."""
    lower_case: bool = False
    """Whether texts are put into lower case first, whatever the tokenizer does."""
    padding: int | None = None
    """The number of the token that fills up short texts."""
    truncation_side: str | None = None
    """Where a text is cut that is too long: `"left"` or `"right"`; `None` leaves it to the tokenizer."""
    prompts: Mapping[str, str | None]
    """Registered prompts by name."""

    @property
    def normalizes(self) -> bool:
        """Whether vectors leave with length 1."""
        return bool(self.after) and self.after[-1] is None and self.truncate_dim is None


def read_sentence_folder(folder: Path) -> SentenceFolder:
    """Read a folder's configuration.

    Args:
        folder: As `SentenceTransformer.save` writes it, or a plain transformer.

    Raises:
        ConfigurationError: A file is damaged, or asks for what is not supported here.
        UnknownModelError: The folder says that it pools, but not how.
    """
    modules = _modules(folder)
    transformer = modules[0][1] if modules else folder
    # The Transformer module has a file of its own only where there is a list of modules.
    own = _first_object(transformer / name for name in LENGTH_FILES) if modules else {}
    _check_supported(transformer, own)
    config = read_object(transformer / "config.json")
    tokenizer = read_object(transformer / "tokenizer_config.json") | _tokenizer_options(own)
    pooling, include_prompt = (
        read_pooling(modules[1][1] / "config.json") if modules else (default_pooling(config), True)
    )
    # Without a list of modules, sentence-transformers does not open this file either.
    saved = read_object(folder / SAVED) if modules else {}
    padding = config.get("pad_token_id")
    positions = _positions(config)
    return SentenceFolder(
        transformer=transformer,
        pooling=pooling,
        says_pooling=bool(modules),
        include_prompt=include_prompt,
        after=tuple(path if kind == "Dense" else None for kind, path in modules[2:]),
        truncate_dim=_truncate_dim(folder / SAVED, saved),
        max_length=_length(own, tokenizer, positions),
        positions=positions,
        lower_case=bool(own.get("do_lower_case")),
        padding=padding if is_count(padding) else None,
        truncation_side=tokenizer.get("truncation_side"),
        prompts=_prompts(folder / SAVED, saved),
    )


def is_count(value: object) -> TypeGuard[int]:
    """Whether a value from JSON is a number of things."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _modules(folder: Path) -> list[tuple[str, Path]]:
    """The kind and the folder of each module; empty for a plain transformer."""
    path = folder / "modules.json"
    modules = read_json(path)
    if modules is None:
        return []
    if not (isinstance(modules, list) and all(isinstance(module, dict) for module in modules)):
        raise damaged(path, "it is no list of modules")
    kinds = [str(module.get("type", "")).rpartition(".")[2] for module in modules]
    if kinds[:2] != ["Transformer", "Pooling"] or not {*kinds[2:]} <= {"Dense", "Normalize"}:
        _refuse(
            f"{short_path(folder)} is made of {', '.join(kinds) or 'nothing'}; here, a model is "
            "Transformer, Pooling, and then Dense or Normalize."
        )
    paths = [folder / str(module.get("path", "")) for module in modules]
    if not all(path.resolve().is_relative_to(folder.resolve()) for path in paths):
        raise damaged(path, "it names a path outside of the folder")
    for kind, place in zip(kinds[2:], paths[2:], strict=True):
        config = read_object(place / "config.json") if kind == "Normalize" else {}
        names = {config.get("module_input_name"), config.get("module_output_name")}
        if not names <= SENTENCE:
            _refuse(f"{short_path(place)} normalises something else than sentence_embedding.")
    return list(zip(kinds, paths, strict=True))


def _first_object(paths: Iterable[Path]) -> dict[str, Any]:
    return next(filter(None, map(read_object, paths)), {})


def _check_supported(transformer: Path, own: Mapping[str, Any]) -> None:
    """Refuse what the Transformer module does beside reading tokens and giving their vectors."""
    asked = [key for key in ("processing_kwargs", "query_expansion") if own.get(key)]
    if own.get("transformer_task", "feature-extraction") != "feature-extraction":
        asked.append("transformer_task")
    if own.get("module_output_name", "token_embeddings") != "token_embeddings":
        asked.append("module_output_name")
    if "message" in (own.get("modality_config") or ()):
        asked.append("a chat template (modality_config)")
    if asked:
        _refuse(f"The transformer in {short_path(transformer)} asks for {', '.join(asked)}.")


def _refuse(said: str) -> NoReturn:
    raise ConfigurationError(
        said, hint="Use the model with embedbridge-huggingface: huggingface:MODEL"
    )


def _tokenizer_options(own: Mapping[str, Any]) -> dict[str, Any]:
    """What the Transformer module's file hands to the tokenizer; `tokenizer_args` is the older name."""
    options = own.get("processor_kwargs") or own.get("tokenizer_args")
    return options if isinstance(options, dict) else {}


def _length(
    own: Mapping[str, Any], tokenizer: Mapping[str, Any], positions: int | None
) -> int | None:
    """Tokens that are read: what the first file says, and never more than there are positions."""
    stated = own.get("max_seq_length")
    if not is_count(stated) or "model_max_length" in _tokenizer_options(own):
        stated = tokenizer.get("model_max_length")
    if not is_count(stated) or stated >= UNLIMITED:
        return positions
    return stated if positions is None else min(stated, positions)


def _positions(config: Mapping[str, Any]) -> int | None:
    positions = config.get("max_position_embeddings")
    if not is_count(positions):
        return None
    if config.get("model_type") in COUNT_FROM_PADDING:
        padding = config.get("pad_token_id", 1)
        return int(positions) - (padding + 1 if is_count(padding) else 0)
    return int(positions)


def _truncate_dim(path: Path, saved: Mapping[str, Any]) -> int | None:
    width = saved.get("truncate_dim")
    if width is None:
        return None
    if not is_count(width) or width == 0:
        raise damaged(path, f"truncate_dim is {short_repr(width)}")
    return width


def _prompts(path: Path, saved: Mapping[str, Any]) -> dict[str, str | None]:
    prompts = saved.get("prompts", {})
    if not isinstance(prompts, dict) or not all(
        isinstance(text, str | None) for text in prompts.values()
    ):
        raise damaged(path, "its prompts are no texts")
    default = saved.get("default_prompt_name")
    # `encode_query` and `encode_document` never use the default, but its name has to be there.
    if default is not None and default not in {"query", "document", *prompts}:
        raise damaged(
            path, f"default_prompt_name is {short_repr(default)}, and there is no such prompt"
        )
    return prompts
