"""Announces the provider `voyage`; imports no HTTP library."""

from embedbridge.contract.hooks import ProviderSpec, hookimpl
from embedbridge.providers.voyage.catalog import CARDS, VENDOR


@hookimpl
def embedbridge_provider() -> ProviderSpec:
    """Voyage AI's embedding models."""
    return ProviderSpec(
        name="voyage",
        factory="embedbridge.providers.voyage.model:VoyageModel",
        cards=CARDS,
        summary="Voyage AI's embedding models of texts, images, and both together.",
        variables=VENDOR.variables,
    )
