"""Model cards: what a model can do, as data. Imports neither NumPy nor pydantic: plugins load it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias, get_args

from embedbridge.contract.errors import ConfigurationError
from embedbridge.contract.vocabulary import Modality, Role, Task

HowRoles: TypeAlias = Literal["field", "prefix", "none"]
PROMPTED = (*get_args(Role), *get_args(Task))
"""What a prompt may be for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one request and one input may hold. `None` means: no limit that we know of."""

    max_items: int | None = 32
    """Inputs per request."""
    first_items: int | None = None
    """Texts per request to begin with, where the server's own limit is not known. The engine sends
    more, up to `max_items`, while the server takes them and gets faster by it."""
    max_items_by_modality: Mapping[Modality, int] = field(default_factory=dict)
    """Inputs per request where a modality has a limit of its own."""
    max_queries: int | None = None
    """Queries per request, where a model takes fewer of them than of documents."""
    max_tokens_per_request: int | None = None
    """Tokens per request, all inputs together (with padding, where `pads`)."""
    max_bytes_per_request: int | None = None
    """Bytes of content per request."""
    max_tokens_per_input: int | None = None
    """Tokens per text, special tokens included."""
    max_tokens_by_role: Mapping[Role, int | None] = field(default_factory=dict)
    """The same by role, where a model reads another number of tokens of a query than of a document.
    `max_tokens_per_input` is then the larger one."""
    max_chars_per_input: int | None = None
    """Characters per text."""
    max_bytes_per_image: int | None = None
    """Encoded bytes per image."""
    max_pixels_per_image: int | None = None
    """Width times height per image."""
    max_pixels_per_request: int | None = None
    """Pixels per batch, all images together; what is decoded at once costs memory."""
    pads: bool = False
    """Whether a batch costs its longest input times its items, as in a local transformer."""
    max_concurrency: int | None = None
    """Requests in flight at once that the server accepts; `None` leaves it to the settings."""

    def reading(self, tokens: int | None) -> Limits:
        """These limits where the model reads only so many tokens of each text; `None` changes nothing."""
        if tokens is None:
            return self
        most = min(tokens, self.max_tokens_per_input or tokens)
        by_role = {
            role: min(tokens, own or tokens) for role, own in self.max_tokens_by_role.items()
        }
        return replace(self, max_tokens_per_input=most, max_tokens_by_role=by_role)

    def for_role(self, role: Role) -> Limits:
        """These limits where all inputs are queries, or all are documents."""
        if not self.max_tokens_by_role or role not in self.max_tokens_by_role:
            return self
        most = self.max_tokens_by_role[role]
        return replace(self, max_tokens_per_input=most, max_tokens_by_role={})

    def items(self, modality: Modality, role: Role = "document") -> int | None:
        """Inputs of one modality and role per request."""
        items = self.max_items_by_modality.get(modality, self.max_items)
        if role == "document" or self.max_queries is None:
            return items
        return self.max_queries if items is None else min(items, self.max_queries)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """What one model is and can do.

    An unknown model gets a card with conservative limits, so that a vendor's newest model works on
    the day it appears: `ModelCard(name="brand-new")`.
    """

    name: str
    """The model's name, as its vendor spells it."""
    modalities: tuple[Modality, ...] = ("text",)
    """What it embeds."""
    roles: HowRoles = "none"
    """How the role reaches the model: a field of the request, a text in front, or not at all.

    The contract suite checks it: with `"field"`, query and document must differ.
    """
    prompts: Mapping[str, str] = field(default_factory=dict)
    """The text in front of every input, by task or role; where `roles` is `"none"`, there is none."""
    dimensions: int | None = None
    """Width of a vector as the model makes it; `None` where it is known only after the first answer."""
    allowed_dimensions: tuple[int, ...] | None = ()
    """Other widths that may be asked for: a list, `()` for none, `None` for any smaller one."""
    requests_dimensions: bool = False
    """Whether the model itself shortens vectors when asked; otherwise the engine does."""
    limits: Limits = Limits()
    """How much one request holds."""
    normalized: bool = False
    """Whether its vectors have length 1."""
    truncates: bool = True
    """Whether the model itself cuts a text that is too long; otherwise the engine does."""
    space: str | None = None
    """Which vectors may be compared with its own; `None` means only those of this very model."""
    retired: str | None = None
    """Date or notice of retirement, where the vendor has withdrawn it."""
    successor: str | None = None
    """The model to use instead of a retired one."""

    def __post_init__(self) -> None:
        """Refuse words that mean nothing: the prompts would be left out in silence."""
        if self.roles not in get_args(HowRoles):
            raise ConfigurationError(
                f"The card of {self.name!r} has roles={self.roles!r}. There are: "
                f"{', '.join(get_args(HowRoles))}.",
                hint='Say "prefix" where `prompts` stand in front of texts, "field" where `embed_batch` '
                'reads `batch.role`, and "none" where queries and documents are the same.',
            )
        if strange := [name for name in self.prompts if name not in PROMPTED]:
            raise ConfigurationError(
                f"The card of {self.name!r} has prompts for {', '.join(map(repr, strange))}, which no "
                f"input is embedded as. There are: {', '.join(PROMPTED)}.",
                hint="Name prompts by our role or task, whatever the vendor calls it.",
            )
        if self.prompts and self.roles == "none":
            raise ConfigurationError(
                f'The card of {self.name!r} has prompts, and roles="none".',
                hint='Say roles="prefix", so that they are used, or leave `prompts` out.',
            )

    def for_role(self, role: Role) -> ModelCard:
        """This card where all inputs are queries, or all are documents."""
        limits = self.limits.for_role(role)
        return self if limits is self.limits else replace(self, limits=limits)

    def allows(self, dimensions: int) -> bool:
        """Whether vectors of this width may be asked for."""
        if dimensions == self.dimensions:
            return True
        if self.allowed_dimensions is None:
            return dimensions > 0 and (self.dimensions is None or dimensions < self.dimensions)
        return dimensions in self.allowed_dimensions
