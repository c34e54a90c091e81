"""Path expansion: `~` and `~user` in paths as users write them."""

from __future__ import annotations

import os
from pathlib import Path


def expanded(path: str | os.PathLike[str]) -> Path:
    """A path with `~` and `~user` replaced; a user who is not known stays, where pathlib fails."""
    return Path(os.path.expanduser(path))  # noqa: PTH111
