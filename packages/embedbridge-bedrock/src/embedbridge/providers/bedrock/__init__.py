"""Embedding models on Amazon Bedrock: Titan, Nova, Cohere's, and Marengo, of texts and images."""

from typing import TYPE_CHECKING

from embedbridge.contract.lazy import lazy_exports

if TYPE_CHECKING:
    from embedbridge.providers.bedrock.model import BedrockModel as BedrockModel
    from embedbridge.providers.bedrock.options import BedrockOptions as BedrockOptions

# Lazy loading: discovery imports this package on its way to plugin.py, which must stay light.
__getattr__, __dir__, __all__ = lazy_exports(
    __name__, {"model": ["BedrockModel"], "options": ["BedrockOptions"]}
)
