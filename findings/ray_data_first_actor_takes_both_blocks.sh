#!/usr/bin/env bash
# ray[data] 2.60.0, November 2026.
#
# map_batches with a class, two blocks and a pool of two actors, of which one starts later than the other: the first
# actor is given both blocks, since an actor may hold two. When the second actor is there, it has nothing to do for the
# rest of the job, and the second block waits behind the first. Of few and long blocks one actor so computes all.
#
# What to do: max_tasks_in_flight_per_actor=1 lets a block wait for whichever actor is free; or make many small blocks.
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
        try:
            Path(place, "first").touch(exist_ok=False)
        except FileExistsError:
            time.sleep(5)
            Path(place, "second").touch()

    def __call__(self, batch):
        while not Path(self.place, "second").exists():
            time.sleep(0.1)
        time.sleep(2)
        Path(self.place, f"computed-{os.getpid()}").touch()
        return batch


def computed(**pool):
    place = Path(f"{len(os.listdir())}").absolute()
    place.mkdir()
    rows = ray.data.range(2, override_num_blocks=2)
    strategy = ray.data.ActorPoolStrategy(size=2, **pool)
    rows.map_batches(Slow, fn_constructor_args=(str(place),), compute=strategy).materialize()
    said = ", ".join(f"{name}={value}" for name, value in pool.items()) or "as it is"
    print(f"{said}: {len(list(place.glob('computed-*')))} of 2 actors computed 2 blocks")


ray.init(address="local", num_cpus=4, include_dashboard=False, log_to_driver=False)
ray.data.DataContext.get_current().enable_progress_bars = False
computed()
computed(max_tasks_in_flight_per_actor=1)
PYTHON

cd "$folder"
RAY_USAGE_STATS_ENABLED=0 venv/bin/python run.py > seen 2> /dev/null
diff seen - <<'SEEN'
as it is: 1 of 2 actors computed 2 blocks
max_tasks_in_flight_per_actor=1: 2 of 2 actors computed 2 blocks
SEEN
echo "still so"
