"""Reading JSON configuration files, with typed errors for damaged ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from embedbridge.contract.errors import ConfigurationError, short_path


def read_object(path: Path) -> dict[str, Any]:
    """A JSON object; empty if there is no such file.

    Raises:
        ConfigurationError: The file is damaged, or holds something else.
    """
    content = read_json(path)
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise damaged(path, "it is no JSON object")
    return content


def read_json(path: Path) -> Any:
    """Any JSON value; `None` if there is no such file.

    Raises:
        ConfigurationError: The file is damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise damaged(path, type(error).__name__) from error


def damaged(path: Path, reason: str) -> ConfigurationError:
    """The error for a file that cannot be used."""
    return ConfigurationError(
        f"{short_path(path)} cannot be used: {reason}.", hint="Copy or download the model again."
    )
