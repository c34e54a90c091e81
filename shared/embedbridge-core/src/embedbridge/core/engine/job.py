"""One job on its way through the pipeline: what was asked, and what is known so far."""

from __future__ import annotations

import copy
import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from embedbridge.contract.batch import Batch, Usage, Vectors
from embedbridge.contract.errors import EmbedBridgeError, InvalidInputError, InvalidResponseError
from embedbridge.contract.events import BatchFinished, JobFinished, JobStarted
from embedbridge.contract.inputs import Content, Mixed
from embedbridge.contract.loaded import Loaded, LoadedImage, LoadedMixed
from embedbridge.core.engine.planned import Planned
from embedbridge.core.engine.tokens import TokenCounts
from embedbridge.core.result import EmbeddingResult

if TYPE_CHECKING:
    from embedbridge.contract.vocabulary import Modality
    from embedbridge.core.engine.coerce import Coerced
    from embedbridge.core.engine.job_spec import JobSpec

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """The answer to a batch: checked, finished, and written to the cache."""

    vectors: Vectors
    """One row per input."""
    truncated: Sequence[bool]
    """Per input, whether the model cut it; empty if it does not tell."""
    usage: Usage | None
    """What the model reported."""
    attempts: int
    """Requests made."""


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

    number: int = field(default_factory=lambda: next(_numbers))
    started: float = field(default_factory=time.monotonic)
    keys: list[str] = field(default_factory=list)
    """The cache key of each place, where there is a cache or a wire; `""` if it is not known yet."""
    aliases: dict[int, str] = field(default_factory=dict)
    """By place, a second key: that of the encoded bytes of an image."""
    hits: NDArray[np.bool_] = field(init=False)
    """By place, which the cache answered."""
    done: NDArray[np.bool_] = field(init=False)
    """By place, which have their vector."""
    vectors: Vectors | None = None
    """Finished vectors by place; made when the first ones arrive and tell their width."""
    truncated: NDArray[np.bool_] = field(init=False)
    """By place, which were cut."""
    suspects: set[int] = field(default_factory=set)
    """Places of texts that may be too long: nobody but the server can tell."""
    failed: dict[int, EmbedBridgeError] = field(default_factory=dict)
    """By place, what could not be embedded."""
    occurrences: NDArray[np.intp] = field(init=False)
    """By place, how many of the caller's inputs it stands for."""
    tokens: TokenCounts = field(init=False)
    cached: int = 0
    requests: int = 0
    usage: Usage = field(default_factory=Usage)

    def __post_init__(self) -> None:
        self.hits = np.zeros(len(self.unique), dtype=np.bool_)
        self.done = np.zeros(len(self.unique), dtype=np.bool_)
        self.truncated = np.zeros(len(self.unique), dtype=np.bool_)
        self.occurrences = np.ones(len(self.unique), dtype=np.intp)
        if self.inverse is not None:
            self.occurrences = np.bincount(self.inverse, minlength=len(self.unique))
        self.tokens = TokenCounts(self.spec.model, list(map(text_of, self.unique)))

    # Errors: raised at once, or kept for their inputs.

    def fail(self, places: Sequence[int], error: EmbedBridgeError) -> None:
        """Some contents cannot be embedded: give up, or go on without them."""
        spec = self.spec
        error.locate(provider=spec.model.provider, model=spec.model.name)
        if isinstance(error, InvalidInputError) and len(places) == 1:
            error.index = self.positions(places[0])[0]
        self.failed.update(dict.fromkeys(places, error))
        if spec.settings.errors == "raise":
            raise error

    def positions(self, place: int) -> list[int]:
        """Where a content stood in what the caller handed over: once, or more often."""
        contents = [place] if self.inverse is None else np.flatnonzero(self.inverse == place)
        return [self.coerced.position(int(content)) for content in contents]

    # Batches: made from a plan, and accepted when their vectors are final.

    def batch(self, planned: Planned) -> Batch:
        """What goes to the model."""
        spec = self.spec
        return Batch(
            inputs=self._inputs(planned),
            modality=planned.modality,
            role=spec.role,
            task=spec.task,
            dimensions=spec.model.options.dimensions if spec.card.requests_dimensions else None,
            prompt=self.prompt,
            tokens=planned.tokens,
        )

    def _inputs(self, planned: Planned) -> Sequence[Loaded]:
        if planned.loaded is not None:
            return planned.loaded
        return [self.unique[place] for place in planned.places.tolist()]

    def cache_keys_of(self, planned: Planned) -> list[tuple[str, ...]]:
        """The keys under which the cache keeps each vector of a batch."""
        aliases = self.aliases
        return [
            (self.keys[place], aliases[place]) if place in aliases else (self.keys[place],)
            for place in planned.places.tolist()
        ]

    def accept(self, planned: Planned, landed: Landed, *, seconds: float) -> None:
        """Keep the vectors of a batch, and count what they cost."""
        self.store(planned.places, landed.vectors)
        if len(landed.truncated):
            self.truncated[planned.places] |= np.asarray(landed.truncated, dtype=np.bool_)
        usage = landed.usage or Usage(
            tokens=planned.tokens,
            images=sum(map(images_in, planned.loaded or ())),
            estimated=self.tokens.estimated,
        )
        self.usage += usage
        self.announce_batch(planned, seconds=seconds, attempts=landed.attempts, usage=usage)

    def recall(self, known: Mapping[int, NDArray[np.float32]], modality: Modality) -> None:
        """Keep vectors that the cache had, after all, under another file's name."""
        places = np.array(list(known), dtype=np.intp)
        self.store(places, np.stack(list(known.values())))
        self.hits[places] = True
        self.cached += len(places)
        found = Planned(places=places, modality=modality, tokens=0)
        self.announce_batch(found, seconds=0.0, attempts=0, usage=Usage())

    def refuse(self, place: int, modality: Modality, error: EmbedBridgeError) -> None:
        """An image turned out to be bad when it was opened."""
        found = Planned(places=np.array([place], dtype=np.intp), modality=modality, tokens=0)
        self.announce_batch(found, seconds=0.0, attempts=0, usage=Usage(), error=error)
        self.fail([place], error)

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

    # Events.

    def announce_start(self, batches: int) -> None:
        """The job is planned."""
        if self.spec.announcer:
            self._announce(
                JobStarted,
                role=self.spec.role,
                inputs=self.coerced.total,
                unique=len(self.unique),
                cached=self.cached,
                batches=batches,
            )

    def announce_batch(
        self,
        planned: Planned,
        *,
        seconds: float,
        attempts: int,
        usage: Usage,
        error: Exception | None = None,
    ) -> None:
        """A batch has its vectors, or an error for good."""
        if self.spec.announcer:
            self._announce(
                BatchFinished,
                modality=planned.modality,
                inputs=int(self.occurrences[planned.places].sum()),
                seconds=seconds,
                attempts=attempts,
                dimensions=self.spec.final_dimensions,
                usage=usage,
                error=type(error).__name__ if error else None,
            )

    def announce_end(self, error: BaseException | None) -> None:
        """The job is over."""
        if self.spec.announcer:
            self._announce(
                JobFinished,
                seconds=time.monotonic() - self.started,
                usage=self.usage,
                requests=self.requests,
                failed=int(self.occurrences[list(self.failed)].sum()) + len(self.coerced.errors),
                error=type(error).__name__ if error else None,
            )

    def _announce(self, kind: Any, **values: Any) -> None:
        model = self.spec.model
        event = kind(job=self.number, provider=model.provider, model=model.name, **values)
        self.spec.announcer.announce(event)

    # The end: back to what the caller handed over.

    def scatter(self) -> EmbeddingResult:
        """Vectors go back to the positions of their inputs, the repeated ones several times."""
        spec, coerced = self.spec, self.coerced
        self._make_sure_of_all()
        vectors, truncated = self._vectors_or_nothing(), self.truncated
        errors: dict[int, EmbedBridgeError] = dict(coerced.errors)
        vectors[list(self.failed)] = np.nan
        for content in self._failed_contents():
            place = content if self.inverse is None else int(self.inverse[content])
            position = coerced.position(content)
            errors[position] = _for_position(self.failed[place], position)
        if self.inverse is not None:
            vectors, truncated = vectors[self.inverse], truncated[self.inverse]
        if coerced.positions is not None and len(coerced.positions) < coerced.total:
            spread = np.full((coerced.total, vectors.shape[1]), np.nan, dtype=np.float32)
            spread[coerced.positions] = vectors
            spread[coerced.zeros] = 0
            flags = np.zeros(coerced.total, dtype=np.bool_)
            flags[coerced.positions] = truncated
            vectors, truncated = spread, flags
        return EmbeddingResult(
            vectors=vectors,
            truncated=truncated,
            errors=dict(sorted(errors.items())),
            usage=self.usage,
            cached=self.cached,
            requests=self.requests,
            role=spec.role,
            space=spec.space,
            fingerprint=spec.fingerprint,
        )

    def _make_sure_of_all(self) -> None:
        """A row that nobody wrote must not be handed out: it would look like a vector."""
        open_ = ~self.done
        open_[list(self.failed)] = False
        if open_.any():
            raise EmbedBridgeError(
                f"{int(open_.sum())} inputs got neither a vector nor an error.",
                hint="This is a bug of embedbridge: please report it.",
                provider=self.spec.model.provider,
                model=self.spec.model.name,
            )

    def abort(self, error: BaseException) -> None:
        """Hand what is finished to the caller with the error: it was paid for."""
        if isinstance(error, EmbedBridgeError) and self.done.any() and error.partial is None:
            reason = error
            if isinstance(error, InvalidInputError):  # the others are not to blame
                reason = EmbedBridgeError("Not embedded: the job was given up for another input.")
                reason.__cause__ = error
            for place in np.flatnonzero(~self.done).tolist():
                self.failed.setdefault(place, reason)
            error.partial = self.scatter()

    def _failed_contents(self) -> list[int]:
        failed = list(self.failed)
        if self.inverse is None:
            return failed
        found: list[int] = np.flatnonzero(np.isin(self.inverse, failed)).tolist()
        return found

    def _vectors_or_nothing(self) -> Vectors:
        if self.vectors is not None:
            return self.vectors
        width = self.spec.final_dimensions
        if self.coerced.zeros and width is None:
            raise InvalidInputError(
                "How wide a vector of zeros must be is not known before the first real one.",
                index=self.coerced.zeros[0],
                hint="Embed a text first, set `dimensions`, or use on_empty='error'.",
            )
        return np.full((len(self.unique), width or 0), np.nan, dtype=np.float32)


def images_in(content: Loaded) -> int:
    """How many images an input holds."""
    if isinstance(content, LoadedMixed):
        return sum(map(images_in, content.parts))
    return int(isinstance(content, LoadedImage))


def text_of(content: Content) -> str | None:
    """The text of a content, for counting tokens; an image has none."""
    if isinstance(content, str):
        return content
    if isinstance(content, Mixed):
        return "".join(part for part in content.parts if isinstance(part, str))
    return None


def _for_position(error: EmbedBridgeError, position: int) -> EmbedBridgeError:
    """The same error for each of several equal inputs, with the index of its own."""
    if not isinstance(error, InvalidInputError) or error.index == position:
        return error
    twin = copy.copy(error)
    twin.index = position
    return twin
