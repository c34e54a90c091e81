#!/usr/bin/env bash
# safetensors 0.8.0 with NumPy 2.4.6, November 2026.
#
# `safetensors.numpy.save` writes the memory behind an array and ignores its strides: an array in Fortran's
# order, or the first columns of a wider one (shortened Matryoshka vectors!), comes back in the right shape
# with other numbers. No error, no warning.
#
# What to do: save `numpy.ascontiguousarray(array)`.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    safetensors==0.8.0 numpy==2.4.6

cat > "$folder/run.py" <<'PYTHON'
import numpy as np
from safetensors.numpy import load, save

vectors = np.arange(8, dtype=np.float32).reshape(2, 4)
short = vectors[:, :2]
for name, array in (
    ("whole", vectors),
    ("first columns", short),
    ("Fortran's order", np.asfortranarray(short)),
    ("contiguous copy", np.ascontiguousarray(short)),
):
    back = load(save({"vectors": array}))["vectors"]
    print(f"{name}: saved {array.tolist()}, loaded {back.tolist()}")
PYTHON

"$folder/venv/bin/python" "$folder/run.py" > "$folder/seen"
diff "$folder/seen" - <<'SEEN'
whole: saved [[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0]], loaded [[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0]]
first columns: saved [[0.0, 1.0], [4.0, 5.0]], loaded [[0.0, 1.0], [2.0, 3.0]]
Fortran's order: saved [[0.0, 1.0], [4.0, 5.0]], loaded [[0.0, 4.0], [1.0, 5.0]]
contiguous copy: saved [[0.0, 1.0], [4.0, 5.0]], loaded [[0.0, 1.0], [4.0, 5.0]]
SEEN
echo "still so"
