"""A model in memory, and all that is known about it only then."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from embedbridge.contract.card import Limits, ModelCard
from embedbridge.contract.local import (
    AtOnce,
    choose_device,
    folder_identity,
    hub_identity,
    limit_torch_threads,
    limits_on,
    loading_errors,
    prompts_of,
    torch_inference,
)
from embedbridge.contract.vectors import normalize
from embedbridge.contract.vocabulary import Role
from embedbridge.providers.huggingface._folder import modes_of, set_pooling, warn_of_folder
from embedbridge.providers.huggingface._identity import base_of, hub_commit, hub_folder
from embedbridge.providers.huggingface._inputs import inputs_of, modalities_of
from embedbridge.providers.huggingface._length import (
    Lengths,
    differing,
    limit_length,
    longest,
)
from embedbridge.providers.huggingface._loader import (
    load_transformer,
    loading_of,
    require_libraries,
)
from embedbridge.providers.huggingface._modules import (
    ends_normalized,
    separates_prompt,
    width_of,
)
from embedbridge.providers.huggingface._pool import DevicePool
from embedbridge.providers.huggingface._source import Source, cache_folder, find_source
from embedbridge.providers.huggingface._tokens import TextFeatures

if TYPE_CHECKING:
    from pathlib import Path

    from sentence_transformers import SentenceTransformer

    from embedbridge.contract.batch import Batch, Vectors
    from embedbridge.providers.huggingface.options import HuggingFaceOptions

AT_ONCE = {
    # More tokens for each thread of a processor leave its caches. A GPU wants to be filled, and
    # still has to hold larger models. An image is hundreds of tokens.
    "cpu": AtOnce(texts=256, images=16, tokens=512),
    "mps": AtOnce(texts=512, images=32, tokens=8192),
    "cuda": AtOnce(texts=1024, images=64, tokens=32768),
}
"""What one forward pass holds; on a processor, the tokens are those of each thread."""
HALF = 2
"""Bytes of a number in half precision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """One model, ready to embed."""

    transformer: SentenceTransformer
    """The model itself."""
    pool: DevicePool | None
    """Who computes, if several devices do."""
    card: ModelCard
    """What it can do."""
    features: Mapping[Role, TextFeatures]
    """By role, what makes its features of texts."""
    identity: Mapping[str, object]
    """Which weights it has, and how much of a text it reads."""
    device: str
    """Where it computes."""
    separates_prompt: bool
    """Whether it must be told which part of a text is the prompt."""
    is_half: bool
    """Whether it computes in half precision, where length 1 is met to two digits only."""

    def encode(self, batch: Batch) -> Vectors:
        """Vectors as `encode_query` and `encode_document` make them, in one forward pass.

        Args:
            batch: Rendered texts, images or mixed inputs, within the limits of the card.

        Returns:
            Shape (len(batch), dimensions).
        """
        features = self.features[batch.role].of(batch) if batch.modality == "text" else None
        vectors = self._encode(batch) if features is None else self._forward(features, batch.role)
        exact = np.asarray(vectors, dtype=np.float32)
        return normalize(exact) if self.is_half and self.card.normalized else exact

    def _forward(self, features: dict[str, Any], role: Role) -> Vectors:
        """One forward pass from features that are tensors already, as `encode` does it."""
        import torch

        model = self.transformer
        with torch_inference(model.device.type):
            moved = {
                name: value.to(model.device) if isinstance(value, torch.Tensor) else value
                for name, value in features.items()
            }
            # Some models send queries and documents different ways.
            vectors = model(moved, task=role)["sentence_embedding"][:, : model.truncate_dim]
            return np.asarray(vectors.float().cpu().numpy())

    def _encode(self, batch: Batch) -> Any:
        inputs = inputs_of(batch, self.transformer, separates_prompt=self.separates_prompt)
        options: dict[str, Any] = {
            # Where it stands in the texts already, `""` is no prompt, not even a default one.
            "prompt": batch.prompt if self.separates_prompt else "",
            "task": batch.role,
            "show_progress_bar": False,
        }
        if self.pool is not None:
            return self.pool.encode(inputs, **options)
        with torch_inference(self.transformer.device.type):
            return self.transformer.encode(inputs, batch_size=max(len(inputs), 1), **options)

    def close(self) -> None:
        """Stop the workers. The memory is free when the last reference to this object is gone."""
        if self.pool is not None:
            self.pool.close()

    def after_fork(self) -> bool:
        """The weights follow into a child, and torch computes with one thread there."""
        if self.pool is not None:
            self.pool.after_fork()
        return True


def load(name: str, place: Path, options: HuggingFaceOptions) -> Loaded:
    """Find a model, load it, and learn what it can do.

    Raises:
        MissingDependencyError: A package that it needs is not installed.
        UnknownModelError: It is neither on this disk nor on the Hub.
        AuthenticationError: It is gated, and the terms were not accepted.
        ConfigurationError: Anything else that keeps it from loading.
    """
    source = find_source(name, place)
    require_libraries()
    devices = [choose_device(device) for device in options.target_devices or ()]
    device = devices[0] if devices else choose_device(options.device)
    if device == "cpu":
        limit_torch_threads()
    # Workers fetch the weights from shared memory, which is the CPU's.
    held = "cpu" if devices else device
    with loading_errors(loading_of(source, options, held)):
        transformer = load_transformer(source, options, held)
        return _described(name, source, options, transformer, device, devices)


def _described(
    name: str,
    source: Source,
    options: HuggingFaceOptions,
    transformer: SentenceTransformer,
    device: str,
    devices: Sequence[str],
) -> Loaded:
    """A model in memory, and what it can do."""
    lengths = limit_length(transformer, options.max_length)
    hub_id = None if source.folder else _full_id(source.address)
    folder = source.folder
    if hub_id is not None:
        folder = hub_folder(hub_id, options.revision, cache_folder(options))
    other_pooling = set_pooling(transformer, options.pooling)
    warn_of_folder(name, folder, transformer, options.pooling)
    if options.dimensions is not None:
        transformer.truncate_dim = None  # the user's choice wins over the saved one
    prompts = prompts_of(transformer.prompts, hub_id)
    separates = separates_prompt(transformer)
    # Worker processes are sent the texts themselves: nothing is prepared for them.
    prepares = transformer.supports("text") and not devices
    own = ("", options.query_prompt or "", options.document_prompt or "")
    space, weights = _weights(source, hub_id, transformer, options, other_pooling)
    most = longest(lengths)
    limits = limits_on(device, at_once(), devices=len(devices) or 1, max_tokens_per_input=most)
    limits = replace(limits, max_tokens_by_role=differing(lengths))
    return Loaded(
        transformer=transformer,
        pool=DevicePool(transformer, devices) if devices else None,
        card=_card(name, transformer, prompts, limits, space),
        features=_features(
            transformer,
            lengths,
            {*own, *prompts.values()} if prepares else (),
            separates_prompt=separates,
        ),
        identity={
            **weights,
            **base_of(folder, cache_folder(options)),
            "max_length": dict(differing(lengths)) or most,
            **({"pooling": other_pooling} if other_pooling else {}),
        },
        device=", ".join(devices) or device,
        separates_prompt=separates,
        is_half=any(weight.dtype.itemsize == HALF for weight in transformer.parameters()),
    )


def _card(
    name: str,
    transformer: SentenceTransformer,
    prompts: Mapping[str, str],
    limits: Limits,
    space: str,
) -> ModelCard:
    return ModelCard(
        name=name,
        modalities=modalities_of(transformer),
        roles="prefix" if prompts else "none",
        prompts=prompts,
        dimensions=width_of(transformer),
        allowed_dimensions=None,
        limits=limits,
        normalized=ends_normalized(transformer),
        space=space,
    )


def _features(
    transformer: SentenceTransformer,
    lengths: Lengths,
    prompts: Collection[str],
    *,
    separates_prompt: bool,
) -> dict[Role, TextFeatures]:
    """The features of texts for each role; both share a tokenizer where they share a module."""
    encodes: dict[Any, Any] = {}
    return {
        role: TextFeatures(
            transformer,
            role,
            lengths[role],
            encodes=encodes,
            prompts=prompts,
            separates_prompt=separates_prompt,
        )
        for role in get_args(Role)
    }


def _full_id(name: str) -> str:
    """The id on the Hub: sentence-transformers' own models are known by their bare names."""
    from sentence_transformers.util import ORIGINAL_TRANSFORMER_MODELS

    if "/" in name or name.lower() in ORIGINAL_TRANSFORMER_MODELS:
        return name
    return f"sentence-transformers/{name}"


def _weights(
    source: Source,
    hub_id: str | None,
    transformer: SentenceTransformer,
    options: HuggingFaceOptions,
    other_pooling: str,
) -> tuple[str, dict[str, object]]:
    """The space of the vectors, and what identifies the weights exactly."""
    if hub_id is not None:
        commit = hub_commit(hub_id, options.revision, cache_folder(options))
        return hub_identity(hub_id, commit, other_pooling)
    assert source.folder is not None  # noqa: S101  # the other kind of source
    pools = [module for module in transformer.modules() if hasattr(module, "pooling_mode")]
    return folder_identity(
        source.folder, pooling=" ".join("+".join(modes_of(module)) for module in pools)
    )


def at_once() -> dict[str, AtOnce]:
    """What one forward pass holds on each kind of device of this machine."""
    import torch

    cpu = AT_ONCE["cpu"]
    return {**AT_ONCE, "cpu": cpu._replace(tokens=cpu.tokens * torch.get_num_threads())}
