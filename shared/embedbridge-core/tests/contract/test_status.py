"""The table from HTTP to our errors that every HTTP provider shares."""

import time
from email.utils import formatdate

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
        ({"retry-after": "Tue Nov 14 22:13:25 2023"}, 5.0),
        ({"retry-after": "Tuesday, 14-Nov-23 22:13:25 GMT"}, 5.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:25 -0000"}, 5.0),
        ({"retry-after": "Tue, 14 Nov 2023 17:13:25 -0500"}, 5.0),
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


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the zone of a process is fixed here")
def test_a_date_without_a_zone_is_utc_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever this machine stands."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "America/New_York")
        time.tzset()
        found = retry_after({"retry-after": "Tue Nov 14 22:13:25 2023"}, now=NOW)
    time.tzset()

    assert found == 5.0


@pytest.mark.parametrize("skew", [-3600, -5, 0, 5, 3600])
def test_a_date_is_told_by_the_servers_own_clock(skew: int) -> None:
    """Both dates are of one clock; ours may be ahead of it or behind."""
    headers = {
        "date": formatdate(NOW + skew, usegmt=True),
        "retry-after": formatdate(NOW + skew + 7, usegmt=True),
    }

    assert retry_after(headers, now=NOW) == 7.0
    assert retry_after({**headers, "date": "no date"}, now=NOW) == max(0, skew + 7)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, ConfigurationError),
        (400, InvalidInputError),
        (401, AuthenticationError),
        (402, QuotaExhaustedError),
        (403, AuthenticationError),
        (404, UnknownModelError),
        (405, ConfigurationError),
        (407, ConfigurationError),
        (408, RequestTimeoutError),
        (409, ProviderUnavailableError),
        (410, UnknownModelError),
        (413, RequestTooLargeError),
        (422, InvalidInputError),
        (424, ProviderUnavailableError),
        (425, ProviderUnavailableError),
        (426, ConfigurationError),
        (429, RateLimitedError),
        (431, ConfigurationError),
        (494, ConfigurationError),
        (497, ConfigurationError),
        (499, ProviderUnavailableError),
        (511, ConfigurationError),
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


@pytest.mark.parametrize("status", [405, 407, 426, 431, 494, 497, 511])
def test_a_status_about_the_way_there_says_what_to_do(status: int) -> None:
    """A hint of the caller's own wins."""
    assert status_error(status, "").hint
    assert status_error(status, "", hint="mine").hint == "mine"


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
