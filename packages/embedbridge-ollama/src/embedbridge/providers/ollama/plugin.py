"""Announces the provider `ollama`; imports no HTTP library."""

from embedbridge.contract.hooks import ProviderSpec, hookimpl
from embedbridge.providers.ollama.catalog import CARDS, VENDOR


@hookimpl
def embedbridge_provider() -> ProviderSpec:
    """Models of an Ollama server."""
    return ProviderSpec(
        name="ollama",
        factory="embedbridge.providers.ollama.model:OllamaModel",
        cards=CARDS,
        summary="Embedding models of an Ollama server, on this machine or elsewhere.",
        variables=VENDOR.variables,
    )
