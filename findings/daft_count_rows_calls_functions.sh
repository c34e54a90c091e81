#!/usr/bin/env bash
# daft 0.7.26, November 2026.
#
# count_rows() needs no column, and computes one: that of the narrowest type. If a batch function makes it, the
# function is called for every row. Here a function makes booleans of texts: as a boolean column it is called, the
# same as an integer column is not. With a model behind it, a count before collect() pays for the whole table.
#
# What to do: count before the column is added, or collect() first: what is collected is not computed again.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check daft==0.7.26 pyarrow==25.0.1

cat > "$folder/run.py" <<'PYTHON'
import daft

calls = 0


def is_long(texts):
    global calls
    calls += len(texts)
    return [len(text) > 10 for text in texts.to_pylist()]


def counted(kind):
    global calls
    calls = 0
    function = daft.func.batch(return_dtype=kind, use_process=False)(is_long)
    df = daft.from_pydict({"id": list(range(1000)), "text": ["a lamp"] * 1000})
    found = df.with_column("long", function(df["text"])).count_rows()
    print(f"column of {kind}: {found} rows counted, the function called for {calls}")


counted(daft.DataType.int64())
counted(daft.DataType.bool())
PYTHON

"$folder/venv/bin/python" "$folder/run.py" > "$folder/seen" 2> /dev/null
diff "$folder/seen" - <<'SEEN'
column of Int64: 1000 rows counted, the function called for 0
column of Bool: 1000 rows counted, the function called for 1000
SEEN
echo "still so"
