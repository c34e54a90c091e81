#!/usr/bin/env bash
# duckdb 2.0.1, pyarrow 26.0.1, November 2026 (duckdb/duckdb#24731).
#
# DuckDB writes Parquet from a column of vectors FLOAT[n] with a NULL in it that DuckDB itself reads, and pyarrow,
# and so pandas, cannot: the whole column is refused. From a column FLOAT[] both read the same rows.
#
# What to do: cast to FLOAT[] before COPY … TO, or leave out rows without a vector.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    duckdb==2.0.1 pyarrow==26.0.1

cat > "$folder/run.py" <<'PYTHON'
import duckdb
import pyarrow.parquet as pq

db = duckdb.connect()
for kind in ("FLOAT[]", "FLOAT[2]"):
    db.execute(
        f"CREATE OR REPLACE TABLE posts AS SELECT unnest([[1, 0], NULL, [0, 1]])::{kind} AS vector"
    )
    db.execute("COPY posts TO 'posts.parquet'")
    print(kind, "DuckDB reads", db.execute("FROM 'posts.parquet'").fetchall())
    try:
        print(kind, "pyarrow reads", pq.read_table("posts.parquet")["vector"].to_pylist())
    except Exception as error:
        print(kind, "pyarrow raises", type(error).__name__, error)
PYTHON

cd "$folder"
"$folder/venv/bin/python" "$folder/run.py" > "$folder/seen"
diff "$folder/seen" - <<'SEEN'
FLOAT[] DuckDB reads [([1.0, 0.0],), (None,), ([0.0, 1.0],)]
FLOAT[] pyarrow reads [[1.0, 0.0], None, [0.0, 1.0]]
FLOAT[2] DuckDB reads [([1.0, 0.0],), (None,), ([0.0, 1.0],)]
FLOAT[2] pyarrow raises ArrowInvalid Length spanned by list offsets (5) larger than values array (length 4)
SEEN
echo "still so"
