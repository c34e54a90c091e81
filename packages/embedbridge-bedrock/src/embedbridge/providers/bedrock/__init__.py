"""Embedding models on Amazon Bedrock: Titan, Nova, Cohere's, and Marengo, of texts and images."""

from typing import TYPE_CHECKING

from embedbridge.contract.lazy import lazy_exports

if TYPE_CHECKING:
    from embedbridge.providers.bedrock.model import BedrockModel as BedrockModel
    from embedbridge.providers.bedrock.options import BedrockOptions as BedrockOptions

# Lazy, because plugin.py stands beside: listing providers must import nothing else.
__getattr__, __dir__, __all__ = lazy_exports(
    __name__, {"model": ["BedrockModel"], "options": ["BedrockOptions"]}
)
