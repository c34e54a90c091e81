"""Announces the provider `cohere`; imports no HTTP library."""

from embedbridge.contract.hooks import ProviderSpec, hookimpl
from embedbridge.providers.cohere.catalog import CARDS, VENDOR


@hookimpl
def embedbridge_provider() -> ProviderSpec:
    """Cohere's embedding models."""
    return ProviderSpec(
        name="cohere",
        factory="embedbridge.providers.cohere.model:CohereModel",
        cards=CARDS,
        summary="Cohere's embedding models of texts, images, and both together.",
        variables=VENDOR.variables,
    )
