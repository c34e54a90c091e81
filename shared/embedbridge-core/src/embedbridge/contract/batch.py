"""What goes to a model in one call, and what comes back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from embedbridge.contract.loaded import Loaded, LoadedImage, LoadedMixed

if TYPE_CHECKING:
    from embedbridge.contract.vocabulary import Modality, Role, Task

Vectors: TypeAlias = NDArray[np.float32]
"""Vectors of n inputs: a float32 array of shape (n, dimensions)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Inputs for one call: of one modality, rendered, without duplicates, within the limits."""

    inputs: Sequence[Loaded]
    """A text is a plain `str`, with the prompt already in front; images are decoded."""
    modality: Modality
    """What all of the inputs are."""
    role: Role
    """Query or document."""
    task: Task | None = None
    """The optional hint beside the role."""
    dimensions: int | None = None
    """Width to ask the model for, where its card says `requests_dimensions`; else `None`."""
    prompt: str = ""
    """The text that the engine has put in front of every input."""
    tokens: int = 0
    """Tokens in this batch as planned."""

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def texts(self) -> list[str]:
        """The inputs of a text batch."""
        return [text for text in self.inputs if isinstance(text, str)]

    @property
    def images(self) -> list[LoadedImage]:
        """The inputs of an image batch."""
        return [image for image in self.inputs if isinstance(image, LoadedImage)]

    @property
    def mixed(self) -> list[LoadedMixed]:
        """The inputs of a mixed batch."""
        return [mixed for mixed in self.inputs if isinstance(mixed, LoadedMixed)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a call or a job cost."""

    tokens: int = 0
    """Tokens that were embedded."""
    images: int = 0
    """Images that were embedded."""
    estimated: bool = False
    """Whether some of the figures are the engine's estimate, because the model reported none."""

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            tokens=self.tokens + other.tokens,
            images=self.images + other.images,
            estimated=self.estimated or other.estimated,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchResult:
    """The answer to one batch."""

    vectors: Vectors
    """Shape (len(batch), dimensions), float32, in the order of the inputs."""
    usage: Usage | None = None
    """What the model reported; `None` lets the engine estimate."""
    truncated: Sequence[bool] = field(default=())
    """Per input, whether the model cut it; empty if it does not tell."""
