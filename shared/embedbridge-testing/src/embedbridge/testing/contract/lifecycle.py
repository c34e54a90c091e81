"""Opening and closing: nothing is touched before it is needed, and closing is not the end."""

from __future__ import annotations

from embedbridge.core import Embedder
from embedbridge.testing.audit import audited
from embedbridge.testing.contract.base import ContractBase
from embedbridge.testing.contract.comparing import assert_same, twin
from embedbridge.testing.contract.material import TEXTS


class LifecycleChecks(ContractBase):
    """From making a model to closing it."""

    def test_making_a_model_reaches_nothing(self, embedder: Embedder) -> None:
        """Making an embedder opens no connection and starts no process.

        If this fails, `__init__` opens a client or downloads; do so in the first `embed_batch`.
        """
        with audited() as seen:
            other = twin(embedder)
        other.close()
        reached = [event[0] for event in seen if event[0] != "open"]

        assert not reached, f"Making the model reaches out: {reached}"

    def test_closing_is_not_the_end(self, embedder: Embedder) -> None:
        """A closed embedder opens anew when it is used again; closing twice is no error.

        If this fails, `close` or `aclose` leaves a closed client or freed weights behind.
        """
        expected = embedder.embed_documents(TEXTS[:3])
        other = twin(embedder)
        other.close()  # never used
        before = other.embed_documents(TEXTS[:3])
        other.close()
        other.close()
        after = other.embed_documents(TEXTS[:3])
        other.close()

        assert_same(
            before, expected, self.tolerance, "Closing before the first use changes vectors"
        )
        assert_same(after, expected, self.tolerance, "After closing, the vectors differ")

    def test_closing_one_leaves_the_others_alone(self, embedder: Embedder) -> None:
        """Two embedders of one model do not share what closing takes away.

        If this fails, a client or the weights are kept by the class and closed for all.
        """
        expected = embedder.embed_documents(TEXTS[:3])
        with twin(embedder) as stays:
            stays.embed_documents(TEXTS[:1])
            with twin(embedder) as goes:
                goes.embed_documents(TEXTS[:1])
            found = stays.embed_documents(TEXTS[:3])

        assert_same(found, expected, self.tolerance, "Closing another embedder changes vectors")
