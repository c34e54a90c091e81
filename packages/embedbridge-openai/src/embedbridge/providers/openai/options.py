"""Options of the models of this package."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Self, TypeAlias

from pydantic import AfterValidator, Field, JsonValue, model_validator

from embedbridge.contract.remote import RemoteOptions, Secret, Url
from embedbridge.contract.vocabulary import Role
from embedbridge.providers.openai._vendor_rules import OUR_FIELDS


def _not_ours(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    taken = sorted(OUR_FIELDS & set(value))
    if taken:
        raise ValueError(f"{', '.join(taken)} cannot be set here; there are options for that")
    return value


ExtraBody: TypeAlias = Annotated[dict[str, JsonValue], AfterValidator(_not_ours)]


class SharedOptions(RemoteOptions):
    """What all three providers take."""

    not_in_identity: ClassVar[frozenset[str]] = RemoteOptions.not_in_identity | {
        "api_version",
        "azure_deployment",
        "azure_endpoint",
        "max_items",
        "organization",
        "project",
        "user",
    }

    extra_body: ExtraBody = Field(default_factory=dict)
    """Further fields of every request, for servers that know more. They enter the fingerprint."""
    query_body: ExtraBody = Field(default_factory=dict)
    """Further fields of requests for queries, over those of `extra_body`: `{"input_type": "query"}`."""
    document_body: ExtraBody = Field(default_factory=dict)
    """Further fields of requests for documents, likewise."""
    user: str | None = Field(default=None, min_length=1)
    """Your own name for the person on whose behalf you embed, for the vendor's abuse checks."""

    def body(self, role: Role) -> dict[str, JsonValue]:
        """Further fields of a request for this role."""
        return {**self.extra_body, **(self.query_body if role == "query" else self.document_body)}


class OpenAIOptions(SharedOptions):
    """Options of OpenAI's own models."""

    base_url: Url | None = None
    """Another address of the API; else `OPENAI_BASE_URL`, else OpenAI's."""
    organization: str | None = Field(default=None, min_length=1)
    """Who pays; else `OPENAI_ORG_ID`."""
    project: str | None = Field(default=None, min_length=1)
    """For which project; else `OPENAI_PROJECT_ID`."""


class AzureOpenAIOptions(SharedOptions):
    """Options of models that are deployed in Azure."""

    azure_endpoint: Url | None = None
    """`https://RESOURCE.openai.azure.com`; else `AZURE_OPENAI_ENDPOINT`."""
    azure_deployment: str | None = Field(default=None, min_length=1)
    """The deployment's name; the model's own if left out."""
    api_version: str | None = Field(default=None, min_length=1)
    """A dated version; else `OPENAI_API_VERSION`, else Azure's v1 API, which has none."""
    azure_ad_token: Secret = None
    """A Microsoft Entra token. Without a credential in the options, `AZURE_OPENAI_AD_TOKEN` counts before
    `AZURE_OPENAI_API_KEY`, as in the SDK."""
    azure_ad_token_provider: Annotated[
        Callable[[], Any] | None, Field(exclude=True, repr=False)
    ] = None
    """A function that fetches a Microsoft Entra token before each request, sync or async."""

    @model_validator(mode="after")
    def _one_credential(self) -> Self:
        """Two would leave open who asks."""
        given = [self.api_key, self.azure_ad_token, self.azure_ad_token_provider]
        if sum(source is not None for source in given) > 1:
            raise ValueError("set one of api_key, azure_ad_token and azure_ad_token_provider")
        return self


class VendorOptions(SharedOptions):
    """Options of vendors by name, see `VendorRow`."""

    base_url: Url | None = None
    """Another address; else the vendor's variable, else its own."""
    max_items: int | None = Field(default=None, gt=0)
    """Texts per request that the server takes. If left out, it is what the vendor's row says; else
    requests begin with 32 and grow, up to 2,048, while the server takes them and gets faster by it."""


class OpenAICompatibleOptions(VendorOptions):
    """Options of servers that speak OpenAI's API."""

    base_url: Url
    """The address up to where `/embeddings` follows, for example `http://localhost:8000/v1`."""
