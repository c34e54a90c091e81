"""The user's own providers: rows of a TOML file, each like a provider that is installed.

    [acme]
    like = "openai-compatible"
    title = "Acme"
    base_url = "https://api.acme.example/v1"
    key_variables = ["ACME_API_KEY"]

A row says where a key is sent. So the file is the one that its user names, or lies in the user's own
configuration folder; it is never looked for in the current folder.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

from embedbridge.contract.errors import ConfigurationError, short_path, short_repr
from embedbridge.contract.paths import expanded

VARIABLE = "EMBEDBRIDGE_PROVIDERS_FILE"
"""Environment variable: the path of the file; unset means `FILE_NAME` in the configuration folder."""
FILE_NAME = "providers.toml"
LIKE = "like"
"""The field of a row that names the provider whose kind it is."""

Row = Mapping[str, object]


class ProvidersFile:
    """A file with rows, read when it is first needed.

    Args:
        path: The file; `None` means that there is none.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path

    @property
    def place(self) -> str:
        """The file, for messages."""
        return short_path(self._path)

    @cached_property
    def rows(self) -> Mapping[str, Row]:
        """The rows by the name of their provider.

        Raises:
            ConfigurationError: The file cannot be read, or is no TOML of tables.
        """
        if self._path is None:
            return MappingProxyType({})
        import tomllib

        try:
            table = tomllib.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:  # TOML and UTF-8 errors are ValueErrors
            reason = getattr(error, "strerror", None) or str(error)
            raise ConfigurationError(
                f"The providers file {self.place} cannot be read: {reason}.",
                hint=f"Correct it, or set {VARIABLE} to another file.",
            ) from error
        for name, row in table.items():
            if not isinstance(row, dict):
                raise ConfigurationError(
                    f"The providers file {self.place}: {short_repr(name)} stands outside of a table.",
                    hint="Each provider is a table, which begins with a line [NAME].",
                )
        return MappingProxyType(table)


def own_providers_file() -> ProvidersFile:
    """The file that the environment names, else the one in the user's configuration folder."""
    if chosen := os.environ.get(VARIABLE):
        return ProvidersFile(expanded(chosen))
    try:
        path = _configuration_folder() / "embedbridge" / FILE_NAME
        return ProvidersFile(path if path.is_file() else None)
    except (RuntimeError, OSError):  # no home directory, or one that others may not look into
        return ProvidersFile(None)


def _configuration_folder() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    folder = Path(os.environ.get("XDG_CONFIG_HOME") or "")
    # The XDG rules: a relative path is ignored.
    return folder if folder.is_absolute() else Path.home() / ".config"
