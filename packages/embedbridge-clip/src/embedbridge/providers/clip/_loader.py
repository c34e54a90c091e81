"""Loading the two towers and what prepares their inputs, with transformers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from embedbridge.contract.errors import MissingDependencyError, UnknownModelError, short_repr
from embedbridge.contract.local import (
    Loading,
    loading_errors,
    no_loading_bars,
    use_onednn,
    warn_of_imitated_bf16,
)
from embedbridge.providers.clip._source import (
    Source,
    address_of,
    check_weights,
    find_source,
)
from embedbridge.providers.clip.families import PADDING
from embedbridge.providers.clip.options import DTYPES

if TYPE_CHECKING:
    from pathlib import Path

    from embedbridge.providers.clip.options import CLIPOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What transformers makes of a folder. Its classes have no types."""

    source: Source
    """Where it came from."""
    network: Any
    """Both towers, on their device, ready to infer."""
    tokenizer: Any
    """From texts to tokens."""
    processor: Any
    """From Pillow images to tensors."""


def require_libraries() -> None:
    """Import what everything here needs.

    Raises:
        MissingDependencyError: It is not installed, or broken.
    """
    try:
        import PIL.Image  # noqa: F401  # only whether it can be imported counts
        import torch  # noqa: F401
        import transformers  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            f"{error.name or 'transformers'} cannot be imported: {error}",
            hint="pip install embedbridge-clip",
        ) from error


def load_parts(name: str, place: Path, options: CLIPOptions, device: str) -> Parts:
    """The model in memory, on its device.

    Raises:
        MissingDependencyError: A package that it needs is not installed.
        UnknownModelError: It is neither on this disk nor on the Hub, or has no two towers.
        AuthenticationError: It is gated, and the terms were not accepted.
        ConfigurationError: Anything else that keeps it from loading.
    """
    loading = Loading(
        address=address_of(name, place),
        revision=options.revision,
        device=device,
        package="embedbridge-clip",
        folder_needs="config.json, weights, a tokenizer and preprocessor_config.json, as "
        "`save_pretrained` writes them",
        smaller="Use a smaller model, or precision='bf16'.",
    )
    if options.precision == "bf16":
        warn_of_imitated_bf16(device)
    with loading_errors(loading):
        source = find_source(name, place, options)
        check_architecture(source)
        check_weights(source, options)
        return _load(source, options, device)


def check_architecture(source: Source) -> None:
    """Make sure that it has two towers, before gigabytes of weights are read.

    Raises:
        UnknownModelError: It is something else.
        OSError: It is no model at all.
    """
    from transformers import PretrainedConfig

    settings, _ = PretrainedConfig.get_config_dict(source.inner)
    if not settings:  # how it says that there is no config.json
        raise OSError("config.json is missing.")
    kind = settings.get("model_type")
    if kind not in PADDING:
        raise UnknownModelError(
            f"{short_repr(source.address)} is a model of type {kind!r}, which has no two towers for "
            f"texts and images.",
            hint=f"This provider runs {', '.join(PADDING)}; others may run with huggingface.",
        )


def _load(source: Source, options: CLIPOptions, device: str) -> Parts:
    from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

    # Everything lies in the folder by now. Nothing here asks the Hub, nor runs a model's own code.
    here: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    auto: Any = AutoModel
    tokenizers: Any = AutoTokenizer
    processors: Any = AutoImageProcessor
    with no_loading_bars():
        network = auto.from_pretrained(
            source.inner,
            dtype=DTYPES[options.precision],
            use_safetensors=True if options.safetensors_only else None,
            **here,
        )
    network = network.to(device).eval()
    use_onednn(network)
    return Parts(
        source=source,
        network=network,
        tokenizer=tokenizers.from_pretrained(source.inner, **here),
        # Pillow's results do not depend on whether torchvision happens to be installed.
        processor=processors.from_pretrained(source.inner, backend="pil", **here),
    )
