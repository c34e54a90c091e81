"""Loading a `SentenceTransformer`: options in, the model on its device out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from embedbridge.contract.errors import InvalidOptionError, MissingDependencyError, short_repr
from embedbridge.contract.local import (
    Loading,
    no_loading_bars,
    use_onednn,
    warn_of_imitated_bf16,
    without_hub,
)
from embedbridge.providers.huggingface._remote_code import check_remote_code
from embedbridge.providers.huggingface._source import Source, cache_folder

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from embedbridge.providers.huggingface.options import HuggingFaceOptions


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


def loading_of(source: Source, options: HuggingFaceOptions, device: str) -> Loading:
    """What errors say of a model that is being loaded."""
    return Loading(
        address=source.address,
        revision=options.revision,
        device=device,
        package="embedbridge-huggingface",
        folder_needs="config.json and weights, as `SentenceTransformer.save` writes them",
        smaller="Use a smaller model, or model_kwargs={'dtype': …}.",
        hint="Check model_kwargs." if options.model_kwargs else None,
    )


def load_transformer(
    source: Source, options: HuggingFaceOptions, device: str
) -> SentenceTransformer:
    """The model in memory, on its device.

    Raises:
        InvalidOptionError: It has code of its own that may not run, or an option does not fit.
        Exception: Whatever the libraries raise; see `loading_errors`.
    """
    if options.precision == "bf16":
        warn_of_imitated_bf16(device)
    from sentence_transformers import SentenceTransformer

    check_remote_code(source, options)
    with _own_code_errors(source), no_loading_bars():
        transformer = SentenceTransformer(
            source.address,
            # A device map places the weights itself, and a device beside it is a warning.
            device=None if "device_map" in options.model_kwargs else device,
            revision=options.revision,
            cache_folder=cache_folder(options),
            local_files_only=options.offline
            if source.folder
            else without_hub(offline=options.offline),
            trust_remote_code=options.trust_remote_code,
            model_kwargs=_model_kwargs(options),
        ).eval()
    if not options.target_devices:  # workers get the layers as they are
        use_onednn(transformer)
    return transformer


def _model_kwargs(options: HuggingFaceOptions) -> dict[str, Any]:
    """What `AutoModel.from_pretrained` is given."""
    half = {"dtype": "bfloat16"} if options.precision == "bf16" else {}
    return {**half, **options.model_kwargs}


@contextmanager
def _own_code_errors(source: Source) -> Iterator[None]:
    """Transformers tells by a plain ValueError that a model wants to run its own code."""
    try:
        yield
    except ValueError as error:
        if "trust_remote_code" not in str(error):
            raise
        raise InvalidOptionError(
            f"{short_repr(source.address)} brings Python code of its own.",
            hint="Read it, then set trust_remote_code=True and revision to the commit you read.",
        ) from error
