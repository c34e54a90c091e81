"""Pooling as a model's folder names it, and the warning where no file names any."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

from embedbridge.contract.errors import (
    ConfigurationError,
    UnknownModelError,
    short_path,
    short_repr,
)
from embedbridge.contract.local.json_files import read_object
from embedbridge.contract.pooling import Pooling

PoolingName: TypeAlias = Literal["cls", "mean", "max", "last"]
"""The option `pooling`."""

POOLINGS = {
    "cls": Pooling.CLS,
    "lasttoken": Pooling.LAST,
    "max": Pooling.MAX,
    "mean": Pooling.MEAN,
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


def mode_of(pooling: Pooling) -> str:
    """The word of sentence-transformers for a pooling."""
    return next(mode for mode, known in POOLINGS.items() if known is pooling)


def read_pooling(path: Path) -> tuple[Pooling, bool]:
    """The pooling in a file, and whether it takes the tokens of the prompt as well.

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
    if not isinstance(modes, list) or len(modes) != 1 or modes[0] not in POOLINGS:
        raise ConfigurationError(
            f"{short_path(path)} pools by {short_repr(modes)}; here, it is one of "
            f"{', '.join(POOLINGS)}.",
            hint="Use it with embedbridge-huggingface: huggingface:MODEL",
        )
    return POOLINGS[modes[0]], bool(config.get("include_prompt", True))


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
        'model, and set the option pooling to "cls", "mean", "max" or "last".',
        UserWarning,
        stacklevel=2,
    )
