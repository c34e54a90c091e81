#!/usr/bin/env bash
# llama-index-core 0.14.25, November 2026.
#
# One node with a vector of zeros, as some models answer for white space, makes searches of SimpleVectorStore
# wrong for OTHER nodes: its similarity is NaN, which no comparison can sort. Each of 20 nodes is searched
# with its own vector. Without zeros all are found. With zeros in the first place all others are found too;
# in the middle place ten of 19 are not, in the last place none is. The harm depends on the order of adding.
#
# What to do: leave out nodes whose vector is zero before they are added.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    llama-index-core==0.14.25 numpy==2.4.6

cat > "$folder/run.py" <<'PYTHON'
import math
import warnings

from llama_index.core.schema import TextNode
from llama_index.core.vector_stores import SimpleVectorStore, VectorStoreQuery

warnings.simplefilter("ignore", RuntimeWarning)  # NumPy's, of a division by zero: the only sign
COUNT = 20


def direction(number):
    """The directions of all nodes differ."""
    angle = number * math.tau / COUNT
    return [math.cos(angle), math.sin(angle)]


for name, zero in (("none", None), ("first", 0), ("middle", 10), ("last", 19)):
    store = SimpleVectorStore()
    vectors = [[0.0, 0.0] if number == zero else direction(number) for number in range(COUNT)]
    store.add([TextNode(id_=str(n), embedding=vector) for n, vector in enumerate(vectors)])
    others = [number for number in range(COUNT) if number != zero]
    found = 0
    for number in others:
        query = VectorStoreQuery(query_embedding=vectors[number], similarity_top_k=1)
        found += store.query(query).ids == [str(number)]
    print(f"zeros: {name}; nodes that find themselves: {found} of {len(others)}")
PYTHON

"$folder/venv/bin/python" "$folder/run.py" > "$folder/seen"
diff "$folder/seen" - <<'SEEN'
zeros: none; nodes that find themselves: 20 of 20
zeros: first; nodes that find themselves: 19 of 19
zeros: middle; nodes that find themselves: 9 of 19
zeros: last; nodes that find themselves: 0 of 19
SEEN
echo "still so"
