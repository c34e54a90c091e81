"""What was asked for, and with what: the part of a job that does not change."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from embedbridge.core.images.rules import ImageRules

if TYPE_CHECKING:
    from embedbridge.contract.card import ModelCard
    from embedbridge.contract.model import EmbeddingModel
    from embedbridge.contract.vocabulary import Role, Task
    from embedbridge.core.cache.base import VectorCache
    from embedbridge.core.listeners.announce import Announcer
    from embedbridge.core.remote.limit import Limiter
    from embedbridge.core.settings import Settings


@dataclass(slots=True)
class Pinned:
    """The width of a model's first answer, where no card tells it; later ones must agree."""

    dimensions: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """What was asked, and with what."""

    model: EmbeddingModel
    card: ModelCard
    settings: Settings
    announcer: Announcer
    role: Role
    task: Task | None
    fingerprint: str
    space: str
    pinned: Pinned = field(default_factory=Pinned)
    cache: VectorCache | None = None
    limiter: Limiter | None = None

    @property
    def image_rules(self) -> ImageRules:
        """Which images are taken: the user's rules, and the model's own."""
        limits, settings = self.card.limits, self.settings
        most = limits.max_bytes_per_image, limits.max_pixels_per_image
        return ImageRules(
            max_bytes=min(settings.max_image_bytes, most[0] or settings.max_image_bytes),
            max_pixels=min(settings.max_image_pixels, most[1] or settings.max_image_pixels),
            min_side=settings.min_image_side,
            allow_urls=settings.allow_urls,
        )

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
