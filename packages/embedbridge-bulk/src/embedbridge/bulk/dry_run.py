"""Dry run: what a job would come to. Nothing is paid and nothing is written."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from embedbridge.bulk.opening import columns_for, open_job, refuse_limit
from embedbridge.bulk.reading import PART_BYTES, Chunk, partitioned
from embedbridge.bulk.seen import Seen
from embedbridge.bulk.windows import items_per_request
from embedbridge.contract.errors import InvalidInputError
from embedbridge.contract.model import LocalEmbeddingModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from embedbridge.bulk.columns import Columns
    from embedbridge.bulk.stage import EmbedStage
    from embedbridge.bulk.targets.base import Target
    from embedbridge.contract import Input
    from embedbridge.contract.vocabulary import Role, Task
    from embedbridge.core import Embedder

SAMPLES_OF_A_CHUNK = 64
MOST_SAMPLES = 1024
TIMED = 64
"""Samples that a local model embeds, which costs nothing but the time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a job would come to. Rows and contents are counted, all else is reckoned from samples."""

    rows: int
    """Rows of the source."""
    contents: int
    """Contents that would be embedded."""
    repeated: int
    """Rows with the content of another row."""
    kept: int
    """Rows whose vector is there."""
    tokens: int | None
    """Tokens of the contents; `None` where they are no texts."""
    requests: int
    """Calls to the model."""
    cost: float | None
    """What the tokens cost, if a price was given."""
    seconds: float | None
    """How long a local model would take; how fast a server is, only requests tell."""


def estimate(
    source: Any,
    target: str | os.PathLike[str],
    *,
    model: str | Embedder | Mapping[str, Any],
    columns: Columns | None = None,
    text: str | None = None,
    image: str | None = None,
    id: str | None = None,  # noqa: A002  # what the column is called
    keep: Sequence[str] | None = None,
    role: Role = "document",
    task: Task | None = None,
    limit: int | None = None,
    replace: bool = False,
    price: float | None = None,
    filesystem: Any = None,
    part_bytes: int = PART_BYTES,
    **options: Any,
) -> Estimate:
    """What `run` with these arguments would come to; the source is read, nothing is paid.

    It takes no `engine`, `errors` and `progress`: they change no figure of it.

    Raises:
        InvalidOptionError: The source has not these columns, or the target has more rows than `limit`.
        UnsupportedModalityError: The model embeds nothing of their kind.
        SourceError: The source cannot be read.
        TargetError: The target holds something else, or another job writes to it.
        SpaceMismatchError: The target holds vectors of another space.
    """
    opened = open_job(
        source,
        target,
        model=model,
        columns=columns or columns_for(source, text=text, image=image, id=id, keep=keep),
        role=role,
        task=task,
        limit=limit,
        replace=replace,
        filesystem=filesystem,
        part_bytes=part_bytes,
        options=options,
    )
    stage = opened.stage
    opened.target.open(only_reads=True)
    try:
        refuse_limit(opened.target, limit)
        seen = _known(stage, opened.target)
    finally:
        opened.target.close()
    known = len(seen)
    rows = contents = kept = 0
    samples: list[Input] = []
    for chunk in partitioned(opened.source.tables(), stage.columns, opened.sizes, {}, limit):
        if not isinstance(chunk, Chunk):
            continue
        rows += chunk.table.num_rows
        contents += len(chunk.digests)
        numbers, new = seen.claim(chunk.digests)
        kept += int((numbers < known).sum())
        if len(samples) < MOST_SAMPLES:
            samples += _samples(chunk, new)
    if opened.source.damaged:
        raise opened.source.damaged[0]
    fresh = len(seen) - known
    tokens = _tokens(stage, samples, fresh)
    return Estimate(
        rows=rows,
        contents=fresh,
        repeated=contents - kept - fresh,
        kept=kept,
        tokens=tokens,
        requests=_requests(stage, fresh, tokens),
        cost=None if price is None or tokens is None else tokens * price / 1_000_000,
        seconds=_seconds(stage, samples, fresh),
    )


def _known(stage: EmbedStage, target: Target) -> Seen:
    """The contents that have a vector, in the target or in the journal of a job that was killed."""
    seen = Seen()
    for found in target.vectors().digests():
        seen.claim(found.digests[stage.takes(found.truncated)])
    for digests, truncated, zeros in target.journal.digests():
        seen.claim(digests[stage.takes(truncated, zeros)])
    return seen


def _samples(chunk: Chunk, new: NDArray[np.bool_]) -> list[Input]:
    """Some of the new contents of a chunk, from all over it."""
    rows = np.flatnonzero(chunk.present)[new]
    return chunk.contents.inputs(rows[:: max(1, len(rows) // SAMPLES_OF_A_CHUNK)])


def _tokens(stage: EmbedStage, samples: list[Input], contents: int) -> int | None:
    counts = []
    for sample in samples:
        if not isinstance(sample, str):
            return None
        try:
            counts.append(stage.embedder.explain(sample, stage.role, stage.task).tokens)
        except InvalidInputError:
            counts.append(0)  # it would have an error
    return round(sum(counts) / max(1, len(counts)) * contents)


def _requests(stage: EmbedStage, contents: int, tokens: int | None) -> int:
    items = items_per_request(stage.embedder, stage.columns.modality, stage.role)
    by_items = -(-contents // (items or max(1, contents)))
    most_tokens = stage.embedder.card.limits.max_tokens_per_request
    if tokens is None or most_tokens is None:
        return by_items
    return max(by_items, -(-tokens // most_tokens))


def _seconds(stage: EmbedStage, samples: list[Input], contents: int) -> float | None:
    if not isinstance(stage.embedder.model, LocalEmbeddingModel):
        return None
    timed = samples[:: max(1, len(samples) // TIMED)]
    embedder = stage.embedder.using(errors="collect", show_progress=False, cache=False)
    embedder.embed(timed[:1], role=stage.role, task=stage.task)  # the model is loaded here
    began = time.monotonic()
    embedder.embed(timed, role=stage.role, task=stage.task)
    return (time.monotonic() - began) / max(1, len(timed)) * contents
