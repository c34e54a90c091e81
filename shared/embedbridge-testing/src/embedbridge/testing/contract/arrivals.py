"""Arrivals: what is sent arrives at the server as it is, and what it answers arrives here as it is."""

from __future__ import annotations

from urllib.parse import urlsplit

from embedbridge.contract.remote import HttpModel
from embedbridge.core import Embedder
from embedbridge.testing.contract.applies import DoesNotApply, Need, asked_where
from embedbridge.testing.contract.comparing import assert_same, twin
from embedbridge.testing.contract.material import PLANES, TEXTS
from embedbridge.testing.contract.served import AT_A_SERVER, ServedChecks, some, wire_of
from embedbridge.testing.contract.vectors import other_widths
from embedbridge.testing.contract.watching import watched
from embedbridge.testing.wires.format import words_in

EXACT = 1e-6
"""What rounding in float32 may change; half precision changes more."""

SOME_WIDTH = 8
A_WIDTH_IS_ASKED_FOR = Need(
    "the card says that the engine shortens vectors, or that nobody does",
    "card",
    lambda card: card.requests_dimensions and card.allowed_dimensions != (),
)


class ArrivalChecks(ServedChecks):
    """Requests go to the right place, and nothing is changed on the way, in either direction."""

    @asked_where(AT_A_SERVER)
    def test_the_vendors_address_is_that_of_the_wire_format(self, embedder: Embedder) -> None:
        """The path of the vendor's own address ends as `base` of the wire format.

        If this fails, correct `Vendor.url`, or `base` of the wire format: no test asks the vendor.
        """
        base = wire_of(type(self)).base
        own = embedder.model.vendor.url if isinstance(embedder.model, HttpModel) else None
        if own is None:
            raise DoesNotApply("the vendor has no address of its own")

        assert urlsplit(own).path.rstrip("/").endswith(base.rstrip("/")), (
            f"The vendor's address is {own}, and the wire format ends it with {base!r}"
        )

    @asked_where(AT_A_SERVER)
    def test_a_whole_address_is_taken(self, embedder: Embedder) -> None:
        """A `base_url` that was copied with the path of the request is the same server.

        If this fails, name that path in `Vendor.endings`.
        """
        with self.served(embedder) as (server, remote):
            remote.embed_documents(TEXTS[:1])
            target, ending = server.requests[-1].request.target, wire_of(type(self)).endpoint
            base = getattr(remote.model.options, "base_url", None)
            if base is None or not isinstance(remote.model, HttpModel):
                raise DoesNotApply("`load_at` passes no `base_url`, or the vendor's SDK reads it")
            if target != f"{urlsplit(base).path.rstrip('/')}{ending}":
                raise DoesNotApply("the path of a request is another one for each model")
            with twin(remote, base_url=f"{base}{ending}") as copied:
                copied.embed_documents(TEXTS[:1])

            found = server.requests[-1].request.target
            assert found == target, f"With {target!r} in the address, requests go to {found!r}"

    @asked_where(AT_A_SERVER, A_WIDTH_IS_ASKED_FOR)
    def test_the_width_reaches_the_server(self, embedder: Embedder) -> None:
        """The option `dimensions` changes the request, also where the model's own width is unknown.

        If this fails, send `batch.dimensions`, or say `requests_dimensions=False` on the card.
        """
        with self.served(embedder) as (server, remote):
            width = next(iter(other_widths(remote)), SOME_WIDTH)
            with twin(remote, dimensions=width) as narrow:
                remote.embed_documents(TEXTS[:1])
                narrow.embed_documents(TEXTS[:1])
            usual, asked = (each.request.body for each in server.requests)

            assert asked != usual, f"dimensions={width} is taken, and changes nothing of a request"

    @asked_where(AT_A_SERVER)
    def test_what_is_asked_beside_is_kept(self, embedder: Embedder) -> None:
        """What a model asks for beside vectors, such as an access token, is asked for once.

        If this fails, keep the token for as long as it is valid.
        """
        with self.served(embedder) as (server, remote):
            remote.embed_documents(TEXTS[:1])
            asked = len(server.asked_beside)
            remote.embed_documents(TEXTS[1:2])

            again = server.asked_beside[asked:]
            assert not again, f"The next request asks again for {', '.join(again)}"

    @asked_where(AT_A_SERVER)
    def test_texts_arrive_as_they_are(self, embedder: Embedder) -> None:
        """What the server gets is the text with its prompt, to the last character.

        If this fails, the client strips, replaces newlines or re-encodes.
        """
        texts = [*TEXTS, *PLANES.values()]
        with self.served(embedder) as (server, remote):
            remote.embed_documents(texts)
            arrived = {text for request in server.requests for text in request.inputs}

            prompt = remote.model.prompt("document")
            lost = [text for text in texts if prompt + text not in arrived]
            assert not lost, f"Texts arrive changed: {lost[:2]!r}"

    @asked_where(AT_A_SERVER)
    def test_vectors_arrive_as_they_are(self, embedder: Embedder) -> None:
        """`embed_batch` answers the server's own values, in full precision.

        If this fails, look at the dtype on the way, at the byte order, and at what scales vectors.
        """
        with self.served(embedder) as (server, remote), watched(remote.model) as calls:
            remote.embed_documents(some(remote))

            answer, told = server.requests[-1].answer, calls[-1].vectors
            assert_same(told, answer, EXACT, "The vectors are not those of the server")

    @asked_where(AT_A_SERVER)
    def test_the_servers_count_of_tokens_arrives(self, embedder: Embedder) -> None:
        """The usage of a request is what the server has counted; on the fault server a word is a token.

        If this fails, look at the field that `usage_at` reads. Leave `usage` out where none is told.
        """
        with self.served(embedder) as (server, remote), watched(remote.model) as calls:
            remote.embed_documents(some(remote))

            usage = calls[-1].result.usage
            if usage is None:
                raise DoesNotApply("the model reports no usage")
            counted = sum(map(words_in, server.requests[-1].inputs))
            assert usage.tokens == counted, (
                f"The server has counted {counted} tokens, the usage is {usage.tokens}"
            )
