"""Building a `SentenceTransformer`: options in, our own errors out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from embedbridge.contract.errors import (
    ConfigurationError,
    EmbedBridgeError,
    InvalidOptionError,
    MissingDependencyError,
    UnknownModelError,
    short_repr,
)
from embedbridge.contract.local.hub import not_found, refusal
from embedbridge.contract.local.memory import is_out_of_memory
from embedbridge.contract.local.onednn import use_onednn
from embedbridge.providers.huggingface._memory import memory_error
from embedbridge.providers.huggingface._remote_code import check_remote_code
from embedbridge.providers.huggingface._source import Source, cache_folder

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from embedbridge.providers.huggingface.options import HuggingFaceOptions

MOST_OF_A_REASON = 200
"""Characters of another library's message that ours repeats."""


def require_libraries() -> None:
    """Import what everything here needs.

    Raises:
        MissingDependencyError: It is not installed, or broken.
    """
    try:
        import sentence_transformers  # noqa: F401  # only whether it can be imported counts
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            f"sentence-transformers cannot be imported: {error}",
            hint="pip install embedbridge-huggingface",
        ) from error


def load_transformer(
    source: Source, options: HuggingFaceOptions, device: str
) -> SentenceTransformer:
    """The model in memory, on its device.

    Raises:
        MissingDependencyError: A package that it needs is not installed.
        UnknownModelError: It is neither on this disk nor on the Hub.
        AuthenticationError: It is gated, and the terms were not accepted.
        InvalidOptionError: It has code of its own that may not run, or an option does not fit.
        ConfigurationError: Anything else that keeps it from loading.
    """
    with _loading_errors(source, options, device):
        from sentence_transformers import SentenceTransformer

        check_remote_code(source, options)
        with _no_loading_bars():
            transformer = SentenceTransformer(
                source.address,
                # A device map places the weights itself, and a device beside it is a warning.
                device=None if "device_map" in options.model_kwargs else device,
                revision=options.revision,
                cache_folder=cache_folder(options),
                local_files_only=options.offline,
                trust_remote_code=options.trust_remote_code,
                model_kwargs=_model_kwargs(options),
            )
        if not options.target_devices:  # workers get the layers as they are
            use_onednn(transformer)
        return transformer


def _model_kwargs(options: HuggingFaceOptions) -> dict[str, Any]:
    """What `AutoModel.from_pretrained` is given."""
    half = {"dtype": "bfloat16"} if options.precision == "bf16" else {}
    return {**half, **options.model_kwargs}


@contextmanager
def _loading_errors(source: Source, options: HuggingFaceOptions, device: str) -> Iterator[None]:
    try:
        yield
    except EmbedBridgeError:
        raise
    except ImportError as error:
        raise MissingDependencyError(
            f"Loading {short_repr(source.address)} needs a package that cannot be imported: {error}",
            hint=f"pip install {error.name or 'embedbridge-huggingface'}",
        ) from error
    except Exception as error:
        raise _translated(error, source, options, device) from error


def _translated(
    error: Exception, source: Source, options: HuggingFaceOptions, device: str
) -> EmbedBridgeError:
    text = str(error)
    if is_out_of_memory(error):
        return memory_error(device, hint="Use a smaller model, or model_kwargs={'dtype': …}.")
    # transformers raises OSError and ValueError for nearly everything; the cause below tells.
    if refused := refusal(error, source.address, options.revision):
        return refused
    if "trust_remote_code" in text:
        return InvalidOptionError(
            f"{short_repr(source.address)} brings Python code of its own.",
            hint="Read it, then set trust_remote_code=True and revision to the commit you read.",
        )
    if source.folder is not None and ("Unrecognized model" in text or isinstance(error, OSError)):
        return UnknownModelError(
            f"The folder {short_repr(source.address)} holds no model that can be loaded: {_first_line(text)}",
            hint="It needs config.json and weights, as `SentenceTransformer.save` writes them.",
        )
    if isinstance(error, OSError):
        return not_found(source.address)
    return ConfigurationError(
        f"{short_repr(source.address)} cannot be loaded: {type(error).__name__}: {_first_line(text)}",
        hint="Check model_kwargs." if options.model_kwargs else None,
    )


def _first_line(text: str) -> str:
    return text.partition("\n")[0][:MOST_OF_A_REASON]


@contextmanager
def _no_loading_bars() -> Iterator[None]:
    """Hide the bar for reading weights, which nobody asked for; downloads keep theirs."""
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
