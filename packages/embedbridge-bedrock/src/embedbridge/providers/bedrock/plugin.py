"""Announces the provider `bedrock`; imports neither an HTTP library nor botocore."""

from embedbridge.contract.hooks import ProviderSpec, hookimpl
from embedbridge.providers.bedrock.catalog import CARDS, VARIABLES


@hookimpl
def embedbridge_provider() -> ProviderSpec:
    """Embedding models on Amazon Bedrock."""
    return ProviderSpec(
        name="bedrock",
        factory="embedbridge.providers.bedrock.model:BedrockModel",
        cards=CARDS,
        summary="Embedding models on Amazon Bedrock: Titan, Nova, Cohere's and Marengo, of texts and images.",
        variables=VARIABLES,
    )
