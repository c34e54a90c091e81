"""Announces the provider `clip`; neither torch nor NumPy is imported here."""

from embedbridge.contract.hooks import ProviderSpec, hookimpl


@hookimpl
def embedbridge_provider() -> ProviderSpec:
    """Two towers that run in this process: one for texts, one for images."""
    return ProviderSpec(
        name="clip",
        factory="embedbridge.providers.clip.model:CLIPModel",
        default_model="ViT-B/32",
        variables=("HF_TOKEN", "HF_HOME", "HF_HUB_OFFLINE"),
        summary="CLIP, SigLIP and their kin: texts and images in one space, Hub id or folder.",
    )
