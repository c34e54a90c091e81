"""Optional dependency: it is imported when it is used; one that is missing names its extra."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from embedbridge.contract.errors import MissingDependencyError


def import_extra(module: str, extra: str) -> Any:
    """A module that an extra of ours installs.

    Args:
        module: Its name, such as `"ray.data"`.
        extra: What of ours installs it.

    Raises:
        MissingDependencyError: It is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingDependencyError(
            f"embedbridge-bulk uses {module.partition('.')[0]} here; {error.name} is missing.",
            hint=f'pip install "embedbridge-bulk[{extra}]"',
        ) from error
