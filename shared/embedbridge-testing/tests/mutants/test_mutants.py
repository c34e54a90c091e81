"""Mutation tests of the contract suite: each mutant of a good HTTP provider fails at least one check.

The table says which check catches it, and what the check says. Only this check is run here; the whole
suite takes about two seconds for each mutant.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest

from embedbridge.core import Embedder, Settings
from embedbridge.testing import EmbeddingModelContract, FaultServer, WireFormat
from embedbridge.testing.contract.by_hand import failure_of

from .acme import AcmeModel, AcmeWire
from .planted import EVERY, IN_MIND, NOT_IN_MIND, REPORTED

KEY = "canary5f0c9e8b7a6d4c3b2a1908170f1e2d3c4b"
CAUGHT_BY = {
    "a token for each request": ("test_what_is_asked_beside_is_kept", "asks again for /v2/token"),
    "the copied path kept": ("test_a_whole_address_is_taken", "requests go to '/v2/embed/embed'"),
    "output_dimension forgotten, of any width": (
        "test_the_width_reaches_the_server",
        "of 8 dimensions were expected",
    ),
    "role lost with a task": ("test_every_task_can_be_named", "turns a query into a document"),
    "output_dimension forgotten": ("test_fewer_dimensions", "of 256 dimensions were expected"),
    "the server's index ignored": ("test_a_shuffled_answer_is_put_right", "not put in order"),
    "count and index unchecked": ("test_wrong_answers_are_never_taken", "DID NOT RAISE"),
    "card width 1000 for 1024": ("test_count_width_and_type", "1000 dimensions were expected"),
    "Retry-After not passed on": (
        "test_the_server_says_how_long_to_wait",
        "3600 arrives as None",
    ),
    "redirects followed": ("test_a_redirect_is_not_followed", "takes the key along"),
    "too many inputs, in the vendor's words": (
        "test_too_many_inputs_are_understood",
        "should be a RequestTooLargeError: add the sentence to `sentences`",
    ),
    "card max_items 5000 for 96": (
        "test_the_card_promises_what_the_vendor_takes",
        "promises 5000 texts per request, the vendor takes 96",
    ),
    "half the key shown": ("test_a_refused_key_is_named_and_not_shown", "shows the key"),
    "nothing hidden": ("test_a_refused_key_is_named_and_not_shown", "shows the key"),
    "quota taken for a rate": (
        "test_a_used_up_quota_is_not_waited_for",
        "'Your purse is empty.' is a RateLimitedError",
    ),
    "too long, in the vendor's words": (
        "test_too_long_a_text_is_understood",
        "should be a InputTooLongError: add the sentence to `sentences`",
    ),
    "the position in a field unread": (
        "test_too_long_a_text_is_understood",
        "the error names None",
    ),
    "card max_tokens_per_input 16384 for 8192": (
        "test_the_card_promises_what_the_vendor_takes",
        "promises 16384 tokens per text, the vendor takes 8192",
    ),
    "address of another version": (
        "test_the_vendors_address_is_that_of_the_wire_format",
        "is https://api.acme.example/v1, and the wire format ends it with '/v2'",
    ),
    "one fingerprint for all types": (
        "test_options_that_change_vectors_change_the_fingerprint",
        "output_dtype='int8' changes vectors and not the fingerprint",
    ),
    "timeout ignored": ("test_the_timeout_ends_each_attempt", "`timeout` ends no attempt"),
    "headers ignored": (
        "test_headers_of_the_user_are_sent",
        "not sent: User-Agent, X-Acme-Client, X-Contract-Suite",
    ),
    "own headers win": ("test_headers_of_the_user_are_sent", "not sent: X-Acme-Client"),
    "headers shown in errors": ("test_headers_of_the_user_stay_secret", "header of the user's"),
    "float16 on the way": ("test_vectors_arrive_as_they_are", "not those of the server"),
    "usage made up": ("test_the_servers_count_of_tokens_arrives", "counted 27 tokens"),
    "two keys, one account": ("test_each_account_is_an_endpoint", "Two keys have one `endpoint`"),
    "two servers, one endpoint": (
        "test_each_server_is_an_endpoint",
        "Two servers have one `endpoint`",
    ),
    "one space for all servers": (
        "test_another_server_is_another_model",
        "one fingerprint and one space",
    ),
    "never closes": ("test_connections_are_used_again_and_closed", "After `close`"),
    "closes under requests": (
        "test_closing_lets_requests_finish",
        "Closing ends a request that is on its way",
    ),
    "a client for each request": (
        "test_connections_are_used_again_and_closed",
        "Each request opens a connection",
    ),
    "answers without end are read": (
        "test_an_answer_without_end_is_given_up",
        "is read to its end",
    ),
    "key in the address": ("test_the_key_travels_in_a_header_only", "in the address"),
    "key in the address only": ("test_the_key_travels_in_a_header_only", "in the address"),
    "key in the body only": ("test_the_key_travels_in_a_header_only", "in the body"),
    "key not sent": ("test_the_key_travels_in_a_header_only", "No header carries the key"),
    "key fetched once": ("test_a_key_that_is_fetched_is_fetched_each_time", "may expire"),
    "key found late": (
        "test_a_limiter_changes_no_request",
        "POST /v2/embed with no key",
    ),
    "int8 claims unit length": (
        "test_the_card_is_right_with_every_option",
        "say `normalized=False` on the card of this option",
    ),
    "binary of full width": (
        "test_every_value_of_an_option_works",
        "output_dtype='binary': Vectors of 1024 dimensions were expected, 128 came back",
    ),
    "raises before it sends": (
        "test_a_cancelled_job_hangs_up",
        "No request was sent, so that none could be cancelled",
    ),
    "int8 read as unsigned": ("test_vectors_of_every_option_arrive", "output_dtype='int8'"),
    "a value that never works": ("test_every_value_of_an_option_works", "encoding='list'"),
    "one space for all types": (
        "test_other_kinds_of_vectors_have_another_space",
        "its space is still 'acme:acme-1'",
    ),
    "wire option in the fingerprint": (
        "test_options_that_change_no_vector_keep_the_fingerprint",
        "The fingerprint changes with encoding='list', and no vector does",
    ),
    "an option in vain": (
        "test_every_option_reaches_the_server",
        "The option 'priority' is taken, and changes nothing of a request",
    ),
}
"""By mutant: the check that catches it, and a part of what it says."""


def suite_of(model: type[AcmeModel]) -> type[EmbeddingModelContract]:
    """The contract suite as an author writes it."""

    class AcmeContract(EmbeddingModelContract):
        wire: ClassVar[WireFormat | None] = AcmeWire()
        # What never happens is waited for: a short patience can only find more mutants.
        patience: ClassVar[float] = 60.0 if model is AcmeModel else 0.5

        def load_at(self, server: FaultServer, **settings: Any) -> Embedder:
            return Embedder(model("acme-1", base_url=server.url), settings=Settings(**settings))

    return AcmeContract


def said_of(model: type[AcmeModel], check: str, **fixtures: Any) -> str | None:
    """What a check says about a model; `None` if it passes."""
    suite = suite_of(model)
    with FaultServer(wire=suite.wire, dimensions=1024) as server:
        embedder = suite().load_at(server)
        assert embedder is not None
        with embedder:
            return failure_of(check, embedder, suite=suite, **fixtures)


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_API_KEY", KEY)


@pytest.mark.parametrize("name", CAUGHT_BY)
def test_a_mutant_is_caught(name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """By the check in the table, in words that say what to do."""
    check, says = CAUGHT_BY[name]
    said = said_of(EVERY[name], check, tmp_path=tmp_path, caplog=caplog)

    assert said is not None, f"{check} passes"
    assert says in said


@pytest.mark.parametrize("check", sorted({check for check, _ in CAUGHT_BY.values()}))
def test_the_model_without_a_fault_passes(
    check: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """No check is simply always red."""
    assert said_of(AcmeModel, check, tmp_path=tmp_path, caplog=caplog) is None


def test_every_mutant_is_in_the_table() -> None:
    """And there are enough of them in each group."""
    assert len(REPORTED) >= 12
    assert len(IN_MIND) >= 10
    assert len(NOT_IN_MIND) >= 10
    assert CAUGHT_BY.keys() == EVERY.keys()
