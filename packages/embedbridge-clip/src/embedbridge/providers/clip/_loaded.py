"""Two towers in memory, and all that is known about them only then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from embedbridge.contract.card import ModelCard
from embedbridge.contract.local import (
    AtOnce,
    ImageThreads,
    choose_device,
    folder_identity,
    hub_identity,
    limit_torch_threads,
    limits_on,
    prompts_of,
    torch_inference,
)
from embedbridge.contract.vectors import normalize as unit
from embedbridge.providers.clip._loader import Parts, load_parts, require_libraries
from embedbridge.providers.clip._preprocess import preprocessing
from embedbridge.providers.clip._tokens import TextInputs
from embedbridge.providers.clip.families import describe_towers

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from embedbridge.contract.batch import Batch, Vectors
    from embedbridge.contract.loaded import LoadedImage
    from embedbridge.providers.clip.families import Padding
    from embedbridge.providers.clip.options import CLIPOptions

AT_ONCE = {
    # A processor gains little from more than a few dozen images; a GPU wants to be filled, and
    # still has to hold larger models.
    "cpu": AtOnce(images=32, texts=256, tokens=2048),
    "mps": AtOnce(images=64, texts=512, tokens=8192),
    "cuda": AtOnce(images=256, texts=1024, tokens=32768),
}
"""What one forward pass holds."""
PORTIONS = 4
"""In so many portions images reach a device of its own, which computes while they are prepared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """One model, ready to embed."""

    parts: Parts
    """What transformers has made of the model's files."""
    padding: Padding
    """To which length the texts of a batch are filled up."""
    texts: TextInputs
    """From texts to tokens, counted and as tensors."""
    preprocessor: ImageThreads
    """From images to arrays."""
    normalize: bool
    """Whether vectors are scaled to length 1."""
    width: int
    """Numbers that the towers make of an input."""
    truncate_dim: int | None
    """How many of them the model keeps; `None` means all."""
    card: ModelCard
    """What it can do."""
    identity: Mapping[str, object]
    """Which weights it has."""
    device: str
    """Where it computes."""

    def embed_texts(self, batch: Batch) -> Vectors:
        """One forward pass of the text tower; shape (len(batch), dimensions)."""
        run = self.parts.network.get_text_features
        return self._finish([self._run(run, self.texts.of(batch))])

    def embed_images(self, images: Sequence[LoadedImage]) -> Vectors:
        """Forward passes of the image tower; shape (len(images), dimensions)."""
        # A processor resizes and computes with the same cores: there, portions gain nothing.
        parts = 1 if self.device == "cpu" else PORTIONS
        run = self.parts.network.get_image_features
        return self._finish(
            [self._run(run, _tensors(some)) for some in self.preprocessor.prepare(images, parts)]
        )

    def close(self) -> None:
        """End the threads. The memory is free when the last reference to this object is gone."""
        self.preprocessor.close()

    def after_fork(self) -> bool:
        """The weights follow into a child, and torch computes with one thread there."""
        return True

    def _run(self, tower: Any, tensors: Mapping[str, Tensor]) -> Tensor:
        import torch

        kind = self.parts.network.dtype
        moved = {
            name: tensor.to(self.device, kind if tensor.is_floating_point() else None)
            for name, tensor in tensors.items()
        }
        with torch_inference(self.device):
            vectors: Tensor = tower(**moved).pooler_output.float()
            return torch.nn.functional.normalize(vectors) if self.normalize else vectors

    def _finish(self, vectors: Sequence[Tensor]) -> Vectors:
        import torch

        whole = np.asarray(torch.cat(list(vectors)).cpu().numpy(), dtype=np.float32)
        if self.truncate_dim is None:
            return whole
        kept = np.ascontiguousarray(whole[:, : self.truncate_dim])
        return unit(kept) if self.normalize else kept


def load(name: str, place: Path, options: CLIPOptions) -> Loaded:
    """Find a model, load it, and learn what it can do.

    Raises:
        ConfigurationError: It cannot be found or loaded; see `load_parts`.
    """
    require_libraries()
    device = choose_device(options.device)
    if device == "cpu":
        limit_torch_threads()
    parts = load_parts(name, place, options, device)
    described = describe_towers(
        parts.network.config.to_dict(), {"model_max_length": parts.tokenizer.model_max_length}
    )
    length = described.max_length
    normalize = options.normalize is not False
    space, identity = _weights(parts)
    saved = parts.source.saved
    # The user's choice wins over the saved one.
    truncate_dim = saved.truncate_dim if options.dimensions is None else None
    prompts = prompts_of(saved.prompts, parts.source.address if parts.source.commit else None)
    card = ModelCard(
        name=name,
        modalities=("text", "image"),
        roles="prefix" if prompts else "none",
        prompts=prompts,
        dimensions=min(described.dimensions, truncate_dim or described.dimensions),
        allowed_dimensions=None,
        limits=limits_on(
            device,
            AT_ONCE,
            max_tokens_per_input=length,
            fills_up=described.padding == "max_length",
        ),
        normalized=normalize,
        space=space,
    )
    return Loaded(
        parts=parts,
        padding=described.padding,
        texts=TextInputs(parts.tokenizer, described.padding, length),
        preprocessor=ImageThreads(preprocessing(parts.processor)),
        normalize=normalize,
        width=described.dimensions,
        truncate_dim=truncate_dim,
        card=card,
        identity=identity if truncate_dim is None else {**identity, "truncate_dim": truncate_dim},
        device=device,
    )


def _tensors(arrays: Mapping[str, Any]) -> dict[str, Tensor]:
    import torch

    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def _weights(parts: Parts) -> tuple[str, dict[str, object]]:
    """The space of the vectors, and what identifies the weights exactly."""
    source = parts.source
    if source.commit is None:
        return folder_identity(source.folder)
    space, identity = hub_identity(source.address, source.commit)
    return space, {"model": space, **identity}  # whatever short name the user wrote
