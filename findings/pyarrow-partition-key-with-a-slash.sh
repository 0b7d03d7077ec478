#!/usr/bin/env bash
# pyarrow 26.0.1 (and pandas, whose to_parquet(partition_cols=...) is pyarrow's).
#
# `write_to_dataset(table, folder, partition_cols=["km/h"])` quotes values of the column in the names
# of the folders, but not the name of the column: "km/h=50" is two folders, "km" and "h=50". Nothing
# is said. Read back, the column is called "h"; where the table has an "h" of its own, the folder that
# was just written cannot be read at all (the two "h" are of different types).
#
# One would have guessed that a table comes back with the columns it was written with, or that a
# name which no folder can have is refused. A "/" in a value is written as %2F, and comes back.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet pyarrow==26.0.1
cat >"$folder/keys.py" <<'PY'
import sys

import pyarrow as pa
import pyarrow.parquet as pq

for name, values in (("speed", ["km/h", "m/s"]), ("km/h", [50, 80])):
    table = pa.table({name: values, "y": [0, 1]})
    folder = f"{sys.argv[1]}/{name.replace('/', '_')}"
    pq.write_to_dataset(table, folder, partition_cols=[name])
    found = pq.read_table(folder)
    print(table.column_names, "->", {each: found[each].to_pylist() for each in found.column_names})
    own = "speed" if name == "speed" else "h"
    assert found.column_names == ["y", own]
    assert found[own].to_pylist() == values

beside = pa.table({"km/h": [50, 80], "h": [0.5, 1.5]})
pq.write_to_dataset(beside, f"{sys.argv[1]}/beside", partition_cols=["km/h"])
try:
    pq.read_table(f"{sys.argv[1]}/beside")
except pa.ArrowTypeError as error:
    print(beside.column_names, "->", error)
else:
    raise AssertionError("the folder was read")
PY
"$folder/venv/bin/python" "$folder/keys.py" "$folder"
# Seen:
#   ['speed', 'y'] -> {'y': [0, 1], 'speed': ['km/h', 'm/s']}
#   ['km/h', 'y'] -> {'y': [0, 1], 'h': [50, 80]}
#   ['km/h', 'h'] -> Unable to merge: Field h has incompatible types: double vs
#     dictionary<values=int32, indices=int32, ordered=0>
