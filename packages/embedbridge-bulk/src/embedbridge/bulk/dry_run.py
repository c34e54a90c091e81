"""Dry run: what a job would come to. Nothing is paid and nothing is written."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from embedbridge.bulk.kept_parts import KeptPart, pieces_to_make
from embedbridge.bulk.known import Known
from embedbridge.bulk.opening import columns_for, open_job, refuse_limit
from embedbridge.bulk.reading import PART_BYTES, Part
from embedbridge.bulk.sample import Sample
from embedbridge.bulk.seen import Seen
from embedbridge.bulk.windows import items_per_request
from embedbridge.contract.errors import InvalidInputError
from embedbridge.contract.model import LocalEmbeddingModel
from embedbridge.core.tooling import limits_within

if TYPE_CHECKING:
    from embedbridge.bulk.columns import Columns
    from embedbridge.bulk.job import Errors
    from embedbridge.bulk.reading import Chunk
    from embedbridge.bulk.stage import EmbedStage
    from embedbridge.bulk.targets.base import Target
    from embedbridge.contract import Input
    from embedbridge.contract.vocabulary import Role, Task
    from embedbridge.core import Embedder

TEXTS = 1024
"""Samples of which tokens are counted, at most."""
REFUSED_OR_SKIPPED = ("error", "skip")
"""With these settings for empty texts, none reaches the model."""
TIMED = 64
"""Samples at most that a local model embeds, which costs nothing but the time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a job would come to. Rows and contents are counted, all else is reckoned from samples."""

    rows: int
    """Rows of the source."""
    contents: int
    """Contents that would be embedded; some may turn out to have an error. What cannot be read is none."""
    repeated: int
    """Rows with the content of another row, which is embedded."""
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
    errors: Errors = "fail",
    limit: int | None = None,
    replace: bool = False,
    price: float | None = None,
    filesystem: Any = None,
    part_bytes: int = PART_BYTES,
    **options: Any,
) -> Estimate:
    """What `run` with these arguments would come to; the source is read, nothing is paid.

    It takes no `engine` and `progress`: they change no figure of it. With other `errors` or `part_bytes`
    than those of the run, it tries errors again that the run leaves.

    Raises:
        InvalidOptionError: The source has not these columns, the target has more rows than `limit`,
            or an argument has a value that cannot be.
        UnsupportedModalityError: The model embeds nothing of their kind.
        SourceError: The source cannot be read.
        TargetError: The target holds something else, or another job writes to it.
        SpaceMismatchError: The target holds vectors of another space, or of another width.
        MissingDependencyError: Source or target are of Lance, which is not installed.
        EmbedBridgeError: The model cannot be used.
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
        errors=errors,
        options=options,
    )
    stage = opened.stage
    opened.target.open(only_reads=True)
    try:
        refuse_limit(opened.target, limit)
        count = _Count(stage, _known(stage, opened.target))
        stored = opened.target.parts()
    finally:
        opened.target.close()
    tables = opened.source.tables()
    for piece in pieces_to_make(
        tables, stage, opened.sizes, errors=errors, limit=limit, stored=stored
    ):
        count.add(piece)
    if opened.source.damaged:
        raise opened.source.damaged[0]
    samples = count.sample.inputs
    tokens = _tokens(stage, samples, count.contents)
    return Estimate(
        rows=count.rows,
        contents=count.contents,
        repeated=count.with_vector - count.kept - count.contents,
        kept=count.kept,
        tokens=tokens,
        requests=_requests(stage, count.contents, tokens),
        cost=None if price is None or tokens is None else tokens * price / 1_000_000,
        seconds=_seconds(stage, samples, count.contents),
    )


class _Count:
    """The rows of a source, by what would become of them.

    Args:
        stage: How they are embedded.
        seen: The contents that have a vector.
    """

    def __init__(self, stage: EmbedStage, seen: Seen) -> None:
        self.rows = self.with_vector = self.kept = self.contents = 0
        # Of images only the time is reckoned, and a thousand of them are heavy.
        self.sample = Sample(TEXTS if stage.columns.modality == "text" else TIMED)
        self._known = Known(stage, seen)
        self._refuses_blank = stage.embedder.settings.on_empty in REFUSED_OR_SKIPPED

    def add(self, piece: Chunk | Part | KeptPart) -> None:
        """Count the rows of a chunk, or of a part that is kept."""
        if isinstance(piece, Part):
            return  # its chunks were there before it
        if isinstance(piece, KeptPart):
            self.rows += piece.rows
            self.with_vector += piece.with_vector
            self.kept += piece.with_vector
            return
        numbers, new, has_vector = self._known.claim(piece)
        embedded = np.ones(len(numbers), np.bool_)
        if self._refuses_blank:
            embedded = has_vector | ~piece.contents.is_blank()
        embedded[piece.contents.unread_at] = False
        self.rows += piece.table.num_rows
        self.kept += int(has_vector.sum())
        self.with_vector += int(embedded.sum())
        rows = np.flatnonzero(piece.present)[new & embedded]
        self.contents += len(rows)
        self.sample.add(piece.contents, rows)


def _known(stage: EmbedStage, target: Target) -> Seen:
    """The contents that have a vector, in the target or in the journal of a job that was killed."""
    seen = Seen()
    for found in target.vectors().digests():
        seen.claim(found.digests[stage.takes(found.truncated)])
    for digests, truncated, zeros in target.journal.digests():
        seen.claim(digests[stage.takes(truncated, zeros)])
    return seen


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
    embedder = stage.embedder
    items = items_per_request(embedder, stage.columns.modality, stage.role)
    by_items = -(-contents // (items or max(1, contents)))
    limits = limits_within(embedder.card.limits, embedder.limiter, embedder.settings)
    most_tokens = limits.max_tokens_per_request
    if tokens is None or most_tokens is None:
        return by_items
    return max(by_items, -(-tokens // most_tokens))


def _seconds(stage: EmbedStage, samples: list[Input], contents: int) -> float | None:
    if not isinstance(stage.embedder.model, LocalEmbeddingModel):
        return None
    timed = samples[:: max(1, -(-len(samples) // TIMED))]
    embedder = stage.embedder.using(errors="collect", show_progress=False, cache=False)
    embedder.embed(timed[:1], role=stage.role, task=stage.task)  # the model is loaded here
    began = time.monotonic()
    embedder.embed(timed, role=stage.role, task=stage.task)
    return (time.monotonic() - began) / max(1, len(timed)) * contents
