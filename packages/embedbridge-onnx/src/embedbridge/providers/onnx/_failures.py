"""What goes wrong inside an engine, in our words: their exceptions have no common base."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from embedbridge.contract.errors import ConfigurationError, EmbedBridgeError, short_path

NO_MEMORY = ("bad_alloc", "failed to allocate", "out of memory")
"""Signs of it in a message."""
MOST_OF_A_REASON = 200
"""Characters of an engine's message that ours repeats."""


@contextmanager
def loading_errors(path: Path, engine: str) -> Iterator[None]:
    """While a file is loaded.

    Raises:
        ConfigurationError: It is damaged, or needs another version of the engine.
    """
    try:
        yield
    except EmbedBridgeError:
        raise
    except Exception as error:
        raise ConfigurationError(
            f"{short_path(path)} cannot be loaded: {_first_line(error)}",
            hint=f"Copy, download or export the model again, or update {engine}.",
        ) from error


@contextmanager
def memory_errors(shape: tuple[int, int]) -> Iterator[None]:
    """While so many texts of so many tokens are computed.

    Raises:
        EmbedBridgeError: There is too little memory for them.
    """
    try:
        yield
    except Exception as error:
        text = str(error).lower()
        if not isinstance(error, MemoryError) and not any(sign in text for sign in NO_MEMORY):
            raise
        few = shape[0] == 1
        raise EmbedBridgeError(
            f"There is not enough memory for {shape[0]} texts of {shape[1]} tokens.",
            hint="Set max_length to cut texts." if few else f"Set batch_size={shape[0] // 2}.",
        ) from error


def no_token_vectors(path: Path) -> ConfigurationError:
    """The error of a file that pools by itself, or is no encoder."""
    return ConfigurationError(
        f"{short_path(path)} has no vectors of tokens among its outputs.",
        hint="Export the transformer alone; pooling is done here.",
    )


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:MOST_OF_A_REASON]
