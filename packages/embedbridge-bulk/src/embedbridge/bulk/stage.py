"""Embed stage: an Arrow table in, the same table with vectors out. It travels to workers by pickle.

Each process loads the model when it embeds its first row, and stages with one configuration share it
(`shared_embedders`). What travels is the configuration, without model and secrets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa

from embedbridge.bulk.columns import Columns
from embedbridge.bulk.contents import Contents
from embedbridge.bulk.errors import error_text
from embedbridge.bulk.output import Embedded, attach, output_schema, spread
from embedbridge.bulk.plain import plain_table
from embedbridge.bulk.provenance import Provenance
from embedbridge.bulk.reading import light_pieces
from embedbridge.bulk.shared_embedders import place_of, shared_embedder
from embedbridge.contract.errors import (
    AuthenticationError,
    ConfigurationError,
    InvalidImageError,
    InvalidInputError,
    QuotaExhaustedError,
    UnsupportedModalityError,
)
from embedbridge.contract.image import Image
from embedbridge.contract.inputs import Mixed
from embedbridge.core import Embedder, load_embedder
from embedbridge.core.tooling import open_image, portable_limiter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from embedbridge.contract import Input
    from embedbridge.contract.vocabulary import Role, Task
    from embedbridge.core import EmbeddingResult, Limiter, OnBatch
    from embedbridge.core.tooling import ImageRules

FEW = 8
"""Rows: if fewer fail together, it may be for what they are."""
ROWS_AT_ONCE = 16384
"""Rows of a table whose vectors are one array."""
BYTES_AT_ONCE = 1 << 28
"""Of these rows, about: images take many times as much where they are decoded."""

IMAGE_LIMITS = ("max_image_bytes", "max_image_pixels", "min_image_side")
POLICIES = ("on_empty", "on_too_long", "on_zero_vector", "allow_urls", *IMAGE_LIMITS)


class EmbedStage:
    """Embeds the rows of tables. A bad row costs itself; a null has no vector and no error.

    The output has the kept columns, then `vector`, `embedding_error` (null, or `kind: message`),
    `truncated` and `content_digest`. Rows stay in order.

    Example:
        stage = EmbedStage("default", Columns(id="sku", text="title"))
        table = stage(pyarrow.table({"sku": [1, 2], "title": ["a lamp", None]}))

    Args:
        model: `"provider:model"`, an `Embedder`, or what `Embedder.to_config` returned.
        columns: Which columns are embedded, and which are kept.
        role: Which side of a search the rows are.
        task: An optional hint for models that know tasks.
        options: Of the model and the engine, as for `load_embedder`; `errors` and `show_progress` have
            no effect, since errors go to their column. Of limiters, only those travel with the stage
            that keep their books outside of this process.
    """

    def __init__(
        self,
        model: str | Embedder | Mapping[str, Any],
        columns: Columns,
        *,
        role: Role = "document",
        task: Task | None = None,
        **options: Any,
    ) -> None:
        self.columns = columns
        self.role: Role = role
        self.task: Task | None = task
        self._embedder: Embedder | None = None
        self._place: str | None = None
        if isinstance(model, Embedder):
            self._embedder = load_embedder(model, **options)
            self._options: dict[str, Any] = {}
            self._model: str | Mapping[str, Any] | None = None
        else:
            self._model, self._options = model, options

    @property
    def embedder(self) -> Embedder:
        """The embedder of this process, made when it is first asked for."""
        if self._embedder is None:
            assert self._model is not None  # noqa: S101  # one of both is there
            self._embedder = shared_embedder(self._model, self._options, self._place)
        return self._embedder

    @property
    def policies(self) -> dict[str, str]:
        """Settings, other than the default, that decide whether a row has a vector or an error.

        They are no part of a fingerprint: the vectors that there are stay the same.
        """
        settings = self.embedder.settings
        values = {name: getattr(settings, name) for name in POLICIES}
        fields = type(settings).model_fields
        return {
            name: repr(value) for name, value in values.items() if value != fields[name].default
        }

    def takes(
        self, truncated: NDArray[np.bool_], zeros: NDArray[np.bool_] | None = None
    ) -> NDArray[np.bool_]:
        """Which vectors of an earlier job it may take: none of a text that should have been an error.

        Nor zeros: a setting let them be, and may say something else now.

        Args:
            truncated: Which are of texts that were cut.
            zeros: Which are zeros; `None` in a target, where those have no digest.
        """
        must_fail = truncated & (self.embedder.settings.on_too_long == "error")
        return ~must_fail if zeros is None else ~(must_fail | zeros)

    def refuses(self, contents: Contents, known: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which contents would have no vector now, or another one, with the settings of today.

        Empty texts, unless they are embedded; and images beyond a limit that is set, by size alone.
        What is behind a URL is not fetched for that: its vector is taken.

        Args:
            contents: Of a chunk.
            known: Which of the rows that have a content have a vector: no other is looked at.
        """
        settings = self.embedder.settings
        refused = np.zeros(len(known), np.bool_)
        if settings.on_empty != "embed" and self.columns.text is not None:
            refused |= contents.is_blank()
        if self.columns.image is not None and any(limit in self.policies for limit in IMAGE_LIMITS):
            at = np.flatnonzero(known & ~refused)
            inputs = contents.inputs(np.flatnonzero(contents.present)[at])
            rules = settings.image_rules
            refused[at] = [not _is_within(rules, one) for one in inputs]
        return refused

    @property
    def provenance(self) -> Provenance:
        """How the vectors are made."""
        embedder = self.embedder
        return Provenance(
            space=embedder.space, fingerprint=embedder.fingerprint, role=self.role, task=self.task
        )

    def check(self, schema: pa.Schema) -> None:
        """Make sure that tables of this schema can be embedded, before the first row is.

        Raises:
            InvalidOptionError: They have not the columns that were named.
            UnsupportedModalityError: The model embeds nothing of their kind: no row would have a
                vector.
        """
        self.columns.check(schema)
        card, modality = self.embedder.card, self.columns.modality
        if modality not in card.modalities:
            raise UnsupportedModalityError(
                f"{card.name} embeds {' and '.join(card.modalities)}, not {modality}, which "
                f"{' and '.join(self.columns.embedded)} of the source would be.",
                hint="Name other columns, or a model whose card lists that modality.",
            )

    def __call__(self, table: pa.Table | pa.RecordBatch) -> pa.Table:
        """Embed the rows of a table.

        Raises:
            InvalidOptionError: It has not the columns that were named.
            UnsupportedModalityError: The model embeds nothing of their kind.
            EmbedBridgeError: The model cannot be used at all: no key, no credit, no server.
        """
        if isinstance(table, pa.RecordBatch):
            table = pa.Table.from_batches([table])
        self.check(table.schema)
        pieces = [
            self._embed(piece)
            for start in range(0, table.num_rows, ROWS_AT_ONCE)
            for piece in light_pieces(plain_table(table.slice(start, ROWS_AT_ONCE)), BYTES_AT_ONCE)
        ]
        return pa.concat_tables(pieces) if pieces else self._schema(table.schema).empty_table()

    def embed(self, inputs: Sequence[Input], on_batch: OnBatch | None = None) -> EmbeddingResult:
        """Embed contents; a bad one is in the errors of the result.

        Args:
            inputs: Of rows that have a content.
            on_batch: Called with the vectors of each batch as soon as they are there.

        Raises:
            EmbedBridgeError: The model cannot be used at all: no key, no credit, no server.
        """
        embedder = self.embedder.using(errors="collect", show_progress=False)
        result = embedder.embed(inputs, role=self.role, task=self.task, on_batch=on_batch)
        stop_if_unusable(result)
        return result

    def _schema(self, source: pa.Schema) -> pa.Schema:
        return output_schema(source, self.columns, self.provenance, self.embedder.dimensions)

    def _embed(self, table: pa.Table) -> pa.Table:
        contents = Contents(table, self.columns)
        rows = np.flatnonzero(contents.present)
        result = self.embed(contents.inputs(rows))
        embedded = _of_all(result, rows, table.num_rows)
        digests = contents.digests()
        return attach(table, self._schema(table.schema), embedded, digests, contents.present)

    def __copy__(self) -> Self:
        # In this process it is there once: by `__reduce__` a key that was passed would be lost.
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        config = self.embedder.to_config()  # without secrets: workers have their own
        limiter = portable_limiter(self.embedder.limiter)
        # A worker may stand in another folder, where a relative name is another model, or none.
        place = place_of(self.embedder)
        return _restore, (config, self.columns, self.role, self.task, limiter, place)


def _restore(
    config: Mapping[str, Any],
    columns: Columns,
    role: Role,
    task: Task | None,
    limiter: Limiter | None = None,
    place: str | None = None,
) -> EmbedStage:
    options = {} if limiter is None else {"limiter": limiter}
    stage = EmbedStage(config, columns, role=role, task=task, **options)
    stage._place = place  # noqa: SLF001  # of our own class
    return stage


def stop_if_unusable(result: EmbeddingResult) -> None:
    """Raise what would meet every further row: a wrong key, no credit, or a server that is gone.

    Raises:
        EmbedBridgeError: The error of all rows.
    """
    for error in result.errors.values():
        if isinstance(error, ConfigurationError | AuthenticationError | QuotaExhaustedError):
            raise error
    others = [error for error in result.errors.values() if not isinstance(error, InvalidInputError)]
    if len(others) >= FEW and not result.ok.any():
        raise others[0]


def _of_all(result: EmbeddingResult, rows: NDArray[np.intp], total: int) -> Embedded:
    """The result of the rows that have a content, as that of all rows."""
    errors = {int(rows[at]): error_text(error) for at, error in result.errors.items()}
    return Embedded(
        vectors=spread(result.vectors, rows, total),
        has_vector=spread(result.ok, rows, total),
        truncated=spread(result.truncated, rows, total),
        errors=errors,
    )


def _is_within(rules: ImageRules, content: Input) -> bool:
    """Whether the image of a content is within these limits, by its header."""
    parts = content.parts if isinstance(content, Mixed) else (content,)
    try:
        for image in parts:
            if isinstance(image, Image):
                open_image(image, rules)
    except InvalidImageError:
        return False
    return True
