"""The configuration of a static model's folder, in both formats.

    sentence-transformers             model2vec
    modules.json                      modules.json (newer versions), for sentence-transformers
    model.safetensors                 model.safetensors
      embedding.weight                  embeddings, and maybe mapping and weights
    tokenizer.json, truncation        tokenizer.json
    config_sentence_transformers.json config.json: normalize, max_length

The two libraries read the same folder differently; `Recipe` holds what was decided.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embedbridge.contract.errors import (
    ConfigurationError,
    UnknownModelError,
    short_path,
    short_repr,
)
from embedbridge.contract.local import (
    STATIC,
    Module,
    Saved,
    damaged,
    is_count,
    list_modules,
    read_object,
    read_saved,
)
from embedbridge.providers.static.options import Library

NESTED = "0_StaticEmbedding"
"""Where the files of the module lie if they are not at the top and no file says where."""
MODEL2VEC_LENGTH = 512
"""Tokens that model2vec reads where no file says how many."""
TABLES: dict[str, Library] = {
    "embeddings": "model2vec",
    "embedding.weight": "sentence-transformers",
}
"""By the name of the table in `model.safetensors`, the library that wrote it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticFolder:
    """What a folder holds, before it is decided how to read it."""

    place: Path
    """Where `model.safetensors` and `tokenizer.json` lie."""
    config: dict[str, Any]
    """The `config.json` of model2vec; empty if there is none."""
    normalize_module: bool
    """Whether a module scales vectors to length 1."""
    saved: Saved
    """Prompts, and dimensions that are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How texts become vectors."""

    drops_unknown: bool
    """Whether tokens that are not in the vocabulary are left out of the mean."""
    normalizes: bool
    """Whether vectors are scaled to length 1."""
    max_length: int | None
    """Tokens of a text that are read; `None` means all."""
    left: bool = False
    """Whether a text that is too long loses its beginning instead of its end."""
    cuts_characters: bool = False
    """Whether a text is first cut after as many characters as tokens of median length would have."""
    rounds: bool = False
    """Whether vectors are rounded to the numbers of the table, if those are half precision."""


def read_static_folder(folder: Path) -> StaticFolder:
    """Find a model's files.

    Raises:
        ConfigurationError: A file is damaged, or the folder holds another kind of model.
    """
    modules = list_modules(folder)
    if modules is None:
        nested = not (folder / "tokenizer.json").is_file() and (folder / NESTED).is_dir()
        place = folder / NESTED if nested else folder
    else:
        _check_modules(folder, modules)
        place = modules[0].path
    return StaticFolder(
        place=place,
        config=read_object(place / "config.json"),
        normalize_module=modules is not None and any(m.kind == "Normalize" for m in modules),
        saved=Saved() if modules is None else read_saved(folder),
    )


def decide(
    folder: StaticFolder,
    wrote: Library,
    wanted: Library | None,
    truncation: dict[str, Any] | None,
    *,
    weighs: bool,
) -> Recipe:
    """How a folder is read.

    Args:
        folder: What it holds.
        wrote: Which library's format it has.
        wanted: The library whose exact vectors are asked for.
        truncation: What `tokenizer.json` says about too long texts.
        weighs: Whether tokens have weights beside their rows.
    """
    stated = truncation or {}
    of_tokenizer = stated.get("max_length")
    left = str(stated.get("direction", "")).lower() == "left"
    if (wanted or wrote) == "sentence-transformers":
        return Recipe(
            drops_unknown=False,
            normalizes=folder.normalize_module,
            max_length=of_tokenizer,
            left=left,
            rounds=wanted is not None and not weighs,  # it multiplies rows and weights in float32
        )
    config = folder.config
    _check_length(folder)
    if wanted is not None:
        return Recipe(
            drops_unknown=True,
            normalizes=bool(config.get("normalize", False)),
            max_length=config.get("max_length", MODEL2VEC_LENGTH),
            cuts_characters=True,
            rounds=True,
        )
    says_length = "max_length" in config
    return Recipe(
        drops_unknown=True,
        normalizes=bool(config.get("normalize", folder.normalize_module)),
        max_length=config["max_length"] if says_length else of_tokenizer,
        left=left and not says_length,
    )


def _check_length(folder: StaticFolder) -> None:
    stated = folder.config.get("max_length")
    if stated is not None and not is_count(stated):
        raise damaged(folder.place / "config.json", f"max_length is {short_repr(stated)}")


def _check_modules(folder: Path, modules: list[Module]) -> None:
    kinds = [module.kind for module in modules]
    if kinds[:1] != [STATIC]:
        raise UnknownModelError(
            f"{short_path(folder)} is made of {', '.join(kinds) or 'nothing'}; a static model begins "
            f"with {STATIC}.",
            hint="Use it with embedbridge-huggingface: huggingface:MODEL",
        )
    if not {*kinds[1:]} <= {"Normalize"}:
        raise ConfigurationError(
            f"{short_path(folder)} is made of {', '.join(kinds)}; here, a model is {STATIC}, and "
            "then Normalize.",
            hint="Use it with embedbridge-huggingface: huggingface:MODEL",
        )
