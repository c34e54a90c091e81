"""Announces the provider `huggingface`; neither torch nor NumPy is imported here."""

from embedbridge.contract.hooks import ProviderSpec, hookimpl


@hookimpl
def embedbridge_provider() -> ProviderSpec:
    """Models that run in this process, from the Hugging Face Hub or a local folder."""
    return ProviderSpec(
        name="huggingface",
        factory="embedbridge.providers.huggingface.model:HuggingFaceModel",
        summary="Any sentence-transformers model, from the Hugging Face Hub or a local folder.",
        variables=("HF_TOKEN", "HF_HOME", "HF_HUB_OFFLINE", "SENTENCE_TRANSFORMERS_HOME"),
    )
