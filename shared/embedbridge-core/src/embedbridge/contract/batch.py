"""Batches and their results: what goes to a model in one call, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from embedbridge.contract.loaded import Loaded, LoadedImage, LoadedMixed
from embedbridge.contract.usage import Usage
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
    prepared: Mapping[str, object] = field(default_factory=dict)
    """By text, the payload that the model's own `prepare` made of it; a text may be missing."""

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def texts(self) -> list[str]:
        """The inputs of a text batch."""
        return [text for text in self.inputs if isinstance(text, str)]

    @property
    def unprompted(self) -> list[Loaded]:
        """The inputs without the prompt in front, for a model that puts it there by itself."""
        return [_without(self.prompt, content) for content in self.inputs]

    @property
    def images(self) -> list[LoadedImage]:
        """The inputs of an image batch."""
        return [image for image in self.inputs if isinstance(image, LoadedImage)]

    @property
    def mixed(self) -> list[LoadedMixed]:
        """The inputs of a mixed batch."""
        return [mixed for mixed in self.inputs if isinstance(mixed, LoadedMixed)]


def _without(prompt: str, content: Loaded) -> Loaded:
    if isinstance(content, str):
        return content.removeprefix(prompt)
    if prompt and isinstance(content, LoadedMixed) and content.parts[0] == prompt:
        return LoadedMixed(content.parts[1:])
    return content


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Texts that are tokenised: how many tokens each has, and what the model will read of it."""

    counts: Sequence[int]
    """Tokens of each text, special ones included and nothing cut."""
    payloads: Sequence[object] = ()
    """Anything, one for each text, such as the numbers of its tokens; empty for nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchResult:
    """The answer to one batch."""

    vectors: Vectors
    """Shape (len(batch), dimensions), float32, in the order of the inputs."""
    usage: Usage | None = None
    """What the model reported; `None` lets the engine estimate."""
    truncated: Sequence[bool] = field(default=())
    """Per input, whether the model cut it; empty if it does not tell."""
