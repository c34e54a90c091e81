"""Special tokens around a text: a warning where the two files of a tokenizer contradict each other.

`tokenizer.json` decides which tokens are added; `tokenizer_config.json` may say `add_eos_token` or
`add_bos_token`. transformers 5 does not compare them. A model that is pooled by its last token gives
other vectors without its end mark.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from embedbridge.contract.callers import level_of_caller
from embedbridge.contract.errors import short_path
from embedbridge.contract.local.json_files import read_object

PLACES = {"bos": ("begins", 0), "eos": ("ends", -1)}
"""By mark: what a text does with it, and where it stands."""


def warn_of_contradiction(folder: Path, tokens: Sequence[str]) -> None:
    """Warn if a tokenizer does not add the marks that its configuration names, or adds others.

    Args:
        folder: Where `tokenizer_config.json` lies.
        tokens: What the tokenizer makes of a short text, special tokens included.

    Raises:
        ConfigurationError: The file is damaged.
    """
    config = read_object(folder / "tokenizer_config.json")
    for mark, (does, position) in PLACES.items():
        wanted, token = config.get(f"add_{mark}_token"), _content(config.get(f"{mark}_token"))
        if not isinstance(wanted, bool) or token is None or not tokens:
            continue
        if wanted != (tokens[position] == token):
            warnings.warn(
                f"The tokenizer's files in {short_path(folder)} contradict each other: "
                f"tokenizer_config.json says add_{mark}_token={wanted}, and with tokenizer.json a "
                f"text {does} with {tokens[position]!r}, where {mark}_token is {token!r}. "
                "tokenizer.json counts. If the model was trained otherwise, save its tokenizer again.",
                UserWarning,
                stacklevel=level_of_caller(),
            )


def _content(token: Any) -> str | None:
    """The text of a token, which stands there alone or with its properties."""
    text = token.get("content") if isinstance(token, dict) else token
    return text if isinstance(text, str) else None
