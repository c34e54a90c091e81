"""Prompt rendering: the prompt of the role is put in front of every text.

It happens early, so that deduplication, token counts and cache keys see the exact string.
"""

from __future__ import annotations

from collections.abc import Sequence

from embedbridge.contract.image import Image
from embedbridge.contract.inputs import Content, Mixed


def render(contents: Sequence[Content], prompt: str) -> list[Content]:
    """Put the prompt in front of every text; an image alone stays as it is."""
    if not prompt:
        return list(contents)
    return [render_one(content, prompt) for content in contents]


def render_one(content: Content, prompt: str) -> Content:
    """One input as the model gets it."""
    if isinstance(content, str):
        return prompt + content
    if isinstance(content, Image):
        return content
    return Mixed(prompt, *content.parts)
