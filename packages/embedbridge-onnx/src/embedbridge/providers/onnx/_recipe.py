"""How a folder wants its model to be used: what sentence-transformers writes, without it.

- `modules.json`: Transformer ► Pooling ► Dense, Normalize
- `1_Pooling/config.json`: how token vectors become one
- `sentence_bert_config.json`: how many tokens are read …
- `config.json`, `tokenizer_config.json`: … or what limits them
- `config_sentence_transformers.json`: prompts
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

from embedbridge.contract.errors import (
    ConfigurationError,
    InvalidOptionError,
    UnknownModelError,
    short_path,
    short_repr,
)
from embedbridge.contract.pooling import Pooling

POOLINGS = {
    "cls": Pooling.CLS,
    "lasttoken": Pooling.LAST,
    "max": Pooling.MAX,
    "mean": Pooling.MEAN,
}
OLDER_POOLINGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_lasttoken": "lasttoken",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_weightedmean_tokens": "weightedmean",
}
"""How sentence-transformers before 5 wrote it: a flag for each."""
COUNT_FROM_PADDING = frozenset({"camembert", "mpnet", "roberta", "xlm-roberta"})
"""Kinds of models whose first position is the one after that of padding."""
UNLIMITED = 10**9
"""Tokenizers without a limit of their own claim a far larger one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What happens around the computation."""

    pooling: Pooling = Pooling.MEAN
    """How token vectors become one."""
    include_prompt: bool = True
    """Whether pooling takes the tokens of the prompt as well."""
    after: tuple[Path | None, ...] = ()
    """What follows pooling: `None` scales to length 1, a folder holds a dense layer."""
    max_length: int | None = None
    """Tokens of a text that are read."""
    lower_case: bool = False
    """Whether texts are put into lower case first, whatever the tokenizer does."""
    padding: int | None = None
    """The number of the token that fills up short texts."""
    prompts: Mapping[str, str | None] = field(default_factory=dict)
    """Registered prompts by name."""
    default_prompt_name: str | None = None
    """The prompt that counts where no other does."""

    @property
    def pooling_mode(self) -> str:
        """How token vectors become one, in sentence-transformers' word."""
        return next(mode for mode, pooling in POOLINGS.items() if pooling is self.pooling)

    @property
    def normalizes(self) -> bool:
        """Whether vectors leave with length 1."""
        return bool(self.after) and self.after[-1] is None


def read_recipe(folder: Path, max_length: int | None) -> Recipe:
    """Read a folder's configuration.

    Args:
        folder: As `SentenceTransformer.save` writes it; a plain transformer is pooled by its mean,
            as sentence-transformers does.
        max_length: What the user wants.

    Raises:
        ConfigurationError: A file is damaged, or asks for what is not supported here.
        InvalidOptionError: The model has no positions for so many tokens.
    """
    pooling, include_prompt, after = _read_modules(folder)
    # A folder without modules is a plain transformer: its other settings are not meant for us.
    modular = (folder / "modules.json").is_file()
    bert = _read(folder / "sentence_bert_config.json") if modular else {}
    config = _read(folder / "config.json")
    own = _read(folder / "config_sentence_transformers.json")
    prompts = own.get("prompts")
    padding = config.get("pad_token_id")
    return Recipe(
        pooling=pooling,
        include_prompt=include_prompt,
        after=after,
        max_length=_length(folder, bert, config, max_length),
        lower_case=bert.get("do_lower_case") is True,
        padding=padding if _is_count(padding) else None,
        prompts=prompts if isinstance(prompts, dict) else {},
        default_prompt_name=own.get("default_prompt_name"),
    )


def _read_modules(folder: Path) -> tuple[Pooling, bool, tuple[Path | None, ...]]:
    modules = _read_json(folder / "modules.json")
    if modules is None:
        return Pooling.MEAN, True, ()
    if not (isinstance(modules, list) and all(isinstance(module, dict) for module in modules)):
        raise _damaged(folder / "modules.json", "it is no list of modules")
    kinds = [str(module.get("type", "")).rpartition(".")[2] for module in modules]
    if kinds[:2] != ["Transformer", "Pooling"] or not {*kinds[2:]} <= {"Dense", "Normalize"}:
        raise ConfigurationError(
            f"{short_path(folder)} is made of {', '.join(kinds) or 'nothing'}; here, a model is "
            "Transformer, Pooling, and then Dense or Normalize.",
            hint="Use it with embedbridge-huggingface: huggingface:MODEL",
        )
    paths = [folder / str(module.get("path", "")) for module in modules]
    if not all(path.resolve().is_relative_to(folder.resolve()) for path in paths):
        raise _damaged(folder / "modules.json", "it names a path outside of the folder")
    after = [
        path if kind == "Dense" else None for kind, path in zip(kinds[2:], paths[2:], strict=True)
    ]
    pooling, include_prompt = _read_pooling(paths[1] / "config.json")
    return pooling, include_prompt, tuple(after)


def _read_pooling(path: Path) -> tuple[Pooling, bool]:
    config = _read(path)
    if not config:
        raise UnknownModelError(
            f"{short_path(path)} is missing, which says how to pool.",
            hint="Copy the whole folder as `SentenceTransformer.save` writes it.",
        )
    modes = config.get("pooling_mode")
    if modes is None:
        modes = [mode for key, mode in OLDER_POOLINGS.items() if config.get(key) is True]
    modes = [modes] if isinstance(modes, str) else modes
    if not isinstance(modes, list) or len(modes) != 1 or modes[0] not in POOLINGS:
        raise ConfigurationError(
            f"{short_path(path)} pools by {short_repr(modes)}; here, it is one of "
            f"{', '.join(POOLINGS)}.",
            hint="Use it with embedbridge-huggingface: huggingface:MODEL",
        )
    return POOLINGS[modes[0]], config.get("include_prompt") is not False


def _length(
    folder: Path, bert: Mapping[str, Any], config: Mapping[str, Any], wanted: int | None
) -> int | None:
    """Tokens that are read: what is wanted, else the model's own, and never more than it can."""
    most = _positions(config)
    if wanted is not None:
        if most is not None and wanted > most:
            raise InvalidOptionError(
                f"max_length={wanted} is more than the {most} tokens that the model was built for.",
                hint=f"Set max_length to {most} or less, or leave it out.",
            )
        return wanted
    own = bert.get("max_seq_length")
    if not _is_count(own):
        own = _read(folder / "tokenizer_config.json").get("model_max_length")
    if not _is_count(own) or own >= UNLIMITED:
        return most
    return own if most is None else min(own, most)


def _positions(config: Mapping[str, Any]) -> int | None:
    """Tokens for which the model has learnt a position; `None` if nothing says so."""
    positions = config.get("max_position_embeddings")
    if not _is_count(positions):
        return None
    if config.get("model_type") in COUNT_FROM_PADDING:
        padding = config.get("pad_token_id", 1)
        return int(positions) - (padding + 1 if _is_count(padding) else 0)
    return int(positions)


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _read(path: Path) -> dict[str, Any]:
    """A JSON object; empty if there is no such file."""
    content = _read_json(path)
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise _damaged(path, "it is no JSON object")
    return content


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(path, type(error).__name__) from error


def _damaged(path: Path, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"{short_path(path)} cannot be used: {reason}.", hint="Copy or download the model again."
    )
