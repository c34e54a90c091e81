"""A model in memory, and all that is known about it only then."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from embedbridge.contract.card import Limits, ModelCard
from embedbridge.contract.errors import InvalidOptionError
from embedbridge.contract.local import (
    SentenceFolder,
    Tokens,
    mode_of,
    prompts_of,
    read_sentence_folder,
    rows_of,
    warn_of_default,
)
from embedbridge.contract.pooling import Pooling
from embedbridge.contract.vectors import normalize
from embedbridge.providers.onnx._dense import load_dense
from embedbridge.providers.onnx._identity import identify
from embedbridge.providers.onnx._inputs import Part, cut_into_parts
from embedbridge.providers.onnx._source import find_source
from embedbridge.providers.onnx._tokens import load_tokens
from embedbridge.providers.onnx.backends.session import Session, open_session

if TYPE_CHECKING:
    from embedbridge.contract.batch import Batch, Vectors
    from embedbridge.providers.onnx.options import OnnxOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """One model, ready to embed."""

    session: Session
    """Computes token vectors."""
    tokens: Tokens
    """Turns texts into numbers."""
    padding: int
    """The number that fills up short texts."""
    recipe: SentenceFolder
    """What happens around the computation."""
    after: tuple[Callable[[Vectors], Vectors], ...]
    """What happens to vectors after pooling."""
    card: ModelCard
    """What it can do."""
    identity: Mapping[str, object]
    """Which weights it has, and how much of a text it reads."""
    device: str
    """Where it computes: the processor, or an execution provider of onnxruntime."""

    def close(self) -> None:
        """Nothing runs beside it; the memory is free when the last reference to it is gone."""

    def after_fork(self) -> bool:
        """The threads of a session do not follow into a child: it is loaded again there."""
        return False

    def encode(self, batch: Batch) -> Vectors:
        """Vectors of rendered texts, in one pass.

        Args:
            batch: Within the limits of the card.

        Returns:
            Shape (len(batch), dimensions).
        """
        encoded = rows_of(batch, self.tokens, self.tokens.prepare) or []
        at_once = self.session.part_tokens(len(encoded) * max(map(len, encoded)))
        parts = list(cut_into_parts(encoded, self.padding, at_once))
        left_out = 0
        if batch.prompt and not self.recipe.include_prompt:
            left_out = self.tokens.length_of_prompt(batch.prompt)
        vectors = np.concatenate(
            [
                self._pool(vectors, part, left_out)
                for vectors, part in zip(self.session.run(parts), parts, strict=True)
            ]
        )
        for step in self.after:
            vectors = step(vectors)
        return vectors[:, : self.recipe.truncate_dim]

    def _pool(self, vectors: Vectors, part: Part, left_out: int) -> Vectors:
        """One vector for each text of a part, without its first tokens where so many are left out."""
        pooled = part.mask
        if left_out:
            pooled = pooled.copy()
            pooled[:, :left_out] = 0
        return self.recipe.pooling(vectors, pooled)


def load(name: str, options: OnnxOptions) -> Loaded:
    """Find a model, load it, and learn what it can do.

    Raises:
        ConfigurationError: It cannot be found or loaded.
    """
    source = find_source(name, options)
    export = source.export(options.file_name)
    own = read_sentence_folder(source.folder)
    recipe = _as_wanted(own, options)
    length = _length(own, options.max_length)
    if not own.says_pooling and options.pooling is None:
        warn_of_default(name, own.pooling)
    mode, is_own = mode_of(recipe.pooling), recipe.pooling is own.pooling
    space, weights = identify(source, export, recipe.transformer, mode, is_own=is_own)
    tokens, padding = load_tokens(recipe, length)
    after = tuple(normalize if folder is None else load_dense(folder) for folder in recipe.after)
    session = open_session(export, options)
    prompts = prompts_of(recipe.prompts, source.hub_id)
    return Loaded(
        session=session,
        tokens=tokens,
        padding=padding,
        recipe=recipe,
        after=after,
        card=ModelCard(
            name=name,
            roles="prefix" if prompts else "none",
            prompts=prompts,
            dimensions=_width(session, after, recipe.truncate_dim),
            allowed_dimensions=None,
            limits=_limits(session, length),
            normalized=recipe.normalizes,
            space=space,
        ),
        identity={
            **weights,
            "max_length": length,
            **({} if is_own else {"pooling": mode}),
        },
        device="cpu" if options.on_cpu else options.providers[0],
    )


def _as_wanted(own: SentenceFolder, options: OnnxOptions) -> SentenceFolder:
    """The folder's configuration, where the user's options win."""
    return replace(
        own,
        pooling=Pooling(options.pooling) if options.pooling else own.pooling,
        truncate_dim=own.truncate_dim if options.dimensions is None else None,
    )


def _length(own: SentenceFolder, wanted: int | None) -> int | None:
    """Tokens that are read: what is wanted, else the model's own."""
    most = own.positions
    if wanted is not None and most is not None and wanted > most:
        raise InvalidOptionError(
            f"max_length={wanted} is more than the {most} tokens that the model was built for.",
            hint=f"Set max_length to {most} or less, or leave it out.",
        )
    return own.max_length if wanted is None else wanted


def _width(session: Session, after: Sequence[object], most: int | None) -> int | None:
    widths = [len(step.weight) for step in after if hasattr(step, "weight")]
    width = widths[-1] if widths else session.dimensions
    return width if width is None or most is None else min(width, most)


def _limits(session: Session, max_tokens_per_input: int | None) -> Limits:
    return Limits(
        max_items=session.items,
        max_tokens_per_request=session.tokens,
        max_tokens_per_input=max_tokens_per_input,
        pads=True,
    )
