"""Announces the provider `mistral`; imports no HTTP library."""

from embedbridge.contract.hooks import ProviderSpec, hookimpl
from embedbridge.providers.mistral.catalog import CARDS, VENDOR


@hookimpl
def embedbridge_provider() -> ProviderSpec:
    """Mistral AI's embedding models."""
    return ProviderSpec(
        name="mistral",
        factory="embedbridge.providers.mistral.model:MistralModel",
        cards=CARDS,
        summary="Mistral AI's embedding models of texts and code.",
        variables=VENDOR.variables,
    )
