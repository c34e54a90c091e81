#!/usr/bin/env bash
# pyspark 4.3.0 (Java 17), November 2026.
#
# One action, and yet a Python function runs twice for each row: (1) a filter on the column that a pandas UDF makes is
# computed by a call of its own, unless the UDF is marked nondeterministic; (2) checkpoint(eager=False) computes the
# rows for the first action, and then again for its files, while an eager checkpoint computes them once. If the
# function asks a paid service, all is paid twice.
#
# What to do: use mapInArrow or mapInPandas, or asNondeterministic(), and persist() or an eager checkpoint.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    pyspark==4.3.0 pandas==2.3.3 pyarrow==26.0.1

cat > "$folder/run.py" <<'PYTHON'
import os
import sys

os.environ["PYSPARK_PYTHON"] = sys.executable

from pyspark.sql import SparkSession
from pyspark.sql.functions import pandas_udf

place = os.path.abspath("rows")
session = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
session.sparkContext.setCheckpointDir("checkpoints")
df = session.range(100).selectExpr("id", "cast(id as string) as text")


def note(rows):
    with open(place, "a") as file:
        file.write(f"{rows}\n")


def length(texts):
    note(len(texts))
    return texts.str.len()


def same(batches):
    for batch in batches:
        note(batch.num_rows)
        yield batch


def rows_computed(name, action):
    open(place, "w").close()
    action()
    with open(place) as file:
        print(f"{name}: {sum(map(int, file))} rows computed for 100")


def mapped():
    return df.mapInArrow(same, df.schema)


udf = pandas_udf(length, "long")
rows_computed("pandas UDF, then a filter", df.withColumn("n", udf("text")).filter("n > 0").collect)
marked = df.withColumn("n", udf.asNondeterministic()("text"))
rows_computed("the same, nondeterministic", marked.filter("n > 0").collect)
rows_computed("mapInArrow, then a filter", mapped().filter("length(text) > 0").collect)
rows_computed("mapInArrow, eager checkpoint", lambda: mapped().checkpoint().count())
rows_computed("mapInArrow, lazy checkpoint", lambda: mapped().checkpoint(eager=False).count())
PYTHON

cd "$folder"
venv/bin/python run.py > seen 2> /dev/null
diff seen - <<'SEEN'
pandas UDF, then a filter: 200 rows computed for 100
the same, nondeterministic: 100 rows computed for 100
mapInArrow, then a filter: 100 rows computed for 100
mapInArrow, eager checkpoint: 100 rows computed for 100
mapInArrow, lazy checkpoint: 200 rows computed for 100
SEEN
echo "still so"
