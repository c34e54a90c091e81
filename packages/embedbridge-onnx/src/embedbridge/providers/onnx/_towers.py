"""CLIP, SigLIP and SigLIP 2 as ONNX files: a tower for texts and one for images, in one space.

`embedbridge export clip:MODEL FOLDER` writes such a folder: the files of transformers without the
weights, and in `onnx/` the towers, with a manifest that says what they are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from embedbridge.contract.card import Limits, ModelCard
from embedbridge.contract.errors import ConfigurationError, InvalidOptionError, short_path
from embedbridge.contract.local import (
    ImageThreads,
    Recipe,
    TextTower,
    Tokens,
    TowerManifest,
    check_length,
    fast_encode,
    pad,
    prompts_of,
    read_manifest,
    read_object,
    read_recipe,
    read_saved,
    read_tokenizer,
    rows_of,
    vocabulary_of,
)
from embedbridge.contract.vectors import normalize
from embedbridge.providers.onnx._identity import identify_towers
from embedbridge.providers.onnx._tokens import FILE, WITHOUT
from embedbridge.providers.onnx._tower import Tower
from embedbridge.providers.onnx.backends.session import Capacity, capacity

if TYPE_CHECKING:
    from embedbridge.contract.batch import Batch, Vectors
    from embedbridge.contract.loaded import LoadedImage
    from embedbridge.providers.onnx._source import Source
    from embedbridge.providers.onnx.options import OnnxOptions

ONE_FILE = ("file_name", "pooling")
"""Options that mean nothing to two towers."""
PICTURES = "preprocessor_config.json"
"""What says how pictures are prepared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedTowers:
    """Two towers, ready to be loaded by the first text and by the first image."""

    manifest: TowerManifest
    """What was exported."""
    texts: Tower
    """Makes vectors of texts."""
    images: Tower
    """Makes vectors of images."""
    tokens: Tokens
    """Turns texts into numbers."""
    preprocessor: ImageThreads
    """From pictures to what the image tower takes."""
    normalize: bool
    """Whether vectors are scaled to length 1."""
    truncate_dim: int | None
    """Dimensions that are kept; `None` means all."""
    card: ModelCard
    """What it can do."""
    identity: Mapping[str, object]
    """Which weights it has, and how much of a text it reads."""
    device: str
    """Where it computes: the processor, or an execution provider of onnxruntime."""

    def close(self) -> None:
        """End the threads. The memory is free when the last reference to this object is gone."""
        self.preprocessor.close()

    def after_fork(self) -> bool:
        """The threads of a session do not follow into a child: it is loaded again there."""
        return False

    def encode(self, batch: Batch) -> Vectors:
        """Vectors of texts or of images; shape (len(batch), dimensions)."""
        images = batch.images
        vectors = self._encode_images(images) if images else self._encode_texts(batch)
        vectors = vectors[:, : self.truncate_dim]
        return normalize(vectors) if self.normalize else vectors

    def _encode_texts(self, batch: Batch) -> Vectors:
        rows = rows_of(batch, self.tokens, self.tokens.prepare) or []
        texts = self.manifest.texts
        width = texts.max_length if texts.padding == "max_length" else None
        left = texts.padding_side == "left"
        ids, mask = pad(rows, texts.padding_token, width=width, left=left)
        arrays = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        return self.texts.run(arrays, ids.shape[1])

    def _encode_images(self, images: Sequence[LoadedImage]) -> Vectors:
        (arrays,) = self.preprocessor.prepare(images, 1)
        return self.images.run(arrays, self.manifest.images.patches)


def load_towers(name: str, source: Source, options: OnnxOptions) -> LoadedTowers:
    """Read all about two towers but their weights.

    Raises:
        ConfigurationError: A file is damaged, or asks for what is not supported here.
    """
    folder = source.folder
    manifest = read_manifest(folder)
    length = _length(manifest.texts, options)
    tokenizer = read_tokenizer(folder / FILE, hint=WITHOUT)
    vocabulary = vocabulary_of(tokenizer)
    unit = options.normalize is not False
    saved = read_saved(folder)  # of a model that sentence-transformers had saved
    truncate_dim = saved.truncate_dim if options.dimensions is None else None
    prompts = prompts_of(saved.prompts, source.hub_id)
    return LoadedTowers(
        manifest=manifest,
        texts=Tower(manifest.texts, folder, options),
        images=Tower(manifest.images, folder, options),
        tokens=Tokens(fast_encode(tokenizer), length, vocabulary=vocabulary),
        preprocessor=ImageThreads(_recipe(folder).prepare),
        normalize=unit,
        truncate_dim=truncate_dim,
        card=ModelCard(
            name=name,
            modalities=("text", "image"),
            roles="prefix" if prompts else "none",
            prompts=prompts,
            dimensions=min(manifest.dimensions, truncate_dim or manifest.dimensions),
            allowed_dimensions=None,
            limits=_limits(manifest, capacity(options), length),
            normalized=unit,
            space=manifest.space,
        ),
        identity={
            **identify_towers(source, manifest, (FILE, PICTURES)),
            "max_length": length,
            **({} if truncate_dim is None else {"truncate_dim": truncate_dim}),
        },
        device="cpu" if options.on_cpu else options.providers[0],
    )


def _length(texts: TextTower, options: OnnxOptions) -> int:
    """Tokens of a text that are read."""
    asked = [name for name in ONE_FILE if getattr(options, name) is not None]
    if asked:
        raise InvalidOptionError(
            f"{asked[0]} means nothing to a model with two towers.", hint=f"Leave out {asked[0]}."
        )
    check_length(options.max_length, texts.max_length)
    return options.max_length or texts.max_length


def _limits(manifest: TowerManifest, most: Capacity, length: int) -> Limits:
    """As many images as have as many patches as a call may have tokens."""
    texts = manifest.texts
    filled = texts.padding == "max_length"
    return Limits(
        max_items=max(most.tokens // texts.max_length, 1) if filled else most.items,
        max_items_by_modality={"image": math.ceil(most.tokens / manifest.images.patches)},
        max_tokens_per_request=most.tokens,
        max_tokens_per_input=length,
        pads=True,
    )


def _recipe(folder: Path) -> Recipe:
    """How pictures are prepared."""
    path = folder / PICTURES
    recipe = read_recipe(read_object(path))
    if recipe is None:
        raise ConfigurationError(
            f"{short_path(path)} prepares pictures in a way that is not known here.",
            hint="Export the model again, or use clip:MODEL.",
        )
    return recipe
