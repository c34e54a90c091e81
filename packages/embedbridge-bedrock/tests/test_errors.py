"""What Amazon Bedrock says, word for word, and which of our errors that is."""

from __future__ import annotations

from typing import Any

import pytest

from embedbridge.contract import (
    AuthenticationError,
    ConfigurationError,
    EmbedBridgeError,
    InputTooLongError,
    InvalidInputError,
    InvalidOptionError,
    ProviderUnavailableError,
    QuotaExhaustedError,
    RateLimitedError,
    RequestTimeoutError,
    RequestTooLargeError,
    UnknownModelError,
)
from embedbridge.contract.remote import Secrets
from embedbridge.providers.bedrock._refusals import REFUSALS

AGAIN = ", please reformat your input and try again."


@pytest.mark.parametrize(
    ("status", "code", "message", "expected", "said"),
    [
        (400, "ValidationException", "400 Bad Request: Too many input tokens. Max input tokens: 8192, request input token count: 9875 ", InputTooLongError, {"most": 8192, "size": 9875}),
        (400, "ValidationException", "Malformed input request: #/texts/3: expected maxLength: 2048, actual: 19882" + AGAIN, InputTooLongError, {"most": 2048, "size": 19882, "index": 3}),
        (400, "ValidationException", "Malformed input request: expected maxLength: 50000, actual: 160000" + AGAIN, InputTooLongError, {"most": 50000, "size": 160000}),
        (400, "ValidationException", "Malformed input request: #/texts: expected maximum item count: 96, found: 100" + AGAIN, RequestTooLargeError, {"limit": "items", "most": 96, "size": 100}),
        (400, "ValidationException", "Input is too long for requested model.", InputTooLongError, {}),
        (400, "ValidationException", "The provided model identifier is invalid.", UnknownModelError, {}),
        (400, "ValidationException", "Invocation of model ID cohere.embed-v4:0 with on-demand throughput isn’t supported. Retry your request with the ID or ARN of an inference profile that contains this model.", UnknownModelError, {}),
        (400, "ValidationException", "Malformed input request: #/dimensions: 100 is not a valid enum value" + AGAIN, InvalidOptionError, {}),
        (400, "ValidationException", "Malformed input request: #: extraneous key [dimensions] is not permitted" + AGAIN, InvalidOptionError, {}),
        (400, "ValidationException", "Something else.", InvalidInputError, {}),
        (404, "UnknownOperationException", "", ConfigurationError, {}),
        (400, "", "UnknownOperationException", ConfigurationError, {}),
        (400, "ServiceQuotaExceededException", "Your request exceeds the service quota for your account.", QuotaExhaustedError, {}),
        (403, "AccessDeniedException", "You don't have access to the model with the specified model ID.", AuthenticationError, {}),
        (403, "UnrecognizedClientException", "The security token included in the request is invalid.", AuthenticationError, {}),
        (404, "ResourceNotFoundException", "Could not resolve the foundation model from the model identifier.", UnknownModelError, {}),
        (408, "ModelTimeoutException", "The request took too long to process.", RequestTimeoutError, {}),
        (424, "ModelErrorException", "The system encountered an unexpected error during processing.", ProviderUnavailableError, {}),
        (429, "ThrottlingException", "Too many requests, please wait before trying again.", RateLimitedError, {}),
        (429, "ThrottlingException", "Too many tokens per day, please wait before trying again.", QuotaExhaustedError, {}),
        (429, "ModelNotReadyException", "The model is not ready for inference.", RateLimitedError, {}),
        (500, "InternalServerException", "An internal server error occurred.", ProviderUnavailableError, {}),
        (503, "ServiceUnavailableException", "The service isn't currently available.", ProviderUnavailableError, {}),
    ],
)  # fmt: skip
def test_types_and_sentences(
    status: int, code: str, message: str, expected: type[EmbedBridgeError], said: dict[str, Any]
) -> None:
    """By the type in the header, then by what the message says, then by the status."""
    headers = {"x-amzn-errortype": f"{code}:http://internal.amazon.com/coral/com.amazon.bedrock/"}
    found = REFUSALS.error(status, {"message": message}, headers, Secrets())

    assert type(found) is expected
    assert {name: getattr(found, name) for name in said} == said


@pytest.mark.parametrize(
    ("code", "message", "remedy"),
    [
        ("AccessDeniedException", "You don't have access.", "bedrock:InvokeModel"),
        ("ValidationException", "on-demand throughput isn't supported", "inference_profile"),
    ],
)
def test_remedies(code: str, message: str, remedy: str) -> None:
    """What to do is not what AWS says."""
    found = REFUSALS.error(403 if "Access" in code else 400, {"message": message}, {"x-amzn-errortype": code}, Secrets())  # fmt: skip

    assert remedy in str(found)
