"""Announces the provider `tei`; imports no HTTP library."""

from embedbridge.contract.hooks import ProviderSpec, hookimpl
from embedbridge.providers.tei.catalog import VENDOR


@hookimpl
def embedbridge_provider() -> ProviderSpec:
    """The model of a TEI server."""
    return ProviderSpec(
        name="tei",
        factory="embedbridge.providers.tei.model:TeiModel",
        summary="The model of a Text Embeddings Inference (TEI) server.",
        variables=VENDOR.variables,
    )
