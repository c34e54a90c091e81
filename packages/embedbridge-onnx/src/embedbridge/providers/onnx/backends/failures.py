"""Error translation for inference engines: their exceptions have no common base."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from embedbridge.contract.errors import ConfigurationError, EmbedBridgeError, short_path
from embedbridge.contract.local import first_line, is_out_of_memory, memory_error


@contextmanager
def loading_errors(path: Path, engine: str) -> Iterator[None]:
    """While a file is loaded.

    Raises:
        ConfigurationError: It is damaged, or needs another version of the engine.
        EmbedBridgeError: There is too little memory for it.
    """
    try:
        yield
    except EmbedBridgeError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise memory_error(
                engine, doing=" to load the model", hint="Use a smaller one, or precision='int8'."
            ) from error
        raise ConfigurationError(
            f"{short_path(path)} cannot be loaded: {first_line(error)}",
            hint=f"Copy, download or export the model again, or update {engine}.",
        ) from error
