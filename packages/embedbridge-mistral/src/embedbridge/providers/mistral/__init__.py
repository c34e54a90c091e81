"""Mistral AI's embedding models of texts and code."""

from typing import TYPE_CHECKING

from embedbridge.contract.lazy import lazy_exports

if TYPE_CHECKING:
    from embedbridge.providers.mistral.model import MistralModel as MistralModel
    from embedbridge.providers.mistral.options import MistralOptions as MistralOptions

# Lazy, because plugin.py stands beside: listing providers must import nothing else.
__getattr__, __dir__, __all__ = lazy_exports(
    __name__, {"model": ["MistralModel"], "options": ["MistralOptions"]}
)
