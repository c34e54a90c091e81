"""Mistral AI's embedding models of texts and code."""

from typing import TYPE_CHECKING

from embedbridge.contract.lazy import lazy_exports

if TYPE_CHECKING:
    from embedbridge.providers.mistral.model import MistralModel as MistralModel
    from embedbridge.providers.mistral.options import MistralOptions as MistralOptions

# Lazy loading: discovery imports this package on its way to plugin.py, which must stay light.
__getattr__, __dir__, __all__ = lazy_exports(
    __name__, {"model": ["MistralModel"], "options": ["MistralOptions"]}
)
