#!/usr/bin/env bash
# pyarrow 26.0.1 with polars 2.1.0.
#
# A frame of polars with a column of texts becomes a table of pyarrow by `pa.table(frame)`, the way
# that the Arrow C stream is for. Its texts are views (string_view), and from such a table pyarrow
# takes no rows: `filter`, `take` and `sort_by` raise ArrowNotImplementedError, also where the filter
# asks about another column. What it can do with them (group_by, unique, dictionary_encode, slices,
# Parquet) it does; Parquet files written so give views back, and a filter of `read_table` fails too.
#
# One would have guessed that the two ways from polars to pyarrow give one table: `frame.to_arrow()`
# has large_string, and everything works.
#
# Way out: cast views to large_string before rows are taken (fastlogit/sources/views.py).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet pyarrow==26.0.1 polars==2.1.0
cat >"$folder/views.py" <<'PY'
import sys

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

frame = pl.DataFrame({"x": [1.0, 2.0, 3.0], "name": ["a", "b", "c"]})
file = f"{sys.argv[1]}/rows.parquet"


def outcome(call):
    try:
        return call().num_rows
    except pa.ArrowNotImplementedError as error:
        return type(error).__name__


found = {}
for way, table in (("pa.table(frame)", pa.table(frame)), ("frame.to_arrow()", frame.to_arrow())):
    pq.write_table(table, file)
    found[way] = {
        "type": str(table.schema.field("name").type),
        "group_by": outcome(lambda: table.group_by("name").aggregate([("x", "sum")])),
        "slice": outcome(lambda: table.slice(1)),
        "filter of x": outcome(lambda: table.filter(pc.field("x") > 1.0)),
        "take": outcome(lambda: table.take([0])),
        "sort by x": outcome(lambda: table.sort_by("x")),
        "Parquet": outcome(lambda: pq.read_table(file)),
        "Parquet, filter of x": outcome(lambda: pq.read_table(file, filters=[("x", ">", 1.0)])),
    }
    print(way, found[way])
plain, views = found["frame.to_arrow()"], found["pa.table(frame)"]
assert plain["type"] == "large_string" and views["type"] == "string_view"
assert all(isinstance(rows, int) for what, rows in plain.items() if what != "type")
failed = [what for what, rows in views.items() if rows == "ArrowNotImplementedError"]
assert failed == ["filter of x", "take", "sort by x", "Parquet, filter of x"], failed
PY
"$folder/venv/bin/python" "$folder/views.py" "$folder"
# Seen:
#   pa.table(frame) {'type': 'string_view', 'group_by': 3, 'slice': 2,
#     'filter of x': 'ArrowNotImplementedError', 'take': 'ArrowNotImplementedError',
#     'sort by x': 'ArrowNotImplementedError', 'Parquet': 3,
#     'Parquet, filter of x': 'ArrowNotImplementedError'}
#   frame.to_arrow() {'type': 'large_string', 'group_by': 3, 'slice': 2, 'filter of x': 2, 'take': 1,
#     'sort by x': 3, 'Parquet': 3, 'Parquet, filter of x': 2}
