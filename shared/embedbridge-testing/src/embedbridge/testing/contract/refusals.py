"""Refusals: what the vendor says in its own words is understood. Asked where `load_at` names a way.

The words are in the wire format: `WireFormat.too_many`, `too_long` and `out_of_quota`. A refusal that
is not understood still ends well in most jobs, because the engine searches by halves; each later job
then pays for the search again. So these checks look at the error that the model raises.
"""

from __future__ import annotations

import pytest

from embedbridge.contract import (
    EmbedBridgeError,
    InputTooLongError,
    QuotaExhaustedError,
    RequestTooLargeError,
)
from embedbridge.core import Embedder
from embedbridge.testing import faults
from embedbridge.testing.contract.applies import DoesNotApply, Need, asked_where
from embedbridge.testing.contract.base import ContractBase
from embedbridge.testing.contract.comparing import assert_same
from embedbridge.testing.contract.material import numbered, words
from embedbridge.testing.contract.served import AT_A_SERVER, ServedChecks, some, wire_of
from embedbridge.testing.contract.watching import Call, watched
from embedbridge.testing.wires.format import SizeRefusal, WireFormat

SEVERAL = Need(
    "a request holds one text",
    "card",
    lambda card: (card.limits.items("text") or 2) > 1,
)
QUOTAS = Need(
    "this server has no quotas", "suite", lambda suite: wire_of(suite).out_of_quota is not None
)


class RefusalChecks(ServedChecks):
    """The vendor refuses in its own words."""

    @asked_where(AT_A_SERVER, SEVERAL)
    def test_too_many_inputs_are_understood(self, embedder: Embedder) -> None:
        """The vendor's refusal of a batch for its number of inputs is a RequestTooLargeError.

        If this fails, put the sentence or the code into the `refusals` of the model, with
        `too_many_items`.
        """
        refusal = _declared(self, "too_many", "more inputs than one request may hold")
        with self.served(embedder) as (server, remote):
            texts = numbered(2)
            expected = remote.embed_documents(texts)
            server.always(faults.too_many_items(1))
            with watched(remote.model) as calls:
                found = remote.embed_documents(texts)

            for error in _errors(calls):
                assert isinstance(error, RequestTooLargeError), _not_understood(
                    refusal,
                    error,
                    "RequestTooLargeError: add the sentence to `sentences`, or its code to `codes`, "
                    "with `too_many_items`",
                )
                assert error.limit == "items", (
                    f"{refusal.says!r} is taken for a limit of {error.limit}, not of items: add the "
                    "sentence to `sentences`, or its code to `codes`, with `too_many_items`"
                )
            assert_same(found, expected, self.tolerance, "Halves of a batch have wrong vectors")

    @asked_where(AT_A_SERVER)
    def test_too_long_a_text_is_understood(self, embedder: Embedder) -> None:
        """The vendor's refusal of a text for its length is an InputTooLongError: the engine cuts it.

        Where the wire format names the position of the text, the error has it.

        If this fails, put the sentence or the code into the `refusals` of the model, with
        `InputTooLongError`; and for the position, the name of the field, `position_field`.
        """
        refusal = _declared(self, "too_long", "a text that is too long")
        with self.served(embedder) as (server, remote):
            most = len(remote.model.prompt("document").split()) + 12
            server.always(faults.too_long(most))
            with watched(remote.model) as calls:
                texts = ["one", words(2 * most), "two"]
                result = remote.using(errors="collect").embed(texts, role="document")

            for error in _errors(calls):
                assert isinstance(error, InputTooLongError), _not_understood(
                    refusal,
                    error,
                    "InputTooLongError: add the sentence to `sentences`, or its code to `codes`",
                )
            if _names_positions(wire_of(type(self)), refusal):
                refused = next(call for call in calls if call.error is not None)
                sizes = [len(text.split()) for text in refused.inputs]
                longest = sizes.index(max(sizes))
                assert refused.index == longest, (
                    f"The server refuses input {longest} of the request, and the error names "
                    f"{refused.index}: the engine must search for it"
                )
            assert result.truncated.tolist() == [False, True, False], (
                f"One text of three was cut, and this is reported: {result.truncated.tolist()}"
            )

    @asked_where(AT_A_SERVER)
    def test_the_card_promises_what_the_vendor_takes(self, embedder: Embedder) -> None:
        """A request holds no more inputs, and a text no more tokens, than the documentation says.

        If this fails, correct `limits.max_items` or `limits.max_tokens_per_input` on the card; or
        `most` of `too_many` or `too_long` in the wire format.
        """
        wire, limits = wire_of(type(self)), embedder.card.limits
        promises = (
            (wire.too_many, limits.items("text"), "texts per request"),
            (wire.too_long, limits.max_tokens_per_input, "tokens per text"),
        )
        said = [
            (refusal.most, promised, what)
            for refusal, promised, what in promises
            if refusal is not None and refusal.most is not None
        ]
        if not said:
            raise DoesNotApply("the vendor's documentation names no number")

        for most, promised, what in said:
            assert (promised or most + 1) <= most, (
                f"The card promises {promised or 'any number of'} {what}, the vendor takes {most}"
            )

    @asked_where(AT_A_SERVER, QUOTAS)
    def test_a_used_up_quota_is_not_waited_for(self, embedder: Embedder) -> None:
        """A 429 that no waiting helps is a QuotaExhaustedError after one request.

        If this fails, say in `exhausted` of `refusals` how the vendor puts it, or in `codes`.
        """
        with self.served(embedder) as (server, remote):
            server.always(faults.quota_exhausted())
            with pytest.raises(EmbedBridgeError) as caught:
                remote.embed_documents(some(remote))

            kind, said = type(caught.value).__name__, wire_of(type(self)).out_of_quota
            assert isinstance(caught.value, QuotaExhaustedError), f"{said!r} is a {kind}"
            assert len(server.requests) == 1, "A used-up quota is asked for again"


def _declared(suite: ContractBase, name: str, what: str) -> SizeRefusal:
    """The vendor's words, which the suite must know: else its model need not know them either."""
    wire = wire_of(type(suite))
    refusal: SizeRefusal | None = getattr(wire, name)
    if refusal is None:
        kind = type(wire).__name__
        pytest.fail(
            f"How does the vendor refuse {what}? Say so in its own words, with the status: "
            f'`{name} = SizeRefusal(status=400, says="…")` in {kind}. If it has no such limit: '
            f'@xfail("test_…", reason="…") on the suite.'
        )
    return refusal


def _names_positions(wire: WireFormat, refusal: SizeRefusal) -> bool:
    """Whether the vendor says which text is too long, in its sentence or in a field."""
    return "{index}" in refusal.says or type(wire).error_at is not WireFormat.error_at


def _errors(calls: list[Call]) -> list[BaseException]:
    """What the model raised, if it was refused at all."""
    found = [call.error for call in calls if call.error is not None]
    assert found, "The fault server refused nothing: does `load_at` lead to it?"
    return found


def _not_understood(refusal: SizeRefusal, error: BaseException, wanted: str) -> str:
    return f"{refusal.says!r} is a {type(error).__name__}, and should be a {wanted}"
