#!/usr/bin/env bash
# llama-index-core 0.14.25 with the stores for Chroma 0.6.0 and for Qdrant 0.10.4, November 2026.
#
# The score of a node means another thing in each store of one framework. Chroma's, with the space cosine, is
# e to the power of minus (1 - cosine), so it is never below 0.13, and an unrelated node has 0.37; Qdrant's is the
# cosine. One similarity_cutoff for both keeps nodes that have nothing to do with the question.
#
# What to do: choose a cutoff for each store by looking at its scores; never carry one over.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    llama-index-core==0.14.25 llama-index-vector-stores-chroma==0.6.0 \
    llama-index-vector-stores-qdrant==0.10.4 chromadb==1.5.9 qdrant-client==1.20.0

cat > "$folder/run.py" <<'PYTHON'
import chromadb
from llama_index.core.postprocessor import SimilarityPostprocessor
from llama_index.core.schema import NodeWithScore, TextNode
from llama_index.core.vector_stores import VectorStoreQuery
from llama_index.vector_stores.chroma import ChromaVectorStore
from llama_index.vector_stores.qdrant import QdrantVectorStore
from qdrant_client import QdrantClient

COSINES = {"same": 1.0, "alike": 0.5, "unrelated": 0.0, "opposite": -1.0}
client = chromadb.EphemeralClient(chromadb.config.Settings(anonymized_telemetry=False))
collection = client.create_collection(
    "nodes", configuration={"hnsw": {"space": "cosine"}}, embedding_function=None
)
stores = {
    "Chroma": ChromaVectorStore(chroma_collection=collection),
    "Qdrant": QdrantVectorStore("nodes", client=QdrantClient(":memory:")),
}
cutoff = SimilarityPostprocessor(similarity_cutoff=0.3)
for name, store in stores.items():
    store.add(
        [TextNode(text=text, embedding=[c, (1 - c * c) ** 0.5]) for text, c in COSINES.items()]
    )
    found = store.query(VectorStoreQuery(query_embedding=[1.0, 0.0], similarity_top_k=4))
    nodes = [NodeWithScore(node=n, score=s) for n, s in zip(found.nodes, found.similarities)]
    print(name, *(f"{node.text} {node.score + 0.0:.2f}" for node in nodes), sep="; ")
    print("  kept by the cutoff:", ", ".join(n.text for n in cutoff.postprocess_nodes(nodes)))
PYTHON

"$folder/venv/bin/python" -W ignore "$folder/run.py" > "$folder/seen"
diff "$folder/seen" - <<'SEEN'
Chroma; same 1.00; alike 0.61; unrelated 0.37; opposite 0.14
  kept by the cutoff: same, alike, unrelated
Qdrant; same 1.00; alike 0.50; unrelated 0.00; opposite -1.00
  kept by the cutoff: same, alike
SEEN
echo "still so"
