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
        ({"x-amz-retry-after": "1500"}, 1.5),
        ({"x-amz-retry-after": "soon", "retry-after": "9"}, 9.0),
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


@pytest.mark.parametrize("status", [408, 409, 424, 429, 500, 502, 503, 504, 520, 529])
def test_every_error_that_may_pass_says_when(status: int) -> None:
    """A server may name a time with any of them."""
    error = status_error(status, "busy", headers={"retry-after": "2"})

    assert error.retryable
    assert error.retry_after == 2
    assert error.retry_at is not None
    assert status_error(status, "busy").retry_after is None


@pytest.mark.parametrize("status", [400, 401, 404, 422])
def test_what_does_not_pass_names_no_time(status: int) -> None:
    """A gateway may add the header to every answer."""
    assert status_error(status, "no", headers={"retry-after": "2"}).retry_after is None


@pytest.mark.parametrize("status", [400, 409, 429, 500])
def test_a_server_may_say_whether_to_try_again(status: int) -> None:
    """OpenAI's header, which its SDK obeys before any status; other values say nothing."""
    found = {
        said: status_error(status, "", headers={"x-should-retry": said, "retry-after": "2"})
        for said in ("true", "false", "maybe")
    }

    assert found["true"].retryable
    assert found["true"].retry_after == 2
    assert not found["false"].retryable
    assert found["maybe"].retryable == status_error(status, "").retryable


def test_a_size_is_never_sent_again_as_it_is() -> None:
    """The engine makes it smaller, whatever the header says."""
    assert not status_error(413, "", headers={"x-should-retry": "true"}).retryable


def test_a_long_message_is_shortened() -> None:
    """A server may echo the whole input."""
    assert len(str(status_error(400, "x" * 1_000_000))) < 500
