"""Announces `openai`, `azure-openai`, `openai-compatible` and the vendors by name; imports no SDK."""

from collections.abc import Mapping

from embedbridge.contract.hooks import Announced, ProviderSpec, hookimpl
from embedbridge.providers.openai.catalog import AZURE, CARDS, COMPATIBLE, OPENAI
from embedbridge.providers.openai.vendors import row_of, rows, spec_of


class _Compatible(Announced):
    """The provider whose kind the rows of a user's providers file are."""

    @hookimpl
    def embedbridge_variant(self, name: str, row: Mapping[str, object]) -> ProviderSpec:
        """A vendor of the user's."""
        return spec_of(name, row_of(row))


openai = Announced(
    ProviderSpec(
        name="openai",
        factory="embedbridge.providers.openai.model:OpenAIModel",
        cards=CARDS,
        summary="OpenAI's text embedding models.",
        variables=(*OPENAI.variables, "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"),
    )
)
azure_openai = Announced(
    ProviderSpec(
        name="azure-openai",
        factory="embedbridge.providers.openai.azure:AzureOpenAIModel",
        cards=CARDS,
        summary="OpenAI's text embedding models, deployed in Azure.",
        variables=(*AZURE.variables, "OPENAI_API_VERSION"),
    )
)
openai_compatible = _Compatible(
    ProviderSpec(
        name="openai-compatible",
        factory="embedbridge.providers.openai.compatible:OpenAICompatibleModel",
        summary="Any server that speaks OpenAI's API: vLLM, TEI, LM Studio, llama.cpp, Ollama …",
        variables=COMPATIBLE.variables,
    )
)


def __getattr__(attribute: str) -> Announced:
    """The plugin of a vendor in the table; an entry point cannot hold the dashes of its name."""
    name = attribute.replace("_", "-")
    if name not in rows():
        raise AttributeError(f"module {__name__!r} has no attribute {attribute!r}")
    return Announced(spec_of(name, rows()[name]))
