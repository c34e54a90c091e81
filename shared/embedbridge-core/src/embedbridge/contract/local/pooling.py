"""Pooling as a model's folder names it, and the warning where no file names any."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

from embedbridge.contract.callers import level_of_caller
from embedbridge.contract.errors import (
    ConfigurationError,
    InvalidOptionError,
    UnknownModelError,
    short_path,
    short_repr,
)
from embedbridge.contract.local.json_files import read_object
from embedbridge.contract.pooling import Pooling

PoolingName: TypeAlias = Literal[
    "cls", "mean", "max", "last", "weightedmean", "mean_sqrt_len_tokens"
]
"""The option `pooling`."""

POOLINGS = {
    "cls": Pooling.CLS,
    "lasttoken": Pooling.LAST,
    "max": Pooling.MAX,
    "mean": Pooling.MEAN,
    "mean_sqrt_len_tokens": Pooling.MEAN_SQRT_LEN,
    "weightedmean": Pooling.WEIGHTED_MEAN,
}
"""By the words of sentence-transformers."""
OLDER_POOLINGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
"""How sentence-transformers before 6 wrote it: a flag for each."""


def mode_of(*poolings: Pooling) -> str:
    """The word of sentence-transformers for a pooling; several that are joined have a + between them."""
    words = {known: mode for mode, known in POOLINGS.items()}
    return "+".join(words[pooling] for pooling in poolings)


def read_pooling(path: Path) -> tuple[tuple[Pooling, ...], bool]:
    """The poolings in a file, whose vectors are joined, and whether they take the prompt's tokens too.

    Raises:
        UnknownModelError: The file is missing.
        ConfigurationError: It is damaged, or names what is not supported here.
    """
    config = read_object(path)
    if not config:
        raise UnknownModelError(
            f"{short_path(path)} is missing, which says how to pool.",
            hint="Copy the whole folder as `SentenceTransformer.save` writes it.",
        )
    modes = config.get("pooling_mode")
    if modes is None:
        modes = [mode for key, mode in OLDER_POOLINGS.items() if config.get(key)] or ["mean"]
    modes = [modes] if isinstance(modes, str) else modes
    if not isinstance(modes, list) or not modes or not all(map(_is_mode, modes)):
        raise ConfigurationError(
            f"{short_path(path)} pools by {short_repr(modes)}; known are {', '.join(POOLINGS)}.",
            hint="Use it with embedbridge-huggingface: huggingface:MODEL",
        )
    return tuple(POOLINGS[mode] for mode in modes), bool(config.get("include_prompt", True))


def _is_mode(value: object) -> bool:
    return isinstance(value, str) and value in POOLINGS


def check_pooling(own: Sequence[str], wanted: Sequence[str], *, layers: Collection[str]) -> None:
    """Look whether what follows the pooling can take vectors of the width that is wanted.

    Args:
        own: The model's poolings.
        wanted: Those that the user wants.
        layers: The kinds of modules behind them.

    Raises:
        InvalidOptionError: A layer takes the joined vectors of another number of poolings.
    """
    fixed = [kind for kind in layers if kind in ("Dense", "LayerNorm")]
    if len(own) != len(wanted) and fixed:
        raise InvalidOptionError(
            f"{fixed[0]} of this model takes the joined vectors of {len(own)} poolings "
            f"({', '.join(own)}), so that pooling cannot be changed.",
            hint="Leave pooling out.",
        )


def default_pooling(config: Mapping[str, Any]) -> Pooling:
    """What sentence-transformers takes for a plain transformer.

    Args:
        config: Its `config.json`.
    """
    names = config.get("architectures") or [""]
    causal = str(names[0]).endswith("ForCausalLM") and config.get("is_causal", True)
    return Pooling.LAST if causal else Pooling.MEAN


def warn_of_default(name: str, pooling: str) -> None:
    """Say that a pooling was taken because no file names one.

    Args:
        name: The model, as the user wrote it.
        pooling: What was taken.
    """
    warnings.warn(
        f"{short_repr(name)} has no modules.json, which would say how token vectors are pooled: "
        f'pooling="{pooling}" is taken, as sentence-transformers does. Look into the card of the '
        f"model, and set the option pooling to one of: {', '.join(Pooling)}.",
        UserWarning,
        stacklevel=level_of_caller(),
    )
