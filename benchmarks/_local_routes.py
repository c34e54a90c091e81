"""Every way to run the one local model: the peers, and ours through each door.

A further model of ours is one line in `OURS`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from _fastembed import DEFAULT_BATCH, FastEmbed
from _local_model import exported, original
from _machine import processor
from numpy.typing import NDArray

from embedbridge.contract import EmbedBridgeError
from embedbridge.core import Embedder, load_embedder
from langchain_embedbridge import EmbedBridgeEmbeddings
from llama_index.embeddings.embedbridge import EmbedBridgeEmbedding

RAW = "sentence-transformers"
LLAMA_INDEX = "LlamaIndex HuggingFaceEmbedding"
LANGCHAIN = "LangChain HuggingFaceEmbeddings"
FASTEMBED = "fastembed"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ours:
    """One way of ours to run the model."""

    name: str
    """Stands in every table, after `embedbridge`."""
    model: Callable[[], str]
    options: Mapping[str, Any] = field(default_factory=dict)
    mean: float = 0.99999
    """The mean cosine to sentence-transformers that it must have at least."""
    least: float = 0.99999
    """The same for each single text."""
    share: float | None = None
    """The share of the machine's float32 GEMM peak that it should reach."""
    beside: tuple[str, float] | None = None
    """The exact one on the same library, and how many times as fast this one should be."""
    query_ms: float | None = None
    """Milliseconds that a single query should take at most."""

    @property
    def exact(self) -> bool:
        """Whether its vectors are those of sentence-transformers."""
        return self.least >= 0.99999

    def load(self) -> Embedder:
        """An embedder that has answered once.

        Raises:
            EmbedBridgeError: It does not run here.
        """
        embedder = load_embedder(self.model(), **self.options)
        embedder.embed_query("Does it run here?")
        return embedder


def _torch() -> str:
    return f"huggingface:{original()}"


def _onnx() -> str:
    return f"onnx:{exported()}"


INT8 = {"precision": "int8"}
BF16 = {"precision": "bf16"}
OPENVINO = {"backend": "openvino"}
SHARES = (0.79, 0.83) if processor().startswith("AMD") else (0.75, 0.82)
"""Of the GEMM peak, for onnxruntime and OpenVINO: what was seen to be possible, by maker."""
OURS = (
    Ours(name="huggingface", model=_torch),
    Ours(
        name="huggingface bf16",
        model=_torch,
        options=BF16,
        mean=0.999,
        least=0.999,
        beside=("huggingface", 1.5),
    ),
    Ours(name="onnx", model=_onnx, share=SHARES[0], query_ms=2.5),
    Ours(
        name="onnx int8",
        model=_onnx,
        options=INT8,
        mean=0.99,
        least=0.9,
        beside=("onnx", 2),
        query_ms=0.8,
    ),
    Ours(name="openvino", model=_onnx, options=OPENVINO, share=SHARES[1], query_ms=2.5),
    Ours(
        name="openvino bf16",
        model=_onnx,
        options={**OPENVINO, **BF16},
        mean=0.999,
        least=0.999,
        beside=("openvino", 1.5),
    ),
    Ours(
        name="openvino int8",
        model=_onnx,
        options={**OPENVINO, **INT8},
        mean=0.99,
        least=0.9,
        beside=("openvino", 2),
        query_ms=0.8,
    ),
)


def load_ours(say: Callable[[str], None]) -> dict[Ours, Embedder]:
    """Ours that run on this machine; of the others, the reason is said."""
    loaded = {}
    for ours in OURS:
        try:
            loaded[ours] = ours.load()
        except EmbedBridgeError as error:
            reason = str(error).partition("\n")[0]
            say(f"`embedbridge {ours.name}` is left out: {reason}")
    return loaded


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """What a route's users hold: something for a job, and something for one query."""

    documents: Callable[[list[str]], Any]
    query: Callable[[str], Any]


def our_doors(name: str, embedder: Embedder) -> dict[str, Door]:
    """Ours as arrays, and as lists in both frameworks."""
    llama_index = EmbedBridgeEmbedding(embedder=embedder)
    langchain = EmbedBridgeEmbeddings(embedder=embedder)
    return {
        in_core(name): Door(documents=embedder.embed_documents, query=embedder.embed_query),
        in_llama_index(name): Door(
            documents=llama_index.get_text_embedding_batch, query=llama_index.get_query_embedding
        ),
        in_langchain(name): Door(documents=langchain.embed_documents, query=langchain.embed_query),
    }


def in_core(name: str) -> str:
    return f"embedbridge {name}, arrays"


def in_llama_index(name: str) -> str:
    return f"embedbridge {name}, LlamaIndex"


def in_langchain(name: str) -> str:
    return f"embedbridge {name}, LangChain"


def peer_doors(child: FastEmbed | None) -> dict[str, Door]:
    """What people use today, with its defaults."""
    raw = raw_model()
    theirs = llama_index_class()()
    chain = langchain_class()
    doors = {
        RAW: Door(documents=raw.encode, query=raw.encode),
        LLAMA_INDEX: Door(
            documents=theirs.get_text_embedding_batch, query=theirs.get_query_embedding
        ),
        LANGCHAIN: Door(documents=chain.embed_documents, query=chain.embed_query),
    }
    if child is not None:
        doors[FASTEMBED] = fastembed_door(child, DEFAULT_BATCH)
    return doors


def fastembed_door(child: FastEmbed, batch: int) -> Door:
    return Door(
        documents=lambda texts: child.embed(texts, batch),
        query=lambda text: child.embed([text], batch)[0],
    )


def raw_model() -> Any:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(original(), device="cpu")


def llama_index_class() -> Callable[..., Any]:
    """Makes LlamaIndex's own, with the options that it gets."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from llama_index.embeddings.huggingface import HuggingFaceEmbedding
    return lambda **options: HuggingFaceEmbedding(model_name=original(), device="cpu", **options)


def langchain_class() -> Any:
    """LangChain's own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from langchain_huggingface import HuggingFaceEmbeddings
    return HuggingFaceEmbeddings(model_name=original(), model_kwargs={"device": "cpu"})


class SameVectors:
    """Holds each route's vectors against those of sentence-transformers.

    Args:
        expected: What they should be.
        loaded: Ours, for how near they must come.
    """

    def __init__(self, expected: NDArray[np.float32], loaded: Sequence[Ours]) -> None:
        self._expected = expected
        self._loaded = loaded
        self.cosines: dict[str, str] = {}
        """The mean and the least cosine of each route, as they were found."""

    def __call__(self, name: str, answer: Any) -> None:
        vectors = np.asarray(answer, dtype=np.float32)
        cosines = np.sum(vectors * self._expected, axis=1)
        self.cosines[name] = f"{cosines.mean():.6f}, {cosines.min():.6f}"
        mean, least = self._bounds(name)
        assert cosines.mean() >= mean, (name, self.cosines[name])
        assert cosines.min() >= least, (name, self.cosines[name])

    def _bounds(self, name: str) -> tuple[float, float]:
        for ours in self._loaded:
            if name.startswith(f"embedbridge {ours.name},"):
                return ours.mean, ours.least
        return 0.99999, 0.99999
