"""What provider authors test with: fakes, real texts, and the contract suite to inherit."""

from typing import TYPE_CHECKING

from embedbridge.contract.lazy import lazy_exports

if TYPE_CHECKING:
    from embedbridge.testing.contract import EmbeddingModelContract as EmbeddingModelContract
    from embedbridge.testing.corpus import real_texts as real_texts
    from embedbridge.testing.fakes import FakeModel as FakeModel
    from embedbridge.testing.fakes import FlakyModel as FlakyModel
    from embedbridge.testing.fakes import RecordingModel as RecordingModel
    from embedbridge.testing.fakes import RemoteFakeModel as RemoteFakeModel
    from embedbridge.testing.fakes import fake_embedder as fake_embedder
    from embedbridge.testing.samples import tiny_png as tiny_png

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "contract": ["EmbeddingModelContract"],
        "corpus": ["real_texts"],
        "fakes": [
            "FakeModel",
            "FlakyModel",
            "RecordingModel",
            "RemoteFakeModel",
            "fake_embedder",
        ],
        "samples": ["tiny_png"],
    },
)
