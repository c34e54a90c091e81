"""The table from HTTP to our errors that every HTTP provider shares."""

import pytest

from embedbridge.contract import (
    AuthenticationError,
    ConfigurationError,
    EmbedBridgeError,
    InvalidInputError,
    ProviderUnavailableError,
    QuotaExhaustedError,
    RateLimitedError,
    RequestTimeoutError,
    RequestTooLargeError,
    UnknownModelError,
    retry_after,
    status_error,
)

NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-7"}, 0.0),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:25 GMT"}, 5.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:00 GMT"}, 0.0),
        ({"retry-after": "Xxx, 99 Nov 2023 99:99:99 GMT"}, None),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
    ],
    ids=str,
)
def test_retry_after_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    """Seconds, milliseconds or a date; what cannot be understood is as if it were not there."""
    assert retry_after(headers, now=NOW) == seconds


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, ConfigurationError),
        (400, InvalidInputError),
        (401, AuthenticationError),
        (402, QuotaExhaustedError),
        (403, AuthenticationError),
        (404, UnknownModelError),
        (408, RequestTimeoutError),
        (409, ProviderUnavailableError),
        (413, RequestTooLargeError),
        (422, InvalidInputError),
        (424, ProviderUnavailableError),
        (429, RateLimitedError),
        (500, ProviderUnavailableError),
        (503, ProviderUnavailableError),
        (529, ProviderUnavailableError),
    ],
)
def test_each_status_has_its_error(status: int, kind: type[EmbedBridgeError]) -> None:
    """What can succeed is retryable, and what cannot is not."""
    error = status_error(status, "because")

    assert type(error) is kind
    assert "because" in str(error)


def test_a_busy_server_that_names_a_time_is_waited_for() -> None:
    """503 with Retry-After is a rate limit in all but its number."""
    error = status_error(503, "busy", headers={"retry-after": "2"})

    assert isinstance(error, RateLimitedError)
    assert error.retry_after == 2


def test_a_long_message_is_shortened() -> None:
    """A server may echo the whole input."""
    assert len(str(status_error(400, "x" * 1_000_000))) < 500
