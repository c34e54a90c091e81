"""The contract suite: inherit it, name your embedder, and your provider is proven.

    class TestAcme(EmbeddingModelContract):
        @pytest.fixture
        def embedder(self) -> Embedder:
            return load_embedder("acme:acme-1")

What the model's card does not claim is not asked, and where the suite declares its `card` not even
collected. A check that cannot hold is named with
`@xfail("test_…", reason=…)`; one that vanishes silently is an error. Each family of rules has a file
of its own.
"""

from embedbridge.testing.contract.applies import DoesNotApply, contradictions, why_not
from embedbridge.testing.contract.hosted import HostedModelContract
from embedbridge.testing.contract.suite import (
    CHECKS,
    FAMILIES,
    EmbeddingModelContract,
    tampering,
    xfail,
)

__all__ = [
    "CHECKS",
    "FAMILIES",
    "DoesNotApply",
    "EmbeddingModelContract",
    "HostedModelContract",
    "contradictions",
    "tampering",
    "why_not",
    "xfail",
]
