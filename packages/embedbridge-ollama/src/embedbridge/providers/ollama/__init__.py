"""Embedding models behind an Ollama server."""

from typing import TYPE_CHECKING

from embedbridge.contract.lazy import lazy_exports

if TYPE_CHECKING:
    from embedbridge.providers.ollama.model import OllamaModel as OllamaModel
    from embedbridge.providers.ollama.options import OllamaOptions as OllamaOptions

# Lazy loading: discovery imports this package on its way to plugin.py, which must stay light.
__getattr__, __dir__, __all__ = lazy_exports(
    __name__, {"model": ["OllamaModel"], "options": ["OllamaOptions"]}
)
