"""One route in a process of its own: each line of standard input is a run, answered by its seconds.

They are those on the clock, and those of the processor.

    python _vendor_child.py VENDOR ROUTE URL TEXTS DIMENSIONS

The first line of standard output is the version of the route's package. The first run is checked: the
vectors are those that the server has for these texts.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from importlib.metadata import version

import numpy as np
from _embedding_server import expected, make_texts
from _vendor_routes import OURS, route_of


def main() -> None:
    vendor, name, url, count, dimensions = sys.argv[1:]
    # What a library prints is not for the parent.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    texts = make_texts(int(count))
    route = route_of(vendor, name, url)
    print(version(f"embedbridge-{vendor}" if name in OURS else name), file=answers)
    right = expected(texts, int(dimensions))
    for number, _ in enumerate(sys.stdin):
        begun, worked = time.perf_counter(), time.process_time()
        vectors = route(texts)
        seconds, cpu = time.perf_counter() - begun, time.process_time() - worked
        if number == 0:
            gap = float(np.abs(np.asarray(vectors, dtype=np.float32) - right).max())
            assert gap < 1e-7, (name, gap)
        # Before the answer: else it would take time from the next route.
        del vectors
        gc.collect()
        print(seconds, cpu, file=answers)


if __name__ == "__main__":
    main()
