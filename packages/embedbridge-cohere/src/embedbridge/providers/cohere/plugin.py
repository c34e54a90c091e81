"""Announces the provider `cohere`; imports no HTTP library."""

from embedbridge.contract.hooks import ProviderSpec, hookimpl
from embedbridge.providers.cohere.catalog import CARDS


@hookimpl
def embedbridge_provider() -> ProviderSpec:
    """Cohere's embedding models."""
    return ProviderSpec(
        name="cohere",
        factory="embedbridge.providers.cohere.model:CohereModel",
        cards=CARDS,
        summary="Cohere's embedding models of texts, images, and both together.",
        variables=("CO_API_KEY", "COHERE_API_KEY", "CO_API_URL"),
    )
