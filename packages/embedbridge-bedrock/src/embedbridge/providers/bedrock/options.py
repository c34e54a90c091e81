"""Options of models on Amazon Bedrock."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from embedbridge.contract.remote import HttpOptions, Secret

Purpose = Literal[
    "GENERIC_RETRIEVAL",
    "TEXT_RETRIEVAL",
    "IMAGE_RETRIEVAL",
    "VIDEO_RETRIEVAL",
    "DOCUMENT_RETRIEVAL",
    "AUDIO_RETRIEVAL",
]


class BedrockOptions(HttpOptions):
    """Options of models on Amazon Bedrock."""

    not_in_identity: ClassVar[frozenset[str]] = HttpOptions.not_in_identity | {
        "inference_profile",
        "profile",
        "region",
        "truncate",  # `BedrockModel.identity` says it
    }

    region: str | None = Field(default=None, min_length=1)
    """For example `us-east-1`; else AWS_REGION, AWS_DEFAULT_REGION, or that of the profile."""
    profile: str | None = Field(default=None, min_length=1)
    """A profile of AWS's configuration files; else AWS_PROFILE, or `default`."""
    aws_access_key_id: Secret = None
    """Credentials; else what botocore finds: environment, profile, SSO, web identity, container …"""
    aws_secret_access_key: Secret = None
    """Goes with `aws_access_key_id`."""
    aws_session_token: Secret = None
    """Goes with them, if they are temporary."""
    inference_profile: str | None = Field(default=None, min_length=1)
    """ARN or ID that is sent in place of the model's name: an application inference profile, or
    provisioned throughput. It must be one of the model that is named."""
    output_type: Literal["float", "int8", "uint8", "binary", "ubinary"] = "float"
    """Of Cohere's models: what the values are. Whole numbers come as float32 of the same value.
    `binary` and `ubinary` hold eight dimensions in each value, so vectors are eight times narrower,
    and `dimensions` counts those values."""
    truncate: Literal["NONE", "START", "END"] | None = None
    """Of Cohere's models and Nova: which end of a text that is too long the model cuts, or `NONE`: it
    refuses the text, and the engine cuts it and reports that. `None` means `END` for Cohere's v3, whose
    texts are often too long, and for v4 with `max_tokens`; else `NONE`."""
    max_tokens: int | None = Field(default=None, gt=0)
    """Of Cohere's v4: tokens of each input that are embedded, to use fewer than the model allows."""
    query_purpose: Purpose = "GENERIC_RETRIEVAL"
    """Of Nova: what its queries search for. `TEXT_RETRIEVAL` is for an index of texts only."""

    @property
    def names_credentials(self) -> bool:
        """Whether they choose credentials, so that a bearer key of the environment is not for them."""
        return bool(self.profile or self.aws_access_key_id or self.aws_secret_access_key)
