"""Input record: a text or image of `embedbridge embed`, with its id and where it stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from embedbridge.contract.image import Image


@dataclass(frozen=True, slots=True)
class Entry:
    """One text or image to embed."""

    content: str | Image
    position: int
    """Its place among the inputs, from 0, those that are skipped later counted."""
    facts: dict[str, str | int] = field(default_factory=dict)
    """What a line of JSON says about it: `{"line": 7, "text": "…"}`, `{"image": "cat.png"}`."""
    id: str | None = None
    """Its name in a safetensors file: the line, or the path; its position if left out."""
    source: str | None = None
    """Where it stands, for messages: `line 7 of notes.txt`."""
