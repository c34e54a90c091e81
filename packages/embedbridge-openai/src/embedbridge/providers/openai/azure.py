"""OpenAI's models, deployed in Azure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from embedbridge.contract.card import ModelCard
from embedbridge.contract.errors import ConfigurationError
from embedbridge.contract.options import ModelOptions
from embedbridge.contract.remote import Address, Secrets, Vendor, url_variable, variable
from embedbridge.providers.openai import _tokens
from embedbridge.providers.openai._client import CREDENTIALS, UNUSED, SdkHandle, open_client
from embedbridge.providers.openai._shared import SharedModel
from embedbridge.providers.openai.catalog import AZURE, CARDS, is_current, openai_card
from embedbridge.providers.openai.options import AzureOpenAIOptions

PATH = re.compile(r"(?:/openai(?:/(?:v1|deployments)(?:/.*)?)?|/v1)$")
"""What Azure's portal shows behind the address, which depends on the API. What stands before it is a
gateway's."""


class AzureOpenAIModel(SharedModel):
    """A model of OpenAI's that is deployed in Azure.

    Its vectors may be compared with OpenAI's own where the model is known: by a name of OpenAI's,
    or because `azure_deployment` says the deployment's name apart from it.

    Example:
        model = AzureOpenAIModel(
            "text-embedding-3-small",
            azure_endpoint="https://my-resource.openai.azure.com",
            azure_deployment="my-embeddings",
        )
        with Embedder(model) as embedder:  # the key is in AZURE_OPENAI_API_KEY
            query = embedder.embed_query("Where do penguins live?")

    Args:
        name: The model's name, or the deployment's where that is all one knows.
        options: See `AzureOpenAIOptions`.
    """

    provider: ClassVar[str] = "azure-openai"
    Options: ClassVar[type[ModelOptions]] = AzureOpenAIOptions
    cards: ClassVar[Sequence[ModelCard]] = CARDS
    options: AzureOpenAIOptions
    vendor: ClassVar[Vendor] = AZURE

    @property
    def card(self) -> ModelCard:
        """What the model can do, as far as it is known which one it is."""
        card = openai_card(self.name)
        if self.options.azure_deployment is not None or is_current(self.name):
            return replace(card, space=f"openai:{self.name}")
        return replace(card, space=f"{self.name}@{self.address.host_and_path}")

    @property
    def address(self) -> Address:
        """The option `azure_endpoint`, else `AZURE_OPENAI_ENDPOINT`."""
        url = self.options.azure_endpoint or url_variable("AZURE_OPENAI_ENDPOINT")
        if url is None:
            raise ConfigurationError(
                "The address of the Azure resource is not known.",
                hint="Set AZURE_OPENAI_ENDPOINT in the environment, or pass azure_endpoint.",
            )
        return Address(PATH.sub("", url.rstrip("/")))

    @property
    def key_hint(self) -> str:
        """What to do about a key or token that is missing or wrong."""
        return (
            "Set AZURE_OPENAI_API_KEY (or AZURE_OPENAI_AD_TOKEN) in the environment, "
            "or pass api_key, azure_ad_token or azure_ad_token_provider."
        )

    @property
    def sent_name(self) -> str:
        """Azure calls a model by its deployment."""
        return self.options.azure_deployment or self.name

    def count_tokens(self, texts: Sequence[str]) -> Sequence[int] | None:
        """Exact where tiktoken and its encoding file are on this disk, else `None`."""
        return _tokens.count_tokens(texts) if is_current(self.name) else None

    def identity(self) -> Mapping[str, object]:
        """The options that change a vector, the resource and the deployment."""
        return {**super().identity(), "deployment": self.sent_name}

    def _open(self) -> SdkHandle:
        import openai

        secrets, url = Secrets(), self.address.url
        argument, source = self._who()
        credential = UNUSED if source is UNUSED else self._credential(source, secrets)
        # With each request, because the SDK would set its own over headers of the client.
        headers: dict[str, Any] = self._own_credentials
        if source is UNUSED:
            headers = {**dict.fromkeys(CREDENTIALS, openai.omit), **headers}
        version = self.options.api_version or variable("OPENAI_API_VERSION")
        if version is None:  # the v1 API: keys and tokens alike are bearers there
            own: dict[str, Any] = {"api_key": credential, "base_url": f"{url}/openai/v1"}
            return open_client(
                openai.AsyncOpenAI, self.options, secrets, url, extra_headers=headers, **own
            )
        own = {
            argument: credential,
            "azure_endpoint": url,
            "azure_deployment": self.sent_name,
            "api_version": version,
        }
        return open_client(
            openai.AsyncAzureOpenAI, self.options, secrets, url, extra_headers=headers, **own
        )

    @property
    def account(self) -> Sequence[object]:
        """The key or token."""
        return self._who()

    def _who(self) -> tuple[str, object]:
        """The SDK's argument for the credential, and where it comes from."""
        options = self.options
        sources = {
            "api_key": options.api_key,
            "azure_ad_token": options.azure_ad_token,
            "azure_ad_token_provider": options.azure_ad_token_provider,
        }
        for argument, source in sources.items():
            if source is not None:
                return argument, source
        if self._own_credentials:
            return "api_key", UNUSED
        if token := variable("AZURE_OPENAI_AD_TOKEN"):  # before the key, as in the SDK
            return "azure_ad_token", token
        return "api_key", variable("AZURE_OPENAI_API_KEY")

    @property
    def _own_credentials(self) -> dict[str, str]:
        """The user's own headers that say who asks; they win over the environment."""
        headers = self.options.headers.items()
        return {name: value for name, value in headers if name.lower() in CREDENTIALS}

    def _name_hint(self) -> str:
        return f"Is there a deployment {self.sent_name!r}? Name it with azure_deployment."
