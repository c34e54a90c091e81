"""Options: each value of each option that a provider adds does what the card and the fingerprint say."""

from __future__ import annotations

import numpy as np

from embedbridge.contract import ConfigurationError, EmbedBridgeError
from embedbridge.core import Embedder
from embedbridge.testing.contract.applies import LOCAL, DoesNotApply, Need, asked_where
from embedbridge.testing.contract.arrivals import EXACT
from embedbridge.testing.contract.comparing import assert_same, gap_between, twin
from embedbridge.testing.contract.material import TEXTS
from embedbridge.testing.contract.served import AT_A_SERVER, ServedChecks
from embedbridge.testing.contract.variations import own_options, values_of, variations
from embedbridge.testing.contract.watching import watched
from embedbridge.testing.fault_server import FaultServer

OWN_OPTIONS = Need(
    "the provider adds no option", "embedder", lambda embedder: bool(own_options(embedder))
)
DECLARED = Need("no author has declared `unseen_options`", "suite", lambda suite: suite.is_declared)
VOLATILE = frozenset({"host", "content-length"})
"""Headers that say nothing of an option."""


class OptionChecks(ServedChecks):
    """Values come from the option's type, and from `option_samples`."""

    @asked_where(OWN_OPTIONS)
    def test_every_value_of_an_option_works(self, embedder: Embedder) -> None:
        """Each value gives vectors, or a ConfigurationError that says why not here.

        If this fails, the value is sent or read wrongly. Values that can work are named in
        `option_samples`.
        """
        failed = [
            f"{varied}: {varied.error}"
            for varied in variations(type(self), embedder).others
            if varied.own and not isinstance(varied.error, ConfigurationError | None)
        ]

        assert not failed, f"Values of options that do not work: {'; '.join(failed)}"

    @asked_where(OWN_OPTIONS)
    def test_the_card_is_right_with_every_option(self, embedder: Embedder) -> None:
        """Whatever an option is set to, vectors have the width and the length that the card then says.

        If this fails, `card` does not look at the option; see `OutputType.card`.
        """
        for varied in variations(type(self), embedder).others:
            if varied.card is None or not varied.own:
                continue
            width, card = len(varied.vectors[0]), varied.card
            assert card.dimensions in (None, width), (
                f"{varied}: the card says {card.dimensions} dimensions, the vectors have {width}"
            )
            length = float(np.linalg.norm(varied.vectors[0]))
            switched_off = embedder.model.options.normalize is False
            assert not card.normalized or switched_off or abs(length - 1) <= 1e-4, (
                f"{varied}: the card claims unit length, the vectors have {length:.3g}: say "
                "`normalized=False` on the card of this option"
            )

    @asked_where(OWN_OPTIONS)
    def test_other_kinds_of_vectors_have_another_space(self, embedder: Embedder) -> None:
        """An option that changes the width or the length of vectors makes them incomparable.

        If this fails, give the card another `space` with this option; see `OutputType.card`.
        """
        found = variations(type(self), embedder)
        usual = found.usual.card
        assert usual is not None
        for varied in found.others:
            card = varied.card
            if card is None or not varied.own:
                continue
            same = (card.dimensions, card.normalized) == (usual.dimensions, usual.normalized)
            assert same or varied.space != found.usual.space, (
                f"{varied} makes another kind of vectors, and its space is still {varied.space!r}"
            )

    @asked_where(OWN_OPTIONS, DECLARED)
    def test_options_that_change_no_vector_keep_the_fingerprint(self, embedder: Embedder) -> None:
        """What only changes how vectors are made or travel costs nothing that the cache holds.

        Asked of hosted models at a server, and of local models.

        If this fails, name the option in `not_in_identity`. If it is to change vectors: is it read,
        or does the model keep answers by text? If it changes only vectors of inputs that the suite
        does not have, say so in `unseen_options`.
        """
        if not LOCAL.holds(embedder) and not AT_A_SERVER.holds(type(self)):
            raise DoesNotApply(AT_A_SERVER.without)
        found = variations(type(self), embedder)
        needless = [
            str(varied)
            for varied in found.others
            if varied.own
            and varied.name not in self.unseen_options
            and varied.card is not None
            and gap_between(varied.vectors, found.usual.vectors) <= self.tolerance
            and varied.fingerprint != found.usual.fingerprint
        ]

        assert not needless, (
            f"The fingerprint changes with {', '.join(needless)}, and no vector does: what the cache "
            "holds is computed again"
        )

    @asked_where(AT_A_SERVER, OWN_OPTIONS)
    def test_every_option_reaches_the_server(self, embedder: Embedder) -> None:
        """Each option of the provider's own changes a request, in its body, headers or address.

        If this fails, the option is taken and not sent. Name values to try in `option_samples`; if
        it is not for the server, say in `local_options` what it is for.
        """
        with self.served(embedder) as (server, remote):
            usual = _request(server, remote)
            names = [name for name in own_options(remote) if name not in self.local_options]
            values = {name: values_of(remote, name, self.option_samples) for name in names}
            untold = [name for name in names if not values[name]]
            assert not untold, f"No value to try for {untold}: name some in `option_samples`"
            for name in names:
                sent = []
                for value in values[name]:
                    try:
                        with twin(remote, **{name: value}) as other:
                            sent.append(_request(server, other))
                    except EmbedBridgeError:
                        continue  # refused here; whether it may be is another check
                assert not sent or any(request != usual for request in sent), (
                    f"The option {name!r} is taken, and changes nothing of a request. If it is not "
                    "for the server, say in `local_options` what it is for"
                )

    @asked_where(AT_A_SERVER, OWN_OPTIONS)
    def test_vectors_of_every_option_arrive(self, embedder: Embedder) -> None:
        """With each value of an option, `embed_batch` answers the values that the server has sent.

        If this fails, look at the type of the values: signed or not, in base64 or not.
        """
        with self.served(embedder) as (server, remote):
            for name in own_options(remote):
                for value in values_of(remote, name, self.option_samples):
                    try:
                        with twin(remote, **{name: value}) as other, watched(other.model) as calls:
                            other.embed_documents(TEXTS[:1])
                    except EmbedBridgeError:
                        continue  # another check says so
                    matter = f"{name}={value!r}: the vectors are not those of the server"
                    assert_same(calls[-1].vectors, server.requests[-1].answer, EXACT, matter)


def _request(server: FaultServer, remote: Embedder) -> object:
    """What an embedder asks: address, headers and body of its requests for both roles."""
    before = len(server.requests)
    remote.embed_documents(TEXTS[:1])
    remote.embed_query(TEXTS[0])
    return [
        (
            each.request.target,
            {name: value for name, value in each.request.headers.items() if name not in VOLATILE},
            each.request.body,
        )
        for each in server.requests[before:]
    ]
