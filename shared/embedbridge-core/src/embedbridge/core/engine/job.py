"""The ledger of a job: what was asked, and by content what is known so far."""

from __future__ import annotations

import itertools
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from embedbridge.contract.batch import Batch, Vectors
from embedbridge.contract.errors import EmbedBridgeError, InvalidInputError, InvalidResponseError
from embedbridge.contract.inputs import Content
from embedbridge.contract.usage import Usage
from embedbridge.core.cache.base import cut_key
from embedbridge.core.engine.bisection import Refusals
from embedbridge.core.engine.dedupe import Copies
from embedbridge.core.engine.tokens import TokenCounts

if TYPE_CHECKING:
    from embedbridge.contract.loaded import Loaded
    from embedbridge.core.engine.coerce import Coerced
    from embedbridge.core.engine.job_spec import JobSpec
    from embedbridge.core.engine.planned import Planned

_numbers = itertools.count(1)


@dataclass(slots=True, kw_only=True)
class Job:
    """The state of a job. A *place* is a unique content, a *position* is a caller's input."""

    spec: JobSpec
    coerced: Coerced
    prompt: str
    unique: list[Content]
    """The different rendered contents; their index is the place."""
    inverse: NDArray[np.intp] | None
    """For each content its place; `None` if no content occurs twice."""

    number: int = field(default_factory=_numbers.__next__)
    started: float = field(default_factory=time.monotonic)
    keys: list[str | None] | None = None
    """By place, the cache key: `None` where it is not known before the image is decoded. No list at
    all where neither a cache nor another request could be asked for it."""
    aliases: dict[int, str] = field(default_factory=dict)
    """By place, a second key: that of the encoded bytes of an image."""
    copies: Copies = field(default_factory=Copies)
    """The contents that are the same picture as another one."""
    done: NDArray[np.bool_] = field(init=False)
    """By place, whether the vector is there."""
    vectors: Vectors | None = None
    """Finished vectors by place; allocated when the first ones arrive, since then the width is known."""
    truncated: NDArray[np.bool_] = field(init=False)
    """By place, whether the text was cut."""
    suspects: set[int] = field(default_factory=set)
    """Places of texts that may be too long: only the server knows."""
    cuts: dict[int, int] = field(default_factory=dict)
    """By place, how often a text was cut because the server refused it."""
    waiting: list[tuple[Planned, EmbedBridgeError]] = field(default_factory=list)
    """Inputs with errors that wait for the end of a search, see `bisection`."""
    unanswered: list[tuple[Planned, EmbedBridgeError]] = field(default_factory=list)
    """Batches that failed before any other was answered: an outage, or an input of theirs."""
    refusals: defaultdict[str, Refusals] = field(default_factory=lambda: defaultdict(Refusals))
    """By modality, the batches that were refused since one was accepted."""
    failed: dict[int, EmbedBridgeError] = field(default_factory=dict)
    """By place, the error of a content that could not be embedded."""
    order: NDArray[np.intp] | None = None
    """All contents, those of a place together and in order; `None` before it is asked for."""
    starts: NDArray[np.intp] | None = None
    """By place, where its contents begin in `order`."""
    repeats: NDArray[np.intp] | None = None
    """By place, how many of the caller's inputs are this content; `None` if no content occurs twice."""
    tokens: TokenCounts = field(init=False)
    """Counts the tokens of `unique`, which is its list too."""
    cached: int = 0
    zeros: int = 0
    """Vectors of zeros that the model answered."""
    requests: int = 0
    usage: Usage = field(default_factory=Usage)

    def __post_init__(self) -> None:
        self.done = np.zeros(len(self.unique), dtype=np.bool_)
        self.truncated = np.zeros(len(self.unique), dtype=np.bool_)
        if self.inverse is not None:
            self.repeats = np.bincount(self.inverse, minlength=len(self.unique))
        self.tokens = TokenCounts(
            self.spec.model, self.unique, role=self.spec.role, prompt=self.prompt
        )

    # Errors: raised at once, or kept for their inputs.

    def fail(
        self, places: Sequence[int], error: EmbedBridgeError, *, names_input: bool = True
    ) -> None:
        """Some contents cannot be embedded: raise the error, or keep it and go on without them.

        Args:
            places: Of the contents.
            error: The error; its index becomes the position of the content, if there is one.
            names_input: Whether it may: the error of several batches names no input.
        """
        spec = self.spec
        error.locate(provider=spec.model.provider, model=spec.model.name)
        if isinstance(error, InvalidInputError) and len(places) == 1 and names_input:
            error.index = int(self.first_positions(np.array(places, dtype=np.intp))[0])
        self.failed.update(dict.fromkeys(places, error))
        if spec.settings.errors == "raise":
            raise error

    def occurrences(self, places: NDArray[np.intp] | list[int]) -> int:
        """How many of the caller's inputs are one of these contents, or a copy of one."""
        if self.copies:
            places = self.copies.with_copies(map(int, places))
        return len(places) if self.repeats is None else int(self.repeats[places].sum())

    # None of these looks at the whole job for each batch: a job may have as many batches as inputs.

    def first_positions(self, places: NDArray[np.intp]) -> NDArray[np.intp]:
        """For each of some contents the first position at which it stands."""
        contents = places
        if self.inverse is not None:
            order, starts = self._by_place(self.inverse)
            contents = order[starts[places]]
        return self._positions_of(contents)

    def positions(self, places: NDArray[np.intp], most: int) -> list[int]:
        """The first positions in the caller's inputs at which one of some contents, or a copy, stands.

        Args:
            places: Of the contents.
            most: How many positions; they are in order.
        """
        if self.copies:
            places = self.copies.with_copies(places.tolist())
        contents = places
        if self.inverse is not None:
            order, starts = self._by_place(self.inverse)
            # What stands first nowhere among the first is not among them a second time either.
            first = places[np.argsort(order[starts[places]])[:most]].tolist()
            found = [order[starts[place] : starts[place + 1]][:most] for place in first]
            contents = np.concatenate(found) if found else places
        some: list[int] = self._positions_of(np.sort(contents)[:most]).tolist()
        return some

    def _by_place(self, inverse: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """`order` and `starts`, made once: it sorts the whole job."""
        if self.order is None or self.starts is None:
            self.order = np.argsort(inverse, kind="stable")
            repeats = np.bincount(inverse, minlength=len(self.unique))
            self.starts = np.concatenate((np.zeros(1, dtype=np.intp), np.cumsum(repeats)))
        return self.order, self.starts

    def _positions_of(self, contents: NDArray[np.intp]) -> NDArray[np.intp]:
        positions = self.coerced.positions
        if positions is None:
            return contents
        return np.array([positions[content] for content in contents.tolist()], dtype=np.intp)

    # Batches: made from a plan, and accepted when their vectors are final.

    def batch(self, planned: Planned) -> Batch:
        """The batch that the model gets."""
        spec = self.spec
        return Batch(
            inputs=self._inputs(planned),
            modality=planned.modality,
            role=spec.role,
            task=spec.task,
            dimensions=spec.model.options.dimensions if spec.card.requests_dimensions else None,
            prompt=self.prompt,
            tokens=planned.tokens,
            prepared=self.tokens.payloads(planned.places) if planned.modality == "text" else {},
        )

    def _inputs(self, planned: Planned) -> Sequence[Loaded]:
        if planned.loaded is not None:
            return planned.loaded
        return [self.unique[place] for place in planned.places.tolist()]

    def keys_of(self, planned: Planned) -> list[str]:
        """The key of each content of a batch; all are known once its images are decoded."""
        assert self.keys is not None  # noqa: S101  # only caches and remote models ask
        return cast("list[str]", [self.keys[place] for place in planned.places.tolist()])

    def cache_keys_of(
        self, planned: Planned, truncated: Sequence[bool] = ()
    ) -> list[tuple[str, ...]]:
        """The keys under which the cache keeps each vector of a batch; an image may have several.

        Args:
            planned: The batch.
            truncated: For each input, whether only a part of it was read; empty for none.
        """
        places, keys = planned.places.tolist(), self.keys_of(planned)
        if any(truncated):
            cut = zip(keys, truncated, strict=True)
            keys = [cut_key(key) if is_cut else key for key, is_cut in cut]
        return [
            (key, *self._aliases_of(place)) if place in self.aliases else (key,)
            for place, key in zip(places, keys, strict=True)
        ]

    def _aliases_of(self, place: int) -> list[str]:
        """The second keys of an image, and of the copies of it that were decoded."""
        names = (place, *self.copies.of(place))
        return list(dict.fromkeys(self.aliases[name] for name in names if name in self.aliases))

    def store(self, places: NDArray[np.intp], vectors: Vectors) -> None:
        """Keep finished vectors.

        Raises:
            InvalidResponseError: They are not as wide as those that came before.
        """
        if self.vectors is None:
            self.vectors = np.empty((len(self.unique), vectors.shape[1]), dtype=np.float32)
        if vectors.shape[1] != self.vectors.shape[1]:
            raise InvalidResponseError(
                f"The width changed within the job: {self.vectors.shape[1]} dimensions, "
                f"then {vectors.shape[1]}."
            )
        self.vectors[places] = vectors
        self.done[places] = True
        self.tokens.forget(places)
