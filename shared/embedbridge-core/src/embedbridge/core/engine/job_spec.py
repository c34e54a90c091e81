"""The specification of a job: what was asked, and with what. It does not change."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, get_args

from embedbridge.contract.errors import InvalidOptionError
from embedbridge.contract.vocabulary import Task
from embedbridge.core.notices import Notices
from embedbridge.core.remote.limit import limits_within

if TYPE_CHECKING:
    from collections.abc import Hashable

    from embedbridge.contract.card import Limits, ModelCard
    from embedbridge.contract.model import EmbeddingModel
    from embedbridge.contract.vocabulary import Role
    from embedbridge.core.cache.base import VectorCache
    from embedbridge.core.images.rules import ImageRules
    from embedbridge.core.listeners.announce import Announcer
    from embedbridge.core.remote.endpoint import Endpoint
    from embedbridge.core.remote.limit import Limiter
    from embedbridge.core.result import OnBatch
    from embedbridge.core.settings import Settings


@dataclass(slots=True)
class Pinned:
    """The width of a model's first answer, where its card has none; later answers must agree."""

    dimensions: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """What was asked, and with what.

    Raises:
        InvalidOptionError: There is no such role or task, the model cannot make that width, or
            `on_batch` is no function that takes a batch.
    """

    model: EmbeddingModel
    card: ModelCard
    """The model's, read once for the whole job."""
    settings: Settings
    announcer: Announcer
    role: Role
    task: Task | None
    fingerprint: str
    space: str
    endpoint: Endpoint
    pinned: Pinned = field(default_factory=Pinned)
    cache: VectorCache | None = None
    limiter: Limiter | None = None
    on_batch: OnBatch | None = None
    notices: Notices = field(default_factory=Notices)
    """Gets what the job has to warn of; who waits for the job gives that to its caller."""

    def __post_init__(self) -> None:
        if self.role not in ("query", "document"):
            raise InvalidOptionError(f"Unknown role {self.role!r}.", hint="'query' or 'document'.")
        if self.task is not None and self.task not in get_args(Task):
            raise InvalidOptionError(
                f"Unknown task {self.task!r}.", hint=f"One of: {', '.join(get_args(Task))}."
            )
        wanted = self.model.options.dimensions
        if wanted is not None and not self.card.allows(wanted):
            raise _wrong_dimensions(wanted, self.card)
        if self.on_batch is not None:
            _check_on_batch(self.on_batch)

    @property
    def max_concurrency(self) -> int:
        """Requests in flight at once: as many as the user wants, and the server's cap at most."""
        wanted, server_cap = self.settings.max_concurrency, self.card.limits.max_concurrency
        return wanted if server_cap is None else min(wanted, server_cap)

    @property
    def lane(self) -> Hashable:
        """What decides how long a request waits until it goes out; equal for those that wait alike."""
        return id(self.limiter), self.max_concurrency, self.settings.deadline

    @property
    def limits(self) -> Limits:
        """The card's, with no more tokens in a request than the limiter admits per minute."""
        return limits_within(self.card.limits, self.limiter)

    @property
    def image_rules(self) -> ImageRules:
        """Which images are accepted: within the user's limits and the model's."""
        return self.settings.image_rules.within(self.card.limits)

    @property
    def answered_dimensions(self) -> int | None:
        """The width that the model itself will answer with, if it is known."""
        asked = self.model.options.dimensions
        if asked and self.card.requests_dimensions:
            return asked
        return self.card.dimensions or self.pinned.dimensions

    @property
    def final_dimensions(self) -> int | None:
        """The width that the caller gets, if it is known."""
        return self.model.options.dimensions or self.card.dimensions or self.pinned.dimensions


def _check_on_batch(on_batch: object) -> None:
    """Make sure that it can be called: else that is found when the first batch is paid for."""
    named = getattr(on_batch, "__name__", type(on_batch).__name__)
    hint = "Pass a function of (positions, vectors, truncated)."
    if not callable(on_batch):
        raise InvalidOptionError(f"on_batch is {named}, which cannot be called.", hint=hint)
    if inspect.iscoroutinefunction(on_batch) or inspect.iscoroutinefunction(on_batch.__call__):
        raise InvalidOptionError(
            f"on_batch is {named}, which is async: nobody would wait for it.",
            hint="Pass a plain function: it is called in a thread, and may block.",
        )
    try:
        signature = inspect.signature(on_batch)
    except (TypeError, ValueError):  # of some functions in C it is not known
        return
    try:
        signature.bind(None, None, None)
    except TypeError:
        raise InvalidOptionError(
            f"on_batch is {named}, which does not take three arguments.", hint=hint
        ) from None


def _wrong_dimensions(wanted: int, card: ModelCard) -> InvalidOptionError:
    if card.allowed_dimensions is None:
        allowed = f"1 to {card.dimensions}"
    else:
        widths = {*card.allowed_dimensions, card.dimensions or 0} - {0}
        least, most = min(widths, default=0), max(widths, default=0)
        any_between = 1 < len(widths) == most - least + 1
        allowed = f"{least} to {most}" if any_between else ", ".join(map(str, sorted(widths)))
    return InvalidOptionError(
        f"{card.name} cannot make vectors of {wanted} dimensions.",
        hint=f"It takes: {allowed or 'no choice'}.",
    )
