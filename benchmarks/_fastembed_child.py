"""fastembed in an environment of its own: a line with texts comes in, a line with vectors goes out.

It needs fastembed and nothing of ours: `python _fastembed_child.py FOLDER`, then one JSON object per
line, `{"texts": [...], "batch": 256}`. The answer is the number of vectors, the seconds that they took, and
base64 of float32.
"""

from __future__ import annotations

import base64
import json
import sys
import time
from importlib.metadata import version

import numpy as np
from fastembed import TextEmbedding
from fastembed.common.model_description import ModelSource, PoolingType

NAME = "benchmark/all-MiniLM-L6-v2"


def main() -> None:
    TextEmbedding.add_custom_model(
        model=NAME,
        pooling=PoolingType.MEAN,
        normalization=True,
        sources=ModelSource(hf=NAME),  # named, never asked: the files are there
        dim=384,
        model_file="onnx/model.onnx",
    )
    model = TextEmbedding(NAME, specific_model_path=sys.argv[1])
    print(version("fastembed"), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        begun = time.perf_counter()
        vectors = np.array(list(model.embed(asked["texts"], batch_size=asked["batch"])), np.float32)
        seconds = time.perf_counter() - begun
        print(len(vectors), seconds, base64.b64encode(vectors.tobytes()).decode(), flush=True)


if __name__ == "__main__":
    main()
