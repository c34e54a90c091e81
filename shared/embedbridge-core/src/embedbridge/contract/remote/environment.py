"""Environment variables of a vendor, read when they are needed and never kept."""

from __future__ import annotations

import os
from collections.abc import Callable

from embedbridge.contract.errors import ConfigurationError
from embedbridge.contract.remote.address import checked_url


def variable(name: str) -> str | None:
    """Its value, if it is set and not to nothing."""
    return os.environ.get(name) or None


def url_variable(name: str, complete: Callable[[str], str] = str) -> str | None:
    """An address from the environment.

    Args:
        name: Of the variable.
        complete: Completes a short form.

    Raises:
        ConfigurationError: It cannot be the base of an API.
    """
    url = variable(name)
    try:
        return None if url is None else checked_url(complete(url))
    except ValueError as error:
        problem = str(error)
    raise ConfigurationError(f"The environment variable {name}: {problem}.")
