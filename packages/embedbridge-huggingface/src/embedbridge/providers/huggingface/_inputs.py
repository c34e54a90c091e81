"""Texts and images as sentence-transformers takes them, such that nothing is ever guessed.

It looks into a bare `str`: a model that also embeds images would fetch `https://…/cat.png`, and
open `/tmp/cat.png`. What says that it is text stays text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from embedbridge.contract.errors import UnsupportedModalityError
from embedbridge.contract.loaded import LoadedImage, LoadedMixed
from embedbridge.providers.huggingface._own_code import is_foreign

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from embedbridge.contract.batch import Batch
    from embedbridge.contract.loaded import Loaded
    from embedbridge.contract.vocabulary import Modality, Role


def modalities_of(transformer: SentenceTransformer) -> tuple[Modality, ...]:
    """What a loaded model embeds."""
    claims: tuple[tuple[Modality, bool], ...] = (
        ("text", transformer.supports("text")),
        ("image", transformer.supports("image")),
        ("mixed", transformer.supports(("image", "text"))),
    )
    # Audio and video are none of our inputs: a model of those alone is left to its own errors.
    return tuple(modality for modality, claimed in claims if claimed) or ("text",)


def inputs_of(
    batch: Batch, transformer: SentenceTransformer, *, separates_prompt: bool
) -> list[Any]:
    """What `encode` is given.

    Args:
        batch: Texts, images or mixed inputs, rendered.
        transformer: The model.
        separates_prompt: Whether it puts the prompt in front by itself.

    Raises:
        UnsupportedModalityError: A mixed input is of a form that the model does not take.
    """
    if separates_prompt:
        batch = replace(batch, inputs=batch.unprompted)
    if batch.modality == "text":
        return named_texts(batch.texts, transformer, batch.role)
    if batch.modality == "image":
        return [{"image": image.pixels} for image in batch.images]
    chats = transformer.supports("message")
    return [_conversation(mixed.parts) if chats else _pair(mixed) for mixed in batch.mixed]


def named_texts(texts: Sequence[str], transformer: SentenceTransformer, role: Role) -> list[Any]:
    """Texts with the word that they are texts, where the model understands it."""
    from sentence_transformers.base.modules import Router, Transformer

    first = first_module(transformer, role)
    # Static embeddings take plain strings, and know nothing but text. So may the code of a model.
    names = isinstance(first, Transformer | Router)
    if is_foreign(first) and transformer.modalities == ["text"]:
        names = False
    return [{"text": text} for text in texts] if names else list(texts)


def first_module(transformer: SentenceTransformer, role: Role) -> Any:
    """The module that takes texts; some models have one for each role."""
    from sentence_transformers.base.modules import Router

    first: Any = transformer[0]
    if not isinstance(first, Router):
        return first
    # In the order in which a router looks for its way.
    patterns = [(role, "text"), (role, None), (None, "text"), (None, None)]
    mapped = [
        first.route_mappings[pattern] for pattern in patterns if pattern in first.route_mappings
    ]
    routes: Any = first.sub_modules
    found = next((name for name in [*mapped, role, "text"] if name in routes), None)
    return first if found is None else routes[found][0]


def _conversation(parts: Sequence[str | LoadedImage]) -> list[dict[str, Any]]:
    """One message with all parts in their order, for models with a chat template."""
    return [{"role": "user", "content": [_content(part) for part in parts]}]


def _content(part: Loaded) -> dict[str, Any]:
    if isinstance(part, LoadedImage):
        return {"type": "image", "image": part.pixels}
    return {"type": "text", "text": part}


def _pair(mixed: LoadedMixed) -> dict[str, Any]:
    """One text and one image, for models that take them side by side and know no order."""
    images = [part.pixels for part in mixed.parts if isinstance(part, LoadedImage)]
    texts = [part for part in mixed.parts if isinstance(part, str)]
    if len(images) != 1 or not texts:
        raise UnsupportedModalityError(
            f"This model takes one image with a text, not {len(images)} images and {len(texts)} "
            f"texts.",
            hint="Embed the parts by themselves.",
        )
    return {"text": " ".join(texts), "image": images[0]}
