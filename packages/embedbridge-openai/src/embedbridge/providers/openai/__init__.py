"""OpenAI, Azure OpenAI and OpenAI-compatible servers."""

from typing import TYPE_CHECKING

from embedbridge.contract.lazy import lazy_exports

if TYPE_CHECKING:
    from embedbridge.providers.openai.azure import AzureOpenAIModel as AzureOpenAIModel
    from embedbridge.providers.openai.compatible import (
        OpenAICompatibleModel as OpenAICompatibleModel,
    )
    from embedbridge.providers.openai.model import OpenAIModel as OpenAIModel
    from embedbridge.providers.openai.options import AzureOpenAIOptions as AzureOpenAIOptions
    from embedbridge.providers.openai.options import (
        OpenAICompatibleOptions as OpenAICompatibleOptions,
    )
    from embedbridge.providers.openai.options import OpenAIOptions as OpenAIOptions
    from embedbridge.providers.openai.options import VendorOptions as VendorOptions
    from embedbridge.providers.openai.vendor_model import VendorModel as VendorModel
    from embedbridge.providers.openai.vendors import VendorRow as VendorRow
    from embedbridge.providers.openai.vendors import spec_of as spec_of

# Lazy loading: discovery imports this package on its way to plugin.py, which must stay light.
__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "azure": ["AzureOpenAIModel"],
        "compatible": ["OpenAICompatibleModel"],
        "model": ["OpenAIModel"],
        "options": [
            "AzureOpenAIOptions",
            "OpenAICompatibleOptions",
            "OpenAIOptions",
            "VendorOptions",
        ],
        "vendor_model": ["VendorModel"],
        "vendors": ["VendorRow", "spec_of"],
    },
)
