#!/usr/bin/env bash
# ray[data] 2.60.0, November 2026.
#
# map_batches with a class, and a pool of actors that may grow from one to two: of two blocks that take seconds each,
# one actor computes both, one after the other. The first actor takes the second block ahead, and then no block is
# waiting that the pool would grow for. So the job takes twice as long as it could, with room for both actors.
#
# What to do: where blocks are few and long, begin with all actors (size=, initial_size=), or make many small blocks.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check 'ray[data]==2.60.0'

cat > "$folder/run.py" <<'PYTHON'
import os
import time
from pathlib import Path

import ray
import ray.data


class Slow:
    def __init__(self, place):
        self.place = place

    def __call__(self, batch):
        time.sleep(5)
        Path(self.place, str(os.getpid())).touch()
        return batch


def computed(**pool):
    place = Path(f"{len(os.listdir())}").absolute()
    place.mkdir()
    rows = ray.data.range(2, override_num_blocks=2)
    strategy = ray.data.ActorPoolStrategy(**pool)
    rows.map_batches(Slow, fn_constructor_args=(str(place),), compute=strategy).materialize()
    said = ", ".join(f"{name}={value}" for name, value in pool.items())
    print(f"{said}: {len(os.listdir(place))} of 2 actors computed 2 blocks")


ray.init(address="local", num_cpus=4, include_dashboard=False, log_to_driver=False)
ray.data.DataContext.get_current().enable_progress_bars = False
computed(min_size=1, max_size=2)
computed(min_size=1, max_size=2, initial_size=2)
computed(size=2)
PYTHON

cd "$folder"
RAY_USAGE_STATS_ENABLED=0 venv/bin/python run.py > seen 2> /dev/null
diff seen - <<'SEEN'
min_size=1, max_size=2: 1 of 2 actors computed 2 blocks
min_size=1, max_size=2, initial_size=2: 2 of 2 actors computed 2 blocks
size=2: 2 of 2 actors computed 2 blocks
SEEN
echo "still so"
