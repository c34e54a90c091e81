"""Announces the provider `nvidia`; imports no HTTP library."""

from embedbridge.contract.hooks import ProviderSpec, hookimpl
from embedbridge.providers.nvidia.catalog import CARDS, VENDOR


@hookimpl
def embedbridge_provider() -> ProviderSpec:
    """NVIDIA's embedding models."""
    return ProviderSpec(
        name="nvidia",
        factory="embedbridge.providers.nvidia.model:NvidiaModel",
        cards=CARDS,
        summary="NVIDIA's embedding models, hosted and as a NIM of your own.",
        variables=VENDOR.variables,
    )
