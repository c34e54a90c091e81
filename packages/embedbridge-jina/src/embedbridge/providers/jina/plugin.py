"""Announces the provider `jina`; imports no HTTP library."""

from embedbridge.contract.hooks import ProviderSpec, hookimpl
from embedbridge.providers.jina.catalog import CARDS, VENDOR


@hookimpl
def embedbridge_provider() -> ProviderSpec:
    """Jina's embedding models."""
    return ProviderSpec(
        name="jina",
        factory="embedbridge.providers.jina.model:JinaModel",
        cards=CARDS,
        summary="Jina's embedding models of texts, images, and both together.",
        variables=VENDOR.variables,
    )
