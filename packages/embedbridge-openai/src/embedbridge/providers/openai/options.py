"""What users may set on the models of this package.

Secrets are `SecretStr`, or functions that fetch them, and stay out of representations,
configurations, pickles and fingerprints: another process finds them in its own environment.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, ClassVar, Self, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, SecretStr, model_validator

from embedbridge.contract.options import ModelOptions
from embedbridge.providers.openai._address import checked_url

OUR_FIELDS = frozenset({"dimensions", "encoding_format", "input", "model", "user"})
"""Fields of a request that are not for `extra_body`."""


def _as_secret(value: object) -> object:
    return SecretStr(value) if isinstance(value, str) else value


def _as_secrets(value: object) -> object:
    return {k: _as_secret(v) for k, v in value.items()} if isinstance(value, dict) else value


def _not_ours(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    taken = sorted(OUR_FIELDS & set(value))
    if taken:
        raise ValueError(f"{', '.join(taken)} cannot be set here; there are options for that")
    return value


Fetch: TypeAlias = Callable[[], str | SecretStr | Awaitable[str | SecretStr]]
"""A function that fetches a secret whenever a request is made; sync or async."""

# `exclude` keeps a field out of everything that is written down.
Secret: TypeAlias = Annotated[
    SecretStr | None, BeforeValidator(_as_secret), Field(exclude=True, repr=False)
]
SecretOrFetch: TypeAlias = Annotated[
    SecretStr | Callable[[], Any] | None,
    BeforeValidator(_as_secret),
    Field(exclude=True, repr=False),
]
Headers: TypeAlias = Annotated[
    dict[str, SecretStr] | None, BeforeValidator(_as_secrets), Field(exclude=True, repr=False)
]
Url: TypeAlias = Annotated[str, AfterValidator(checked_url)]
ExtraBody: TypeAlias = Annotated[dict[str, JsonValue], AfterValidator(_not_ours)]


class SharedOptions(ModelOptions):
    """What all three providers take."""

    # Whose server answers is in the identity under one name, see `model.py`.
    not_in_identity: ClassVar[frozenset[str]] = ModelOptions.not_in_identity | {
        "api_version",
        "azure_deployment",
        "azure_endpoint",
        "base_url",
        "max_items",
        "organization",
        "project",
        "timeout",
        "user",
    }

    api_key: SecretOrFetch = None
    """The key, or a function that fetches it before each request."""
    timeout: float = Field(default=60.0, gt=0)
    """Seconds for one request, from connecting to the last byte; connecting gets 5 of them."""
    default_headers: Headers = None
    """Headers of every request. Their values count as secrets."""
    http_client: Any = Field(default=None, exclude=True, repr=False)
    """An `httpx2.AsyncClient`, or better a function that makes one; closing it is up to you."""
    extra_body: ExtraBody = Field(default_factory=dict)
    """Further fields of every request, for servers that know more. They enter the fingerprint."""
    user: str | None = Field(default=None, min_length=1)
    """Your own name for the person on whose behalf you embed, for the vendor's abuse checks."""


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
    """A Microsoft Entra token; else `AZURE_OPENAI_AD_TOKEN`, where there is no key."""
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


class OpenAICompatibleOptions(SharedOptions):
    """Options of servers that speak OpenAI's API."""

    base_url: Url
    """The address up to where `/embeddings` follows, for example `http://localhost:8000/v1`."""
    max_items: int = Field(default=32, gt=0)
    """Texts per request that the server takes; 32 is the default of many."""
