"""Loading weights with transformers: without progress bars, and with our errors for its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from embedbridge.contract.errors import (
    ConfigurationError,
    EmbedBridgeError,
    MissingDependencyError,
    UnknownModelError,
    short_repr,
)
from embedbridge.contract.local.hub import classes_of, not_found, refusal
from embedbridge.contract.local.memory import is_out_of_memory, memory_error
from embedbridge.contract.local.saved_files import MODEL2VEC, static_refusal
from embedbridge.contract.paths import expanded

MOST_OF_A_REASON = 200
"""Characters of another library's message that ours repeats."""


def first_line(error: BaseException) -> str:
    """The beginning of another library's message, which may be a whole page."""
    return str(error).partition("\n")[0][:MOST_OF_A_REASON]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loading:
    """What is being loaded, for messages."""

    address: str
    """A folder, or an id on the Hub."""
    revision: str | None
    """The branch, tag or commit that was asked for."""
    device: str
    """Where the weights go."""
    package: str
    """The distribution that brings everything that is needed."""
    folder_needs: str
    """What a folder must hold."""
    smaller: str
    """What to do where memory is short."""
    hint: str | None = None
    """What to check when nothing better is known."""


@contextmanager
def loading_errors(what: Loading) -> Iterator[None]:
    """While a model is found and read.

    Raises:
        MissingDependencyError: A package that it needs is not installed.
        UnknownModelError: It is neither on this disk nor on the Hub.
        AuthenticationError: It is gated, and the terms were not accepted.
        ConfigurationError: Anything else that keeps it from loading.
    """
    try:
        yield
    except (EmbedBridgeError, Warning):  # a program may have made errors of warnings
        raise
    except ImportError as error:
        raise MissingDependencyError(
            f"Loading {short_repr(what.address)} needs a package that cannot be imported: {error}",
            hint=f"pip install {error.name or what.package}",
        ) from error
    except Exception as error:
        raise _translated(error, what) from error


def _translated(error: Exception, what: Loading) -> EmbedBridgeError:
    if is_out_of_memory(error):
        return memory_error(what.device, hint=what.smaller)
    # transformers and the Hub raise OSError and ValueError for nearly everything: look at the cause.
    if refused := refusal(error, what.address, what.revision):
        return refused
    if f"`{MODEL2VEC}`" in str(error):  # transformers names the architecture that it does not know
        return static_refusal(short_repr(what.address))
    is_folder = expanded(what.address).is_dir()
    if is_folder and (isinstance(error, OSError) or "Unrecognized model" in str(error)):
        return UnknownModelError(
            f"The folder {short_repr(what.address)} holds no model that can be loaded: "
            f"{first_line(error)}",
            hint=f"It needs {what.folder_needs}.",
        )
    if isinstance(error, OSError) or "HFValidationError" in classes_of(error):
        return not_found(what.address)
    return ConfigurationError(
        f"{short_repr(what.address)} cannot be loaded: {type(error).__name__}: {first_line(error)}",
        hint=what.hint,
    )


@contextmanager
def no_loading_bars() -> Iterator[None]:
    """Hide the progress bar for reading weights; downloads keep theirs."""
    from huggingface_hub.utils.tqdm import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )
    from transformers.utils import logging

    weights: Any = logging  # its functions have no types
    shown_before = weights.is_progress_bar_enabled()
    downloads_hidden = are_progress_bars_disabled()
    weights.disable_progress_bar()  # hides those of downloads as well
    if not downloads_hidden:
        enable_progress_bars()
    try:
        yield
    finally:
        if shown_before:
            weights.enable_progress_bar()
        if downloads_hidden:
            disable_progress_bars()
