"""Second stage: the prompt of the role goes in front, so that the exact string is known early."""

from __future__ import annotations

from collections.abc import Sequence

from embedbridge.contract.image import Image
from embedbridge.contract.inputs import Content, Mixed


def render(contents: Sequence[Content], prompt: str) -> list[Content]:
    """Put the prompt in front of every text; an image alone has nothing to put it in front of."""
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
