"""What Voyage says, word for word, and which of our errors that is."""

from __future__ import annotations

from typing import Any

import pytest

from embedbridge.contract import (
    AuthenticationError,
    EmbedBridgeError,
    InputTooLongError,
    InvalidImageError,
    RateLimitedError,
    RequestTooLargeError,
    UnknownModelError,
)
from embedbridge.contract.remote import Secrets
from embedbridge.providers.voyage.model import REFUSALS

FAILED = "Request to model 'voyage-3' failed. "


@pytest.mark.parametrize(
    ("status", "detail", "expected", "said"),
    [
        (401, "Provided API key is invalid.", AuthenticationError, {}),
        (400, "Model voyage-9 is not supported. Supported models are ['voyage-4', 'voyage-2'].", UnknownModelError, {}),
        (400, "The batch size limit is 1000. Your batch size is 1200.", RequestTooLargeError, {"limit": "items", "most": 1000, "size": 1200}),
        (400, FAILED + "The max allowed tokens per submitted batch is 120000. Your batch has 142456 tokens after truncation. Please lower the number of tokens in the batch.", RequestTooLargeError, {"limit": "tokens", "most": 120000, "size": 142456}),
        (400, FAILED + "The example at index 7 in your batch has too many tokens and does not fit into the model's context window of 32000 tokens. Please lower the number of tokens in the listed example(s) or use truncation.", InputTooLongError, {"index": 7, "most": 32000}),
        (400, FAILED + "The image resolution is not within the permitted range: [base64 image at input 3, index 0]", InvalidImageError, {"index": 3}),
        (429, "You have not yet added your payment method in the billing page and will have reduced rate limits of 3 RPM and 10K TPM.", RateLimitedError, {}),
    ],
)  # fmt: skip
def test_sentences(
    status: int, detail: str, expected: type[EmbedBridgeError], said: dict[str, Any]
) -> None:
    """A missing payment method only slows down: it is no used-up quota."""
    found = REFUSALS.error(status, {"detail": detail}, {}, Secrets())

    assert type(found) is expected
    assert {name: getattr(found, name) for name in said} == said


def test_a_code_stands_for_a_sentence() -> None:
    """Where the sentence changes, the code is still known."""
    body = {"detail": "Too much.", "error_code": "TOO_MANY_TOKENS_IN_BATCH"}
    found: Any = REFUSALS.error(400, body, {}, Secrets())

    assert type(found) is RequestTooLargeError
    assert found.limit == "tokens"
