"""The loaded model: in memory, and all that is known about it only then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from embedbridge.contract.card import Limits, ModelCard
from embedbridge.contract.local import (
    SentenceFolder,
    Tokens,
    check_length,
    check_pooling,
    mode_of,
    prompts_of,
    read_sentence_folder,
    rows_of,
    warn_of_default,
)
from embedbridge.contract.pooling import Pooling
from embedbridge.contract.thread_pool import ThreadPool
from embedbridge.providers.onnx._identity import identify
from embedbridge.providers.onnx._inputs import Inputs, Part, cut_into_parts
from embedbridge.providers.onnx._steps import Layer, load_steps, width_behind
from embedbridge.providers.onnx._tokens import load_tokens
from embedbridge.providers.onnx.backends.outputs import find_output
from embedbridge.providers.onnx.backends.session import Capacity, Session, capacity, open_session

if TYPE_CHECKING:
    from embedbridge.contract.batch import Batch, Vectors
    from embedbridge.providers.onnx._source import Source
    from embedbridge.providers.onnx.options import OnnxOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """One model, ready to embed."""

    session: Session
    """Computes token vectors."""
    inputs: Inputs
    """What the session is given."""
    tokens: Tokens
    """Turns texts into numbers."""
    padding: int
    """The number that fills up short texts."""
    recipe: SentenceFolder
    """What happens around the computation."""
    on_tokens: tuple[Layer, ...]
    """What happens to token vectors before pooling."""
    on_sentences: tuple[Layer, ...]
    """What happens to the pooled vectors."""
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
        prompt_tokens = 0
        if batch.prompt and not self.recipe.include_prompt:
            prompt_tokens = self.tokens.length_of_prompt(batch.prompt)
        with np.errstate(all="ignore"):  # a program's `np.seterr` is not for numbers near 0
            vectors = np.concatenate(
                [
                    self._pool(tokens, part, prompt_tokens)
                    for tokens, part in zip(
                        self.session.run(list(map(self.inputs.of, parts))), parts, strict=True
                    )
                ]
            )
            for layer in self.on_sentences:
                vectors = layer(vectors)
        return vectors[:, : self.recipe.truncate_dim]

    def _pool(self, tokens: Vectors, part: Part, prompt_tokens: int) -> Vectors:
        """One vector for each text of a part; those of several poolings are joined."""
        if self.on_tokens:
            # What attention leaves at padded places may be no number, which layers would carry on.
            tokens = np.where(part.mask[:, :, None], tokens, np.float32(0))
        for layer in self.on_tokens:
            tokens = layer(tokens)
        pooled = [
            pooling(tokens, part.mask, prompt_tokens=prompt_tokens)
            for pooling in self.recipe.pooling
        ]
        return np.concatenate(pooled, axis=1) if len(pooled) > 1 else pooled[0]


def load(name: str, source: Source, options: OnnxOptions) -> Loaded:
    """Load a model, and learn what it can do.

    Raises:
        ConfigurationError: It cannot be found or loaded.
    """
    # First, as an export of what is not supported would be of no use.
    own = read_sentence_folder(source.folder)
    export = source.export(options.file_name)
    recipe = _as_wanted(own, options)
    length = _length(own, options.max_length)
    if not own.says_pooling and options.pooling is None:
        warn_of_default(name, own.pooling[0])
    mode, is_own = mode_of(*recipe.pooling), recipe.pooling == own.pooling
    choose = partial(find_output, path=export, weighs_layers=recipe.weighs_layers)
    with ThreadPool(1, "embedbridge-open") as beside:
        # Meanwhile digests and the tokenizer are read.
        opening = beside.submit(open_session, export, options, choose)
        space, weights = identify(source, export, recipe.transformer, mode, is_own=is_own)
        tokens, padding, settings = load_tokens(recipe, length)
        on_tokens, on_sentences = load_steps(recipe.on_tokens), load_steps(recipe.on_sentences)
        session = opening.result()
    width = width_behind(on_tokens, session.dimensions)
    width = width_behind(on_sentences, width and width * len(recipe.pooling))
    prompts = prompts_of(recipe.prompts, source.hub_id)
    return Loaded(
        session=session,
        inputs=Inputs(session.inputs, export),
        tokens=tokens,
        padding=padding,
        recipe=recipe,
        on_tokens=on_tokens,
        on_sentences=on_sentences,
        card=ModelCard(
            name=name,
            roles="prefix" if prompts else "none",
            prompts=prompts,
            dimensions=width and min(width, recipe.truncate_dim or width),
            allowed_dimensions=None,
            limits=_limits(capacity(options), length),
            normalized=recipe.normalizes,
            space=space,
        ),
        identity={
            **weights,
            "max_length": length,
            **({} if is_own else {"pooling": mode}),
            # Of such a folder, an earlier version of this package made other vectors.
            **({"tokenizer": settings} if settings else {}),
        },
        device="cpu" if options.on_cpu else options.providers[0],
    )


def _as_wanted(own: SentenceFolder, options: OnnxOptions) -> SentenceFolder:
    """The folder's configuration, where the user's options win."""
    pooling = (Pooling(options.pooling),) if options.pooling else own.pooling
    check_pooling(own.pooling, pooling, layers=[step.kind for step in own.on_sentences])
    return replace(
        own,
        pooling=pooling,
        truncate_dim=own.truncate_dim if options.dimensions is None else None,
    )


def _length(own: SentenceFolder, wanted: int | None) -> int | None:
    """Tokens that are read: what is wanted, else the model's own."""
    check_length(wanted, own.positions)
    return own.max_length if wanted is None else wanted


def _limits(most: Capacity, max_tokens_per_input: int | None) -> Limits:
    return Limits(
        max_items=most.items,
        max_tokens_per_request=most.tokens,
        max_tokens_per_input=max_tokens_per_input,
        pads=True,
    )
