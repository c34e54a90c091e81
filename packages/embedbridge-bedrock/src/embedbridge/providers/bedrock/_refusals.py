"""Refusals: AWS's error types and sentences, and which of our errors they are.

Sources: the errors of InvokeModel
(https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html#API_runtime_InvokeModel_Errors),
the common errors of AWS (…/APIReference/CommonErrors.html), and public bug reports for sentences.
"""

from __future__ import annotations

import re
from functools import partial

from embedbridge.contract.errors import (
    AuthenticationError,
    ConfigurationError,
    EmbedBridgeError,
    InputTooLongError,
    InvalidImageError,
    InvalidOptionError,
    QuotaExhaustedError,
    UnknownModelError,
)
from embedbridge.contract.remote import Refusals

EXPIRED = ("ExpiredToken", "RequestExpired")
"""How the types of errors begin that mean that the credentials have expired."""
SKEW = re.compile(
    r"signature (?:expired|not yet current)|too skewed|request has expired", re.IGNORECASE
)


def _signature(message: str) -> EmbedBridgeError:
    """A signature that is not accepted: made by a wrong clock, or with a wrong secret."""
    if SKEW.search(message):
        return AuthenticationError(
            message,
            hint="The clock of this machine differs from Amazon's by more than five minutes "
            "(clock skew): set it, for example with NTP.",
        )
    return AuthenticationError(
        message,
        hint="The secret access key is not the one of this access key ID, or a proxy changes the "
        "request on its way.",
    )


_no_such_page = partial(
    ConfigurationError,
    hint="Check base_url or AWS_ENDPOINT_URL_BEDROCK_RUNTIME: nothing belongs behind the host.",
)

REFUSALS = Refusals(
    code_header="x-amzn-errortype",
    codes={
        "AccessDeniedException": partial(
            AuthenticationError,
            hint="Allow the action bedrock:InvokeModel for this model (IAM), and access to the model "
            "in this region (console of Amazon Bedrock).",
        ),
        "InvalidSignatureException": _signature,
        "RequestTimeTooSkewed": _signature,
        "UnknownOperationException": _no_such_page,
        "ServiceQuotaExceededException": QuotaExhaustedError,
    },
    sentences=(
        (r"UnknownOperation", _no_such_page),
        # "Invocation of model ID cohere.embed-v4:0 with on-demand throughput isn’t supported. Retry
        # your request with the ID or ARN of an inference profile that contains this model."
        (
            r"on-demand throughput",
            partial(
                UnknownModelError,
                hint="Put the area in front of the model's name, for example `us.` or `global.`, or "
                "pass inference_profile.",
            ),
        ),
        (r"model identifier is invalid|end of its life|model .*not found", UnknownModelError),
        # "Malformed input request: #/texts/0: expected maxLength: 2048, actual: 19882, please
        # reformat your input and try again."
        (r"expected maxLength", InputTooLongError),
        # Titan says "Too many input tokens. Max input tokens: 8192, request input token count: 9875"
        (r"too many input tokens|input is too long", InputTooLongError),
        (
            r"#/(?:dimensions|embedding\w+|max_tokens|normalize|output_dimension|truncate)\b",
            InvalidOptionError,
        ),
        (r"(?:extraneous|required) key", InvalidOptionError),
        (r"image", InvalidImageError),
    ),
    exhausted=r"per day|daily",  # "Too many tokens per day, please wait before trying again."
    options={"output_dimension": "dimensions", "embedding_types": "output_type"},
)
