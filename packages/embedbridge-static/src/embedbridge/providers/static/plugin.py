"""Announces the provider `static`; neither NumPy nor tokenizers is imported here."""

from embedbridge.contract.hooks import ProviderSpec, hookimpl


@hookimpl
def embedbridge_provider() -> ProviderSpec:
    """Models with one vector per token and no network: a text is the mean of its tokens."""
    return ProviderSpec(
        name="static",
        factory="embedbridge.providers.static.model:StaticModel",
        variables=("HF_TOKEN", "HF_HOME", "HF_HUB_OFFLINE"),
        summary="Static models (StaticEmbedding of sentence-transformers, model2vec): "
        "one vector per token, no torch.",
    )
