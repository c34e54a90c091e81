"""Announces the providers `openai`, `azure-openai` and `openai-compatible`; imports no SDK."""

from embedbridge.contract.hooks import ProviderSpec, hookimpl
from embedbridge.providers.openai.catalog import AZURE, CARDS, COMPATIBLE, OPENAI


class _Plugin:
    """One provider. An entry point names one object, so three providers take three of them."""

    def __init__(self, spec: ProviderSpec) -> None:
        self._spec = spec

    @hookimpl
    def embedbridge_provider(self) -> ProviderSpec:
        """What is announced."""
        return self._spec


openai = _Plugin(
    ProviderSpec(
        name="openai",
        factory="embedbridge.providers.openai.model:OpenAIModel",
        cards=CARDS,
        summary="OpenAI's text embedding models.",
        variables=(*OPENAI.variables, "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"),
    )
)
azure_openai = _Plugin(
    ProviderSpec(
        name="azure-openai",
        factory="embedbridge.providers.openai.azure:AzureOpenAIModel",
        cards=CARDS,
        summary="OpenAI's text embedding models, deployed in Azure.",
        variables=(*AZURE.variables, "OPENAI_API_VERSION"),
    )
)
openai_compatible = _Plugin(
    ProviderSpec(
        name="openai-compatible",
        factory="embedbridge.providers.openai.compatible:OpenAICompatibleModel",
        summary="Any server that speaks OpenAI's API: vLLM, TEI, LM Studio, llama.cpp, Ollama …",
        variables=COMPATIBLE.variables,
    )
)
