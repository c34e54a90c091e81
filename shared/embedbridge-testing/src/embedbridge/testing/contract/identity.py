"""Identity: what is pickled, configured, fingerprinted and cached is this model and no other."""

from __future__ import annotations

import json
import pickle
from contextlib import ExitStack
from typing import Any

from embedbridge.core import Embedder, MemoryCache, load_embedder
from embedbridge.testing.contract.applies import LOCAL, DoesNotApply, Need, asked_where
from embedbridge.testing.contract.base import ContractBase
from embedbridge.testing.contract.comparing import assert_same, gap_between, twin
from embedbridge.testing.contract.elsewhere import vectors_elsewhere
from embedbridge.testing.contract.material import TEXTS
from embedbridge.testing.contract.plugin import ANNOUNCED
from embedbridge.testing.contract.variations import both_roles, variations
from embedbridge.testing.contract.vectors import other_widths

LOADS_QUICKLY = Need(
    "the suite says that the model takes long to load", "suite", lambda suite: suite.loads_quickly
)


class IdentityChecks(ContractBase):
    """The same configuration is the same model, and another one is another."""

    def test_a_pickled_embedder_is_the_same(self, embedder: Embedder) -> None:
        """An embedder travels to another process by its configuration and answers alike there.

        If this fails, `__init__` takes arguments that are not options.
        """
        with pickle.loads(pickle.dumps(embedder)) as other:  # noqa: S301  # our own bytes
            assert other.fingerprint == embedder.fingerprint, "A pickle has another fingerprint"
            found = other.embed_query(TEXTS[0])
        expected = embedder.embed_query(TEXTS[0])
        assert_same(found, expected, self.tolerance, "A pickled embedder gives other vectors")

    @asked_where(LOCAL, LOADS_QUICKLY)
    def test_another_process_gives_the_same_vectors(self, embedder: Embedder) -> None:
        """A process of its own, in which Python's hashes differ, makes the vectors of this one.

        If this fails, look for `hash()`, for the order of a set, and for a generator of random
        numbers without a seed.
        """
        found = vectors_elsewhere(embedder, TEXTS)
        if found is None:
            raise DoesNotApply("the model's class cannot be imported by another process")

        expected = [embedder.embed_documents(TEXTS), embedder.embed_queries(TEXTS)]
        assert_same(found, expected, self.tolerance, "Another process gives other vectors")

    @asked_where(ANNOUNCED)
    def test_configuration_round_trip(self, embedder: Embedder) -> None:
        """`to_config` holds what `from_config` needs, as JSON, where the provider is installed.

        If this fails, look at the provider's name, its entry point, and options that are no JSON.
        """
        config = embedder.to_config()
        written = json.loads(json.dumps(config))
        assert written == config, "The configuration is not made of JSON values"
        load_embedder(config["model"], **config["options"]).close()

        with Embedder.from_config(written) as other:
            assert other.fingerprint == embedder.fingerprint, (
                "The configuration makes an embedder of another fingerprint"
            )

    def test_the_fingerprint_is_stable(self, embedder: Embedder) -> None:
        """The same model with the same options has the same fingerprint and space every time.

        If this fails, `identity()` holds an address, a time, a path, or the order of a set.
        """
        before = (embedder.fingerprint, embedder.space)
        embedder.embed_query(TEXTS[0])
        with twin(embedder) as other:
            after = (other.fingerprint, other.space)

        assert after == before, f"The same model has two fingerprints or spaces: {before}, {after}"
        fresh = Embedder(embedder.model, settings=embedder.settings)
        now = (fresh.fingerprint, fresh.space)
        assert now == before, "The fingerprint changes when the model is used"

    def test_options_that_change_vectors_change_the_fingerprint(self, embedder: Embedder) -> None:
        """Two vectors of one text that differ never have one fingerprint.

        If this fails, the option stands in `not_in_identity` though it changes vectors, or
        `identity()` leaves it out. Values to try can be named in `option_samples`.
        """
        found = variations(type(self), embedder)
        usual = found.usual
        for varied in found.others:
            if varied.error is None and gap_between(varied.vectors, usual.vectors) > self.tolerance:
                assert varied.fingerprint != usual.fingerprint, (
                    f"{varied} changes vectors and not the fingerprint: the cache would mix them up"
                )

    def test_the_cache_never_mixes(self, embedder: Embedder) -> None:
        """With one cache for all, every role, prompt and width still gets its own vectors.

        If this fails, the model keeps answers by text only, or the fingerprint leaves an option out.
        """
        cache = MemoryCache()
        changes: list[dict[str, Any]] = [{"query_prompt": "Asked: "}, {"normalize": True}]
        changes += [{"dimensions": width} for width in other_widths(embedder)[:1]]
        with ExitStack() as stack:
            twins = [stack.enter_context(twin(embedder, **change)) for change in changes]
            embedders = [embedder, *twins]
            plain = [both_roles(each) for each in embedders]
            for _ in range(2):  # the second time, the cache may answer
                for change, each, expected in zip([{}, *changes], embedders, plain, strict=True):
                    found = both_roles(each.using(cache=cache))
                    matter = f"The cache gives vectors of another role or option ({change})"
                    assert_same(found, expected, self.tolerance, matter)
            for change, each, expected in zip([{}, *changes], embedders, plain, strict=True):
                matter = f"The model mixes up answers of different options ({change})"
                assert_same(both_roles(each), expected, self.tolerance, matter)

    def test_the_cache_answers(self, embedder: Embedder) -> None:
        """What was embedded once is not asked again, whatever object asks.

        If this fails, the fingerprint differs from object to object.
        """
        cache = MemoryCache()
        expected = embedder.using(cache=cache).embed(TEXTS, role="document")
        with twin(embedder) as other:
            found = other.using(cache=cache).embed(TEXTS, role="document")

        assert found.requests == 0, f"The cache was not used: {found.requests} requests again"
        assert_same(found.vectors, expected.vectors, self.tolerance, "The cache changes vectors")
