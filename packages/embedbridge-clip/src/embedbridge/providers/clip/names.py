"""OpenAI's short names for its own CLIP models, and where transformers finds them."""

from __future__ import annotations

from embedbridge.contract.errors import UnknownModelError

HUB_IDS = {
    # https://github.com/openai/CLIP/blob/main/clip/clip.py, https://huggingface.co/openai
    "ViT-B/32": "openai/clip-vit-base-patch32",
    "ViT-B/16": "openai/clip-vit-base-patch16",
    "ViT-L/14": "openai/clip-vit-large-patch14",
    "ViT-L/14@336px": "openai/clip-vit-large-patch14-336",
}
RESNETS = frozenset({"RN50", "RN101", "RN50x4", "RN50x16", "RN50x64"})
"""OpenAI's models that transformers has no architecture for."""

SAFE_REVISIONS = {
    # The main branch has pickled weights only; the Hub's own converter wrote these.
    "openai/clip-vit-base-patch32": "c237dc49a33fc61debc9276459120b7eac67e7ef",
}
"""The commit to take where a repository's main branch has no safetensors."""


def hub_id_of(name: str) -> str:
    """The Hub id of a short name; any other name as it is.

    Raises:
        UnknownModelError: It names a model that transformers cannot run.
    """
    if name in RESNETS:
        raise UnknownModelError(
            f"{name!r} is a ResNet, and transformers has CLIP's vision transformers only.",
            hint=f"Use one of {', '.join(map(repr, HUB_IDS))}.",
        )
    return HUB_IDS.get(name, name)
