"""A model in memory, and all that is known about it only then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from embedbridge.contract.card import Limits, ModelCard
from embedbridge.contract.local import (
    damaged,
    folder_identity,
    hub_identity,
    payloads_of,
    prompts_of,
)
from embedbridge.contract.vectors import normalize
from embedbridge.providers.static._folder import Recipe, decide, read_static_folder
from embedbridge.providers.static._source import find_source
from embedbridge.providers.static._table import FILE, Table, load_table
from embedbridge.providers.static._tokens import Tokens, load_tokenizer

if TYPE_CHECKING:
    from pathlib import Path

    from embedbridge.contract.batch import Batch, Vectors
    from embedbridge.providers.static.options import StaticOptions

TOKENS_AT_ONCE = 2**18
"""Tokens of one call: some milliseconds, so that a query of another thread does not wait for long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """One model, ready to embed."""

    table: Table
    """The vectors of tokens."""
    tokens: Tokens
    """Turns texts into numbers."""
    recipe: Recipe
    """How texts become vectors."""
    truncate_dim: int | None
    """Dimensions that are kept at the very end."""
    card: ModelCard
    """What it can do."""
    identity: Mapping[str, object]
    """Which weights it has, and how much of a text it reads."""
    device: str = "cpu"
    """Where it computes."""

    def close(self) -> None:
        """Nothing runs beside it; the memory is free when the last reference to it is gone."""

    def after_fork(self) -> bool:
        """It has neither threads nor locks, so it follows into a child."""
        return True

    def encode(self, batch: Batch) -> Vectors:
        """Vectors of rendered texts, in one pass.

        Args:
            batch: Within the limits of the card.

        Returns:
            Shape (len(batch), dimensions).
        """
        payloads = payloads_of(batch, self.tokens.prepare) or []
        with np.errstate(all="ignore"):  # a program's `np.seterr` is not for numbers near 0
            vectors = self._rounded(self.table.means(*self.tokens.unpack(payloads)))
            if self.recipe.normalizes:
                vectors = self._rounded(normalize(vectors))
        return vectors[:, : self.truncate_dim]

    def _rounded(self, vectors: Vectors) -> Vectors:
        if self.recipe.rounds and self.table.is_half:
            return vectors.astype(np.float16).astype(np.float32)
        return vectors


def load(name: str, place: Path, options: StaticOptions) -> Loaded:
    """Find a model, load it, and learn what it can do.

    Raises:
        ConfigurationError: It cannot be found or loaded.
    """
    source = find_source(name, place, options)
    folder = read_static_folder(source.folder)
    tokenizer = load_tokenizer(folder.place)
    table = load_table(folder.place)
    if tokenizer.highest >= table.tokens:
        raise damaged(
            folder.place / FILE,
            f"it has {table.tokens} tokens, the tokenizer has {tokenizer.highest + 1}",
        )
    recipe = decide(
        folder,
        table.wrote,
        options.compatible_with,
        tokenizer.truncation,
        weighs=table.weights is not None,
    )
    if options.max_length is not None:
        recipe = replace(recipe, max_length=options.max_length)
    if recipe.drops_unknown:
        table = table.without(tokenizer.unknown)
    length = recipe.max_length
    max_chars = None
    if recipe.cuts_characters and length is not None:
        max_chars = tokenizer.characters(length)
    encode, kind = tokenizer.encoder()
    truncate_dim = folder.saved.truncate_dim if options.dimensions is None else None
    prompts = prompts_of(folder.saved.prompts, source.hub_id)
    if source.hub_id is None:
        space, weights = folder_identity(source.folder)
    else:  # the Hub's cache keeps a snapshot in a folder named like its commit
        space, weights = hub_identity(source.hub_id, source.folder.name)
    return Loaded(
        table=table,
        tokens=Tokens(
            encode=encode, kind=kind, max_length=length, left=recipe.left, max_chars=max_chars
        ),
        recipe=recipe,
        truncate_dim=truncate_dim,
        card=ModelCard(
            name=name,
            roles="prefix" if prompts else "none",
            prompts=prompts,
            dimensions=min(table.dimensions, truncate_dim or table.dimensions),
            allowed_dimensions=None,
            limits=Limits(
                max_items=None,
                max_tokens_per_request=TOKENS_AT_ONCE,
                max_tokens_per_input=length,
                max_chars_per_input=max_chars,
            ),
            normalized=recipe.normalizes and truncate_dim is None,
            space=space,
        ),
        identity={**weights, "max_length": length},
    )
